//! Reading a service's files, and refusing what cannot run before anything runs.

use super::error::{Error, Result};
use super::file::{File, Mode, Version, checksum, normalise};
use super::split::{Statement, split};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A migration is written by people; what is larger is data, which belongs elsewhere.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// The digits of a file's number.
const DIGITS: std::ops::RangeInclusive<usize> = 4..=9;
/// What makes a file run without a transaction.
const NO_TRANSACTION: &str = "no-transaction";
/// What allows a statement that locks or breaks, with a reason.
const ALLOW: &str = "allow";

/// Reads the migrations in `folder`, sorted by version. Files that do not end in `.sql` are passed over; a folder that
/// does not exist holds none.
///
/// # Errors
/// A file that cannot be read or is larger than 16 MiB, a name that does not follow `NNNN_name.sql`, two files of one
/// number, an unknown `-- freehold:` comment, and statements that cannot work here: `begin` and its like, psql's
/// commands, `copy … from stdin`.
pub fn plan(folder: &Path) -> Result<Vec<File>> {
    let mut files: Vec<File> = paths(folder)?
        .into_iter()
        .map(|path| read(&path))
        .collect::<Result<_>>()?;
    files.sort_by_key(|file| file.version);
    for pair in files.windows(2) {
        if pair[0].version == pair[1].version {
            return Err(Error::Duplicate {
                first: pair[0].path.clone(),
                second: pair[1].path.clone(),
            });
        }
    }
    Ok(files)
}

/// The SQL files of a folder, by name.
pub(super) fn paths(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |source| Error::Read {
        path: folder.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let is_sql = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("sql"));
        if is_sql && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The number and the name in a file's name.
pub(super) fn parse_name(path: &Path) -> Result<(Version, String)> {
    let parsed = path.file_name().and_then(|name| name.to_str()).and_then(|name| {
        let (number, name) = name.strip_suffix(".sql")?.split_once('_')?;
        let is_number = DIGITS.contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let version: i32 = number.parse().ok()?;
        (is_number && is_name && version > 0).then(|| (Version(version), name.to_owned()))
    });
    parsed.ok_or_else(|| Error::FileName { path: path.to_owned() })
}

fn read(path: &Path) -> Result<File> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let (version, name) = parse_name(path)?;
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            bytes,
            most: FILE_BYTES_MAX,
        });
    }
    let text =
        String::from_utf8(fs::read(path).map_err(failed)?).map_err(|_| Error::NotText { path: path.to_owned() })?;
    let text = normalise(&text);
    let mode = mode(path, &text)?;
    refuse(path, &text)?;
    Ok(File {
        version,
        name,
        path: path.to_owned(),
        checksum: checksum(&text),
        text,
        mode,
    })
}

/// How the file's first line wants it to run.
fn mode(path: &Path, text: &str) -> Result<Mode> {
    let first = text.lines().next().unwrap_or_default().trim();
    let setting = first
        .strip_prefix("--")
        .and_then(|comment| comment.trim_start().strip_prefix("freehold:"));
    match setting.map(str::trim) {
        None => Ok(Mode::Transaction),
        Some(NO_TRANSACTION) => Ok(Mode::NoTransaction),
        // About the first statement, for `freehold check`.
        Some(setting) if setting.split_whitespace().next() == Some(ALLOW) => Ok(Mode::Transaction),
        Some(other) => Err(Error::Directive {
            path: path.to_owned(),
            found: other.to_owned(),
        }),
    }
}

/// Refuses what cannot work in a migration.
fn refuse(path: &Path, text: &str) -> Result<()> {
    let split = split(text);
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let path = path.to_owned();
    if let Some(at) = split.backslash {
        let command = text[at..].lines().next().unwrap_or_default().trim();
        return Err(Error::Psql {
            path,
            line: line(at),
            command: command.to_owned(),
        });
    }
    for statement in &split.statements {
        if controls_transaction(statement) {
            return Err(Error::TransactionControl {
                path,
                line: line(statement.start),
                statement: statement.words.join(" "),
            });
        }
        if statement.begins(&["copy"]) && statement.words.windows(2).any(|pair| pair == ["from", "stdin"]) {
            return Err(Error::CopyFromStdin {
                path,
                line: line(statement.start),
            });
        }
    }
    Ok(())
}

/// Whether a statement would begin or end the transaction the file runs in. Savepoints may stay.
fn controls_transaction(statement: &Statement) -> bool {
    let first = statement.words.first().map(String::as_str);
    match first {
        Some("begin" | "commit" | "end" | "abort") => true,
        Some("rollback") => !statement.has("to"),
        _ => statement.begins(&["start", "transaction"]) || statement.begins(&["prepare", "transaction"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        match refuse(Path::new("0001_a.sql"), text) {
            Ok(()) => String::new(),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_line() {
        assert!(refusal("select 1;\n\nBEGIN;").starts_with("0001_a.sql:3: `begin`"));
        assert!(refusal("select 1;\ncommit and chain").contains(":2: `commit and chain`"));
        assert!(refusal("\\i other.sql\n").contains(":1: `\\i other.sql` is a command of psql"));
        assert!(refusal("copy t (a) from stdin;").contains("needs psql"));
        for fine in [
            "savepoint a; rollback to a;",
            "do $$ begin perform 1; end $$;",
            "create function f() returns int begin atomic select 1; end;",
            "comment on table t is 'begin; \\i';",
        ] {
            assert_eq!(refusal(fine), "", "{fine}");
        }
    }

    #[test]
    fn names_follow_the_pattern() -> Result<()> {
        let (version, name) = parse_name(Path::new("x/0012_add_2_totals.sql"))?;
        assert_eq!((version, name.as_str()), (Version(12), "add_2_totals"));
        for wrong in [
            "1_a.sql",
            "0000_a.sql",
            "0001-a.sql",
            "0001_A.sql",
            "0001_.sql",
            "0001_a.SQL",
            "abcd_a.sql",
            "+001_a.sql",
        ] {
            assert!(parse_name(Path::new(wrong)).is_err(), "{wrong}");
        }
        Ok(())
    }

    #[test]
    fn the_first_line_says_how_a_file_runs() -> Result<()> {
        let path = Path::new("0001_a.sql");
        assert_eq!(
            mode(path, "-- freehold: no-transaction\nselect 1")?,
            Mode::NoTransaction
        );
        assert_eq!(mode(path, "-- a comment")?, Mode::Transaction);
        let allowed = "-- freehold: allow ban-drop-column: nothing names it";
        assert_eq!(mode(path, allowed)?, Mode::Transaction);
        assert!(mode(path, "--freehold: no_transaction").is_err());
        Ok(())
    }
}
