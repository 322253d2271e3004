//! What the notes service does besides serving its tables: a note is edited, and read as it was.
//!
//! An [`edit`] is an event of the note's stream. What the note says now is folded from them in the database; what it said at a
//! version, here. [`routes`] lets nobody edit what another edited meanwhile, and shows both texts to whoever tried.

pub mod edit;
pub mod routes;

use freehold::{Result, Service};

/// The service, its settings read from the environment.
///
/// # Errors
/// [`freehold::Error::Setting`] names a variable that is missing.
pub fn service() -> Result<Service> {
    Ok(behaving(Service::open(include_str!("../freehold.toml"))?))
}

/// Adds to a service what this one does.
#[must_use]
pub fn behaving(service: Service) -> Service {
    service.routes(routes::routes())
}
