//! The ground floor: what the library knows about PostgreSQL itself.
//!
//! Only this module quotes identifiers ([`ident`]), and only here is the shape of the tables read
//! ([`catalog`]); everything above works with names that came from the server.

pub mod catalog;
pub mod ident;

/// What can go wrong on the ground floor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused a statement, or the connection was lost.
    #[error("postgresql refused to describe schema {schema}: {source}")]
    Catalog {
        /// The data schema that was read.
        schema: String,
        /// What the driver said.
        source: tokio_postgres::Error,
    },
    /// The data schema is not there.
    #[error("schema {schema} does not exist: run the service's migrations first")]
    NoSchema {
        /// The data schema that was asked for.
        schema: String,
    },
}

/// Puts a statement into its placement: statements name the library's schema `freehold`, and where several services
/// share a database it is called otherwise.
#[must_use]
pub fn place<'s>(sql: &'s str, freehold: &str) -> std::borrow::Cow<'s, str> {
    if freehold == "freehold" {
        return sql.into();
    }
    sql.replace("freehold.", &format!("{}.", ident::quote(freehold))).into()
}
