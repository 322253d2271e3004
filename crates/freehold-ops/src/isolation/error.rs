//! Why the attacks could not be run at all.

use crate::provision::{self, told};

/// Why isolation could not be verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The administrator cannot look at the field.
    #[error(
        "cannot look at database {database} of {cluster}: {}; provision and migrate the system first",
        told(source)
    )]
    Look {
        /// The server.
        cluster: String,
        /// The database.
        database: String,
        /// Why.
        source: tokio_postgres::Error,
    },
    /// A service cannot enter its own database: every attack of it would be refused for that reason alone.
    #[error(
        "{role} cannot enter its own database {database}: {}; run `freehold provision` and see that the secrets are the server's",
        told(source)
    )]
    LockedOut {
        /// The role.
        role: String,
        /// The database.
        database: String,
        /// Why.
        source: tokio_postgres::Error,
    },
    /// A wall could not be opened or closed again.
    #[error("cannot run `{statement}` in database {database}: {}", told(source))]
    Plant {
        /// The database.
        database: String,
        /// The statement.
        statement: String,
        /// Why.
        source: tokio_postgres::Error,
    },
    /// A plant that this placement has no wall for.
    #[error("{plant} opens nothing in placement {placement}: choose another one")]
    NoWall {
        /// The plant.
        plant: &'static str,
        /// The placement.
        placement: &'static str,
    },
    /// A name that is no plant.
    #[error("there is no plant {name}: choose one of {known}")]
    UnknownPlant {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The servers or the secrets are not known.
    #[error(transparent)]
    Provision(#[from] provision::Error),
}

impl From<crate::secrets::Error> for Error {
    fn from(error: crate::secrets::Error) -> Self {
        Self::Provision(error.into())
    }
}
