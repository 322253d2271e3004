//! The shape of a service's tables, as the server has it.
//!
//! Read once when a service starts, and again after a migration: a column added in between is not served until then.

mod read;

use std::collections::BTreeMap;

pub use read::load;
pub(crate) use read::read_within;

/// The tables of one data schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Name to shape.
    pub tables: BTreeMap<String, TableShape>,
}

/// One table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableShape {
    /// The schema it stands in.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns, in the order of the table.
    pub columns: Vec<Column>,
    /// The columns of the primary key, in the order of the key; empty without one.
    pub key: Vec<String>,
    /// Foreign keys to tables of the same schema.
    pub foreign_keys: Vec<ForeignKey>,
    /// Constraints, and unique indexes that are none, by name.
    pub constraints: BTreeMap<String, Constraint>,
    /// Whether it has a `bigint` column `version`.
    pub has_version: bool,
    /// Which writes are followed by triggers of the service's own.
    pub after_triggers: AfterTriggers,
}

/// Which writes of a table run AFTER triggers that the service's migrations made.
///
/// Such a trigger may change the row that was written, and `returning` has been computed by then. The library's own do not
/// count: all they may do to the row is to lift its version over a tombstone's. Nor do those that wait for the commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AfterTriggers {
    /// An INSERT runs one.
    pub insert: bool,
    /// An UPDATE runs one.
    pub update: bool,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type for people: `character varying(10)`.
    pub type_name: String,
    /// Its type for a cast, qualified and without length, so that a cast never cuts a value short.
    pub cast: String,
    /// What the type is made of.
    pub kind: Kind,
    /// Whether null is refused.
    pub not_null: bool,
    /// The expression that fills it when no value is given, identity columns included.
    pub default_expr: Option<String>,
    /// Who fills it.
    pub filled: Filled,
}

/// What a type is made of, domains resolved to their base type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `text`, `varchar`, `citext` and their like.
    Text,
    /// `boolean`.
    Boolean,
    /// `json` and `jsonb`.
    Json,
    /// An array.
    Array,
    /// A row type.
    Composite,
    /// Everything else that is one value.
    Scalar,
}

/// Who fills a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// Whoever writes the row.
    ByWriter,
    /// The server, from a sequence, unless the writer gives a value.
    ByDefaultIdentity,
    /// The server, from a sequence, always.
    ByIdentity,
    /// The server, from other columns, always.
    ByExpression,
}

/// A foreign key within the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// Name of the constraint.
    pub name: String,
    /// Columns here.
    pub columns: Vec<String>,
    /// The table meant.
    pub to: String,
    /// Columns there, in the order of `columns`.
    pub to_columns: Vec<String>,
}

/// A constraint, or a unique index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// What it demands.
    pub kind: ConstraintKind,
    /// The columns it names; empty for an index over expressions.
    pub columns: Vec<String>,
    /// Its definition in SQL.
    pub definition: String,
    /// The table a foreign key means, whatever its schema.
    pub to: Option<String>,
}

/// What a constraint demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintKind {
    /// A primary key.
    Primary,
    /// Values that occur once.
    Unique,
    /// A row in another table.
    Foreign,
    /// An expression that holds.
    Check,
    /// No two rows that overlap.
    Exclusion,
    /// Something newer than this library.
    Other,
}

impl TableShape {
    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Whether at most one row can have given values in these columns.
    #[must_use]
    pub fn is_unique(&self, columns: &[String]) -> bool {
        let covered = |of: &[String]| !of.is_empty() && of.iter().all(|c| columns.contains(c));
        let total = |c: &&Constraint| {
            c.kind == ConstraintKind::Primary || (c.kind == ConstraintKind::Unique && !c.definition.contains(" WHERE "))
        };
        covered(&self.key) || self.constraints.values().filter(total).any(|c| covered(&c.columns))
    }
}

impl Column {
    /// Whether a row written without it gets a value.
    #[must_use]
    pub fn has_default(&self) -> bool {
        self.default_expr.is_some() || self.filled == Filled::ByExpression
    }

    /// Whether a writer may name it.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        matches!(self.filled, Filled::ByWriter | Filled::ByDefaultIdentity)
    }
}
