//! The shape of a service's tables, as the server has it.
//!
//! Read once when a service starts, and again after a migration: a column added in between is not served until then.

mod constraints;
mod functions;
mod read;
mod relations;
mod types;

use std::collections::BTreeMap;

pub use read::load;
pub(crate) use read::read_within;

/// The tables of one data schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Name to shape.
    pub tables: BTreeMap<String, TableShape>,
    /// Views by name, in the shape of tables without constraints; materialised views are not among them.
    pub views: BTreeMap<String, TableShape>,
    /// Functions by name, each with its overloads; aggregates, procedures and trigger functions are not among them.
    pub functions: BTreeMap<String, Vec<FunctionShape>>,
}

/// One function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionShape {
    /// The schema it stands in.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it takes, in order: IN, INOUT and VARIADIC arguments.
    pub arguments: Vec<Argument>,
    /// What it gives.
    pub returns: Returns,
    /// Whether it may change anything: VOLATILE ones are called by POST only.
    pub volatility: Volatility,
    /// `comment on function`.
    pub comment: Option<String>,
}

/// What a function takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name; empty for an argument without one.
    pub name: String,
    /// Its type. For a VARIADIC argument the array's.
    pub value: ValueType,
    /// Whether it may be left out.
    pub has_default: bool,
    /// Whether it takes the rest of the arguments.
    pub variadic: bool,
}

/// A type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValueType {
    /// For people: `character varying`.
    pub name: String,
    /// For a cast, qualified and without length.
    pub cast: String,
    /// What it is made of.
    pub kind: Kind,
    /// The name of the type itself in pg_type, domains resolved: `int4`, `_text`, `timestamptz`.
    pub base: String,
    /// The labels of an enum.
    pub labels: Vec<String>,
}

/// What a function gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returns {
    /// Nothing.
    Nothing,
    /// One value.
    Value(ValueType),
    /// Values.
    Values(ValueType),
    /// One row of these columns (OUT arguments, or a row type), or none.
    Row(RowShape),
    /// Rows of these columns.
    Rows(RowShape),
}

/// The columns of rows that a function gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowShape {
    /// The table or view of this schema whose rows they are, so that relations can be embedded.
    pub of: Option<String>,
    /// The columns otherwise; empty where `of` is given.
    pub columns: Vec<Column>,
}

/// Whether a function may change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volatility {
    /// The same for ever.
    Immutable,
    /// The same within a statement.
    Stable,
    /// Anything.
    Volatile,
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
    /// Whether policies say which of its rows are seen and written.
    pub row_security: bool,
    /// `comment on table`.
    pub comment: Option<String>,
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
    /// The name of the type itself in pg_type, domains resolved: `int4`, `_text`, `timestamptz`.
    pub base: String,
    /// The labels of an enum, or of an array of enums.
    pub labels: Vec<String>,
    /// The most characters of a `varchar(n)` or `char(n)`.
    pub length_max: Option<i32>,
    /// `comment on column`.
    pub comment: Option<String>,
}

/// What a type is made of, domains resolved to their base type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
    #[default]
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
