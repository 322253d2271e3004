//! What pending migrations will do: statement by statement, with locks and with those who hear of the table.

use freehold_manifest::locks::{self, Statement};
use freehold_manifest::model::{System, TableName};
use freehold_manifest::{ServiceSource, SourceFile};

use super::file::{File, Mode};

/// A pending migration of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// The service.
    pub service: String,
    /// The file's name.
    pub file: String,
    /// How it runs.
    pub mode: Mode,
    /// Its statements; none if they could not be read.
    pub statements: Option<Vec<Statement>>,
}

/// Looks at the pending files of a service, which [`dry_run`](super::dry_run()) names, beside all of its migrations.
#[must_use]
pub fn outlook(service: &str, source: &ServiceSource, pending: &[File]) -> Vec<Outlook> {
    let all = locks::of_migrations(&source.migrations);
    let of = |name: &str| {
        let named = |file: &SourceFile| file.path.rsplit('/').next() == Some(name);
        let at = source.migrations.iter().position(named)?;
        all.get(at).cloned().flatten()
    };
    pending
        .iter()
        .map(|file| Outlook {
            service: service.to_owned(),
            statements: of(&file.file_name()),
            file: file.file_name(),
            mode: file.mode,
        })
        .collect()
}

/// The services that keep copies of a table, hold ids of its rows or hear of their changes.
#[must_use]
pub fn hearing<'s>(system: &'s System, owner: &str, table: &str) -> Vec<&'s str> {
    let of = TableName {
        service: owner.to_owned(),
        table: table.to_owned(),
    };
    let topics = [of.to_string(), format!("{of}.changed"), format!("{of}.deleted")];
    let others = system.services.iter().filter(|service| service.name != owner);
    let hears = others.filter(|service| {
        service.copy_of(&of).is_some()
            || service.owns.iter().flat_map(|owned| &owned.refs).any(|r| r.to == of)
            || service.subscribes.iter().any(|topic| topics.contains(topic))
    });
    hears.map(|service| service.name.as_str()).collect()
}
