//! What can go wrong in a service, each with the place and the remedy.

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
