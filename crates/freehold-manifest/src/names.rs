//! The names a service has in PostgreSQL: database, schemas and roles, all derived from system and service.
//!
//! Never the bare service name: `order` and `user` are reserved words.

use crate::model::{Placement, Service, System};

/// What a service is called in PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// `shop_order`: the prefix of all the others.
    pub prefix: String,
    /// The database that holds the service's tables.
    pub database: String,
    /// The schema of the service's own tables and copies.
    pub schema: String,
    /// The schema of the library's tables (outbox, log, cursor …).
    pub freehold: String,
    /// The schema of tables that are being filled anew, under their own names.
    pub shadow: String,
    /// Owns every object; cannot log in.
    pub owner: String,
    /// May become the owner; used while migrating only.
    pub migrator: String,
    /// The API and the handlers.
    pub app: String,
    /// Checks and backups: reads everything, writes nothing.
    pub reader: String,
}

impl Names {
    /// The names of `service` in `system`, by its placement.
    #[must_use]
    pub fn of(system: &System, service: &Service) -> Self {
        Self::new(&system.name, &service.name, system.postgres.placement)
    }

    /// The names of a service by the bare names of system and service.
    #[must_use]
    pub fn new(system: &str, service: &str, placement: Placement) -> Self {
        let prefix = format!("{system}_{service}");
        let (database, schema, freehold) = match placement {
            Placement::Server | Placement::Database => (prefix.clone(), "public".to_owned(), "freehold".to_owned()),
            Placement::Schema => (system.to_owned(), prefix.clone(), format!("{prefix}_freehold")),
        };
        let shadow = shadow_of(&freehold);
        Self {
            owner: format!("{prefix}_owner"),
            migrator: format!("{prefix}_migrator"),
            app: format!("{prefix}_app"),
            reader: format!("{prefix}_reader"),
            prefix,
            database,
            schema,
            freehold,
            shadow,
        }
    }
}

/// The schema of shadows beside the library's: `freehold_shadow`, or `shop_order_shadow` beside `shop_order_freehold`.
#[must_use]
pub fn shadow_of(freehold: &str) -> String {
    match freehold.strip_suffix("_freehold") {
        Some(prefix) => format!("{prefix}_shadow"),
        None => format!("{freehold}_shadow"),
    }
}
