//! Who may enter which database: what a private server's `pg_hba.conf` is written from.

use crate::postgres::AccessRule;
use crate::secrets::Login;
use freehold_manifest::model::{Service, System};
use freehold_manifest::names::Names;

/// The pairs of database and role of a whole system: what a server that holds all its services lets in.
#[must_use]
pub fn access_of(system: &System) -> Vec<AccessRule> {
    let services: Vec<_> = system.services.iter().collect();
    access_on(system, &services)
}

/// The pairs of database and role of some services: what the server that holds them lets in.
#[must_use]
pub fn access_on(system: &System, services: &[&Service]) -> Vec<AccessRule> {
    let rule = |names: &Names, login: Login| AccessRule {
        database: names.database.clone(),
        role: login.role(names).to_owned(),
    };
    services
        .iter()
        .map(|service| Names::of(system, service))
        .flat_map(|names| Login::ALL.map(|login| rule(&names, login)))
        .collect()
}
