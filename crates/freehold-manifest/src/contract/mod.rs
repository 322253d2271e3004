//! What a service promises others: the tables and columns it publishes, the events it sends, the commands it obeys.
//!
//! `contract.toml` beside the manifest states what was promised last; the manifest and the migrations say what holds now. What holds now may
//! be more, never less, while somebody uses it. The file is written by `freehold check --accept` and committed, so that a
//! change of a contract is a change that somebody reviews.

mod now;
mod types;
mod used;
mod write;

pub(crate) use now::{number, of_service};
pub(crate) use types::{Fit, fit, is_rewritten, plain};
pub(crate) use used::{Consumer, of_column, of_command, of_event, of_key, of_table, said};

use crate::model::Command;

/// What a service promises others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// The service.
    pub service: String,
    /// The number of its last migration; 0 if it has none.
    pub migration: u64,
    /// The tables it publishes, in the declared order.
    pub tables: Vec<PublishedTable>,
    /// The domain events it sends.
    pub events: Vec<String>,
    /// What events hold, where that is declared: by name, its fields.
    pub payloads: Vec<(String, Vec<PublishedColumn>)>,
    /// The commands it obeys, and from whom.
    pub commands: Vec<Command>,
}

/// A table of which others may keep copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedTable {
    /// Name in SQL.
    pub name: String,
    /// Columns of the primary key; none if it cannot be told.
    pub key: Vec<String>,
    /// The published columns, in the declared order.
    pub columns: Vec<PublishedColumn>,
}

/// A published column, or a field of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedColumn {
    /// Name in SQL.
    pub name: String,
    /// Its type by PostgreSQL's own name, `not null` after it if it is so: `numeric(12,2) not null`. Empty if it cannot be told.
    pub ty: String,
}

impl Contract {
    /// Whether others are promised anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.events.is_empty() && self.commands.is_empty()
    }

    /// What that event holds, where it is declared.
    #[must_use]
    pub fn payload(&self, event: &str) -> Option<&[PublishedColumn]> {
        let (_, fields) = self.payloads.iter().find(|(name, _)| name == event)?;
        Some(fields)
    }

    /// The published table of that name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&PublishedTable> {
        self.tables.iter().find(|table| table.name == name)
    }
}

impl PublishedTable {
    /// The published column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&PublishedColumn> {
        self.columns.iter().find(|column| column.name == name)
    }
}
