//! What can go wrong in a service, each with the place and the remedy.

use tokio_postgres::error::SqlState;

/// What the library's functions and a service's own return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A business "no": not a fault. Returned as an error so that `?` carries it and what was written is rolled back.
///
/// `code` is for programs (`out_of_stock`), `detail` for people.
#[must_use]
pub fn refuse(code: impl Into<String>, detail: impl Into<String>) -> Error {
    Error::Refused {
        code: code.into(),
        detail: detail.into(),
    }
}

/// An error of the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The manifest asks for what the database or an owner's contract does not have.
    #[error("service {service}: {problem}; {remedy}")]
    Install {
        /// The service being installed.
        service: String,
        /// What does not fit.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// The ground floor failed.
    #[error(transparent)]
    Pg(#[from] crate::pg::Error),
    /// PostgreSQL refused a statement or the connection was lost.
    #[error("postgresql: {}", describe(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// No connection could be had from the pool.
    #[error("no connection to the database: {0}")]
    Pool(deadpool_postgres::PoolError),
    /// A producer's feed answered what the protocol does not allow.
    #[error("feed of {producer}: {problem}")]
    Feed {
        /// The producer.
        producer: String,
        /// What it answered.
        problem: String,
    },
    /// A producer's log is not the one that was followed: a position is missing, or it was restored.
    #[error("log of {producer}: {problem}")]
    Diverged {
        /// The producer.
        producer: String,
        /// What shows it.
        problem: String,
    },
    /// A producer could not be reached.
    #[error("feed of {producer} cannot be reached: {source}")]
    Unreachable {
        /// The producer.
        producer: String,
        /// What the HTTP client said.
        source: reqwest::Error,
    },
    /// A business "no"; see [`refuse`].
    #[error("{code}: {detail}")]
    Refused {
        /// For programs: `out_of_stock`.
        code: String,
        /// For people.
        detail: String,
    },
    /// A body is not what its type says.
    #[error("a body cannot be read or written: {0}")]
    Body(#[from] serde_json::Error),
    /// A fault of the service's own code.
    #[error("{0}")]
    Other(Box<dyn std::error::Error + Send + Sync>),
    /// What the code registers and what the manifest or the database says do not agree.
    #[error("{problem}; {remedy}")]
    Behaviour {
        /// What does not agree.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// A saga was started by a newer release of this service; this one leaves it alone.
    #[error("saga {saga} is of version {version}, which this release of the service does not know")]
    Newer {
        /// The saga's name.
        saga: String,
        /// Its version.
        version: u32,
    },
    /// A stream is not at the version that an append expected: what was decided rests on a state that is gone. Load it again,
    /// and decide anew, in another transaction.
    #[error("stream {stream} of {key} is at version {current}, not at the one that was expected")]
    Conflict {
        /// The stream's name.
        stream: &'static str,
        /// The aggregate's key.
        key: String,
        /// The version of its last event; 0 where it has none.
        current: i64,
    },
    /// A handler took too long or panicked.
    #[error("the handler {0}")]
    Abandoned(String),
    /// The transaction's connection is gone.
    #[error("the transaction has ended")]
    Gone,
    /// A setting is missing or wrong.
    #[error("{name}: {problem}")]
    Setting {
        /// The environment variable.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The socket could not be opened, or serving failed.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Error {
    /// A fault of the service's own code, for `map_err(Error::other)`.
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }

    pub(crate) fn panicked() -> Self {
        Self::Abandoned("panicked; the log of the service has more".to_owned())
    }

    /// What is written down of it: no NUL, which PostgreSQL's text cannot hold, and not more than [`TOLD_BYTES_MAX`].
    pub(crate) fn told(&self) -> String {
        told(&self.to_string())
    }

    /// Whether it is transient for one row, key or saga only: a reference whose copy is filled anew, a lock that somebody
    /// holds, a newer release's saga. Others need not wait for it.
    pub(crate) fn is_of_one(&self) -> bool {
        match self {
            Self::Newer { .. } => true,
            Self::Postgres(error) => error
                .code()
                .is_some_and(|code| matches!(code.code(), "55P03" | "FH006" | "FH007")),
            _ => false,
        }
    }

    /// Whether the same work may succeed if it is simply done again: a lost race, a lost connection, a database that
    /// starts or is overloaded, a copy that is still being filled. Anything else is the message's own fault.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Postgres(error) => error.code().map_or_else(|| is_lost(error), is_transient_code),
            Self::Pool(_) | Self::Newer { .. } | Self::Gone => true,
            _ => false,
        }
    }

    /// Whether the statement lost against another one and may be repeated at once.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        let Self::Postgres(error) = self else {
            return false;
        };
        error.code().is_some_and(|code| {
            *code == SqlState::T_R_DEADLOCK_DETECTED || *code == SqlState::T_R_SERIALIZATION_FAILURE
        })
    }
}

/// Bytes of an error that are written down.
const TOLD_BYTES_MAX: usize = 4096;

/// A text as it is written down.
pub(crate) fn told(text: &str) -> String {
    let cut = &text[..text.floor_char_boundary(TOLD_BYTES_MAX)];
    cut.replace('\0', "\u{2400}")
}

/// The driver's own errors are of the connection, unless they are about a value of ours.
fn is_lost(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>())
}

fn is_transient_code(code: &SqlState) -> bool {
    let code = code.code();
    // Connection, resources, shutdown and start; serialization and deadlock; lock not available.
    ["08", "53", "40", "57P"].iter().any(|class| code.starts_with(class))
        || matches!(code, "55P03" | "FH006" | "FH007" | "FH010")
}

/// The server's own words, where the driver says only "db error".
fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} ({})", db.message(), db.code().code()),
        None => match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}

impl From<deadpool_postgres::PoolError> for Error {
    /// What PostgreSQL says of a new connection says more than the pool.
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(cause) => Self::Postgres(cause),
            other => Self::Pool(other),
        }
    }
}
