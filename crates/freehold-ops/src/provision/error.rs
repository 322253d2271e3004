//! What can go wrong while provisioning. No message holds a password or a verifier.

use super::session::told;

/// Why a system could not be provisioned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The administrator cannot connect.
    #[error(
        "cannot connect to database {database} of {cluster}: {}; see that the server runs, that the administrator's url is right, and that FREEHOLD_POSTGRES_PASSWORD or PGPASSWORD has the password, if it asks for one",
        told(source)
    )]
    Connect {
        /// The server.
        cluster: String,
        /// The database.
        database: String,
        /// Why.
        source: tokio_postgres::Error,
    },
    /// A statement was refused.
    #[error("database {database} of {cluster} refused `{statement}`: {}", told(source))]
    Refused {
        /// The server.
        cluster: String,
        /// The database.
        database: String,
        /// What was run, without secrets.
        statement: String,
        /// Why.
        source: tokio_postgres::Error,
    },
    /// The server is too old.
    #[error("{cluster} runs PostgreSQL {version}: 15 or newer is needed")]
    OldServer {
        /// The server.
        cluster: String,
        /// Its version.
        version: String,
    },
    /// The administrator may not do what provisioning needs.
    #[error(
        "role {role} on {cluster} lacks {missing}: use a superuser, or run `alter role \"{role}\" createdb createrole` as one"
    )]
    Powerless {
        /// The server.
        cluster: String,
        /// The administrator.
        role: String,
        /// The missing attributes.
        missing: String,
    },
    /// No server was given for a service.
    #[error("no server is given for service {service}: start one for it, or choose another placement")]
    NoCluster {
        /// The service.
        service: String,
    },
    /// A database holds an extension that leads to other databases.
    #[error(
        "database {database} has extension {extension}, a way to other databases and files: run `drop extension {extension}` in it, what uses it must go first"
    )]
    Extension {
        /// The database.
        database: String,
        /// The extension.
        extension: String,
    },
    /// A secret is missing.
    #[error(transparent)]
    Secrets(#[from] crate::secrets::Error),
}
