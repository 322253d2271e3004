//! Creating the data folder: `initdb` beside it, then one rename.

use super::ADMIN;
use super::access;
use super::binaries::Binaries;
use super::error::{Error, Result};
use super::files::{self, at, tells_of_full_disk};
use super::place::Place;
use super::settings;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Best first. Both sort by code point, so no upgrade of the system's libraries reorders an index.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];

/// Creates the data folder if there is none, and makes sure that one that exists fits the programs.
///
/// A crash at any moment leaves either no `data` or a whole one; `data.new` is thrown away by the next call.
pub(super) async fn ensure(place: &Place, binaries: &Binaries, password: &str) -> Result<()> {
    let data = place.data();
    if let Some(major) = written_by(&data)? {
        return if major == binaries.major.to_string() {
            Ok(())
        } else {
            Err(Error::OtherMajor {
                data,
                data_major: major,
                have: binaries.major.to_string(),
            })
        };
    }
    let fresh = place.root.join("data.new");
    files::remove_folder(&fresh).await?;
    fs::DirBuilder::new().mode(0o700).create(&fresh).map_err(at(&fresh))?;
    place.runner.own(&fresh)?;
    let note = place.root.join("initdb.password");
    files::write_whole(&note, password, 0o600, &place.runner)?;
    let created = create(place, binaries, &fresh, &note).await;
    files::remove_file(&note)?;
    if let Err(e) = created {
        // The error to tell is the first one.
        let _ = files::remove_folder(&fresh).await;
        return Err(e);
    }
    fs::rename(&fresh, &data).map_err(at(&data))?;
    files::sync_parent(&data)?;
    tracing::info!(data = %data.display(), version = binaries.version, "created the data folder");
    Ok(())
}

/// The major version that wrote `data`; `None` if there are no data yet (an empty folder is none).
///
/// # Errors
/// [`Error::NotData`] if something else stands there.
pub(super) fn written_by(data: &Path) -> Result<Option<String>> {
    let mut entries = match fs::read_dir(data) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(at(data))?,
    };
    if entries.next().is_none() {
        return Ok(None);
    }
    match files::read_text(&data.join("PG_VERSION"))? {
        Some(major) => Ok(Some(major)),
        None => Err(Error::NotData { path: data.to_owned() }),
    }
}

/// The programs for the data that exist; `None` if there are no data yet.
pub(super) fn fitting(data: &Path, found: Vec<Binaries>) -> Result<Option<Binaries>> {
    let Some(major) = written_by(data)? else {
        return Ok(None);
    };
    let mut have: Vec<_> = found.iter().map(|b| b.major.to_string()).collect();
    have.dedup();
    let fits = found.into_iter().find(|b| b.major.to_string() == major);
    fits.map(Some).ok_or_else(|| Error::OtherMajor {
        data: data.to_owned(),
        data_major: major,
        have: have.join(", "),
    })
}

/// Runs `initdb`, with the next locale if the system does not know the first.
async fn create(place: &Place, binaries: &Binaries, fresh: &Path, note: &Path) -> Result<()> {
    let program = binaries.program("initdb");
    let mut said = String::new();
    for locale in LOCALES {
        let mut command = place.runner.command(&program, Path::new("/"));
        command
            .arg("--pgdata")
            .arg(fresh)
            .arg("--pwfile")
            .arg(note)
            .args(["--username", ADMIN, "--auth", "scram-sha-256"])
            .args(["--encoding", "UTF8", "--locale", locale])
            .args(["--data-checksums", "--no-instructions"])
            .kill_on_drop(true);
        let answer = command.output().await.map_err(|source| Error::Run {
            program: program.clone(),
            source,
        })?;
        if answer.status.success() {
            return configure(place, fresh);
        }
        said = String::from_utf8_lossy(&answer.stdout).into_owned();
        said.push_str(&String::from_utf8_lossy(&answer.stderr));
        if !said.contains("invalid locale name") {
            break;
        }
    }
    let lines: Vec<&str> = said.lines().collect();
    /// What initdb says last is the cause.
    const LINES_MAX: usize = 8;
    let tail = settings::indent(&lines[lines.len().saturating_sub(LINES_MAX)..]);
    let data = place.data();
    Err(if tells_of_full_disk(&said) {
        Error::DiskFull { path: data, tail }
    } else {
        Error::Init { data, tail }
    })
}

/// Makes the new folder ours: the included settings, and nobody but the administrator may enter.
fn configure(place: &Place, fresh: &Path) -> Result<()> {
    let main = fresh.join("postgresql.conf");
    let mut text = fs::read_to_string(&main).map_err(at(&main))?;
    text.push_str(&format!("\ninclude '{}'\n", settings::FILE));
    files::write_whole(&main, &text, 0o600, &place.runner)?;
    files::write_whole(&fresh.join("pg_hba.conf"), &access::render(&[])?, 0o600, &place.runner)
}
