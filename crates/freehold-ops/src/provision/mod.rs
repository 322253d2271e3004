//! Provisioning: databases, roles and schemas of a system, made so that a service reaches its own and nothing else.
//!
//! [`plan()`] says what is missing, [`apply`] does it; both compare with the catalogue, so a second run has nothing to do.
//! Nothing here ever drops a database, a schema or a role: what the manifest no longer has is reported as a
//! [`Note`]. What others granted across the walls is revoked. A run that dies is continued by the next one.

// the words
mod error;
mod sql;
mod statement;
// where
mod cluster;
// what is wanted
mod access;
mod databases;
mod roles;
mod schemas;
mod subject;
// what is found
mod notes;
mod server;
mod strays;
// doing it
mod plan;
mod session;

pub use access::{access_of, access_on};
pub use cluster::{Cluster, Clusters, Hold};
pub use error::Error;
pub use notes::Note;
pub use plan::{Plan, apply, plan};
pub use sql::{identifier, literal};
pub use statement::Statement;

pub(crate) use session::{connect, told};

/// The oldest PostgreSQL: before 15 everyone may create objects in schema `public`, and only its superuser can hand
/// that schema to a service.
pub const VERSION_MIN: i32 = 150_000;
