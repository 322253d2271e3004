//! What can go wrong with a private server; every message names the thing and the remedy, none a password.

use std::path::PathBuf;

/// Why a private server could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// PostgreSQL is not installed, as far as the search goes.
    #[error(
        "no PostgreSQL server programs (initdb, postgres, pg_ctl) on this machine; looked in {searched}; install them with `{install}`, \
         or name their folder in FREEHOLD_PG_BIN, or give a server in system.toml under [postgres] url"
    )]
    NoBinaries {
        /// The folders that were searched.
        searched: String,
        /// The command that installs PostgreSQL on this machine.
        install: String,
    },
    /// `FREEHOLD_PG_BIN` names a folder without the programs.
    #[error("FREEHOLD_PG_BIN is {}, which has no {program}; name the folder that holds initdb, postgres and pg_ctl, or unset it", folder.display())]
    DemandedBinaries {
        /// The folder named.
        folder: PathBuf,
        /// The first program missing there.
        program: &'static str,
    },
    /// The programs are there but too old.
    #[error("{} holds PostgreSQL {found}, but {least} or newer is needed; install it with `{install}`", folder.display())]
    OldBinaries {
        /// Where they are.
        folder: PathBuf,
        /// Their version, as they print it.
        found: String,
        /// The oldest major version that will do.
        least: u32,
        /// The command that installs PostgreSQL on this machine.
        install: String,
    },
    /// The data were written by a major version of PostgreSQL that this machine does not have.
    #[error(
        "{} was written by PostgreSQL {data_major}, but this machine has {have}; to keep the data, install PostgreSQL {data_major} \
         (or set FREEHOLD_PG_BIN to its bin folder), or dump with it and restore into a new server; to lose the data, delete {}",
        data.display(), data.display()
    )]
    OtherMajor {
        /// The data folder.
        data: PathBuf,
        /// Its major version.
        data_major: String,
        /// The major versions found.
        have: String,
    },
    /// Something that is no data folder stands where the data should be.
    #[error("{} is not a PostgreSQL data folder (it has no PG_VERSION); move it away and start again", path.display())]
    NotData {
        /// The folder.
        path: PathBuf,
    },
    /// A disk is full.
    #[error("no space left on the disk of {}; free some and start again, nothing committed is lost{tail}", path.display())]
    DiskFull {
        /// Where space was needed.
        path: PathBuf,
        /// The last lines of the log, each on a line of its own; empty if there are none.
        tail: String,
    },
    /// The system refuses us.
    #[error("not permitted: {} ({reason}); {remedy}", path.display())]
    NotPermitted {
        /// What we may not touch.
        path: PathBuf,
        /// What the system says.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// `initdb` failed.
    #[error("initdb could not create {}{tail}", data.display())]
    Init {
        /// The data folder.
        data: PathBuf,
        /// What it printed.
        tail: String,
    },
    /// PostgreSQL did not start.
    #[error("PostgreSQL on {} did not start; the end of its log in {}:{tail}", data.display(), log.display())]
    Start {
        /// The data folder.
        data: PathBuf,
        /// The folder of its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// PostgreSQL is still recovering after the longest wait we allow.
    #[error("PostgreSQL on {} is not ready after {seconds} s and goes on recovering; start again in a while, its log is in {}{tail}", data.display(), log.display())]
    StartSlow {
        /// The data folder.
        data: PathBuf,
        /// The folder of its log.
        log: PathBuf,
        /// How long we waited.
        seconds: u64,
        /// The last lines of the log.
        tail: String,
    },
    /// PostgreSQL did not stop.
    #[error("PostgreSQL on {} (process {pid}) has not stopped after {seconds} s; stop it with Stop::Immediate, which recovers at the next start", data.display())]
    StopSlow {
        /// The data folder.
        data: PathBuf,
        /// Its first process.
        pid: i32,
        /// How long we waited.
        seconds: u64,
    },
    /// Another freehold runs this folder.
    #[error("another freehold (process {pid}) is running {}; stop it first, or use it", folder.display())]
    AnotherUp {
        /// The state folder.
        folder: PathBuf,
        /// The other process, as it wrote it down.
        pid: String,
    },
    /// The folder for the socket belongs to somebody else.
    #[error("{} belongs to {owner}, so the socket would not be safe there; remove it and start again", path.display())]
    RuntimeFolder {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: String,
    },
    /// The data are there, the administrator's password is not.
    #[error("{} is missing though its server has data; bring the file back from a backup, or delete the data to begin anew", path.display())]
    NoPassword {
        /// The password file.
        path: PathBuf,
    },
    /// A name that cannot stand in `pg_hba.conf`.
    #[error("{name:?} cannot stand in an access rule; use a name without quotes and control characters")]
    Name {
        /// The name.
        name: String,
    },
    /// PostgreSQL did not take the new access rules.
    #[error("PostgreSQL did not take the new access rules ({reason}); the former ones still hold")]
    Access {
        /// Why.
        reason: String,
    },
    /// The administrator's connection failed.
    #[error("the administrator's connection failed: {}", explain(.0))]
    Connection(#[from] tokio_postgres::Error),
    /// A program could not be run at all.
    #[error("cannot run {}: {source}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// A result of this module.
pub(super) type Result<T, E = Error> = std::result::Result<T, E>;

/// What the server said, if it said something, else what the driver says.
fn explain(error: &tokio_postgres::Error) -> String {
    use std::error::Error as _;
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => said.message().to_owned(),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}
