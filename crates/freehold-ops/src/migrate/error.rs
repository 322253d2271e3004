//! What can go wrong with migrations; every message names the file or the service, and the remedy.

use super::fault::Fault;
use super::file::Version;
use std::path::PathBuf;

/// Why a service's migrations could not be read or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder or a file could not be read or written.
    #[error("{}: {source}", path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is not UTF-8.
    #[error("{} is not UTF-8; save it as UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// A file is too large for a migration.
    #[error("{} has {bytes} bytes, a migration at most {most}; load data by other means", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        most: u64,
    },
    /// A file's name does not follow the pattern.
    #[error("{} is not named like a migration; expected NNNN_name.sql, a number of 4 to 9 digits from 0001 and a name of a-z, 0-9 and _, such as 0002_add_totals.sql", path.display())]
    FileName {
        /// The file.
        path: PathBuf,
    },
    /// Two files have one number.
    #[error("{} and {} have the same number; give the newer one the next free number", first.display(), second.display())]
    Duplicate {
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// The comment in the first line is none we know.
    #[error("{}:1: unknown setting {found:?} after `-- freehold:`; the only one is no-transaction", path.display())]
    Directive {
        /// The file.
        path: PathBuf,
        /// What stands there.
        found: String,
    },
    /// The file begins or ends transactions.
    #[error("{}:{line}: `{statement}` in a migration; each file is one transaction already, so remove it, or split the file", path.display())]
    TransactionControl {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The statement's first words.
        statement: String,
    },
    /// The file holds a command of psql.
    #[error("{}:{line}: `{command}` is a command of psql, not SQL; write the SQL itself", path.display())]
    Psql {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The command.
        command: String,
    },
    /// The file reads data the way psql does.
    #[error("{}:{line}: `copy … from stdin` needs psql; write `insert into … values …`", path.display())]
    CopyFromStdin {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An applied file is not what it was.
    #[error(
        "{service}: {file} has changed since it was applied; restore it (git checkout) and put the change into a new migration"
    )]
    Changed {
        /// The service.
        service: String,
        /// The file's name.
        file: String,
    },
    /// An applied file is gone.
    #[error(
        "{service}: {file} was applied, but is not among the files any more; restore it (git checkout), or run the version of the code that has it"
    )]
    Missing {
        /// The service.
        service: String,
        /// The file's name when it was applied.
        file: String,
    },
    /// A new file is numbered below an applied one.
    #[error("{service}: {file} is new, but {applied} has been applied already; rename it to a number above {applied}")]
    OutOfOrder {
        /// The service.
        service: String,
        /// The new file's name.
        file: String,
        /// The last applied version.
        applied: Version,
    },
    /// The wanted version lies in the past.
    #[error("{service} stands at {current}, above {to}: down migrations do not exist; write a new one")]
    Down {
        /// The service.
        service: String,
        /// Where it stands.
        current: Version,
        /// What was asked for.
        to: Version,
    },
    /// The wanted version is no file's.
    #[error("{service} has no migration {to}; its last is {last}")]
    NoVersion {
        /// The service.
        service: String,
        /// What was asked for.
        to: Version,
        /// The last file's name, or `none`.
        last: String,
    },
    /// The service's schema does not exist.
    #[error("{service}: schema {schema} does not exist; run `freehold provision` first")]
    NoSchema {
        /// The service.
        service: String,
        /// The schema.
        schema: String,
    },
    /// Another runner is at work.
    #[error("{service} is being migrated by {holder}, and was after {seconds} s still; wait for it and run again")]
    Busy {
        /// The service.
        service: String,
        /// Who holds the lock, as far as PostgreSQL tells.
        holder: String,
        /// How long we waited.
        seconds: u64,
    },
    /// The database cannot be reached, or the connection broke. What was not recorded was not applied, except the
    /// statements of a file without a transaction; run again.
    #[error("{service}: {}", explain(.source))]
    Connection {
        /// The service.
        service: String,
        /// What the driver says.
        source: tokio_postgres::Error,
    },
    /// PostgreSQL refused a statement of a file.
    #[error("{0}")]
    Failed(Box<Fault>),
    /// Every try met a lock held by somebody else.
    #[error(
        "{fault}\n  tried {tries} times; another session holds a lock on what this statement changes: end its transaction (select * from pg_stat_activity where state <> 'idle') and run again"
    )]
    Locked {
        /// The statement that waited, in the last try.
        fault: Box<Fault>,
        /// How often it was tried.
        tries: u32,
    },
    /// The name of a new migration is not fit for a file.
    #[error(
        "{name:?} cannot name a migration; use a-z, 0-9 and _, beginning with a letter, at most {most} characters: {suggestion}"
    )]
    Slug {
        /// The name.
        name: String,
        /// The longest name.
        most: usize,
        /// A name that would do.
        suggestion: String,
    },
}

/// A result of this module.
pub(super) type Result<T, E = Error> = std::result::Result<T, E>;

/// What the server said with its code, if it said something, else what the driver says. Never a password: neither
/// holds one.
fn explain(error: &tokio_postgres::Error) -> String {
    use std::error::Error as _;
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => format!("{} ({})", said.message(), said.code().code()),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}
