//! The schema as values.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Change, SqlFunction, SqlName, SqlView};

/// A place in a service's migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SqlPlace {
    /// Index of the migration.
    pub(crate) file: usize,
    /// Bytes of its text.
    pub(crate) span: Range<usize>,
}

/// What the migrations build, once all have run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    pub(crate) tables: Vec<SqlTable>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
    pub(crate) views: Vec<SqlView>,
    pub(crate) functions: Vec<SqlFunction>,
    /// Tables named by statements, views and functions.
    pub(crate) uses: Vec<TableUse>,
    /// What statements took away or made another, in order.
    pub(crate) changes: Vec<Change>,
    /// Every table, view and the like that ever existed here, dropped ones included.
    pub(crate) created: BTreeSet<String>,
    /// False if some of the migrations could not be read: what is absent here may exist.
    pub(crate) complete: bool,
}

/// A table.
#[derive(Debug, Clone)]
pub(crate) struct SqlTable {
    pub(crate) name: SqlName,
    pub(crate) columns: Vec<SqlColumn>,
    /// False if there may be columns that are absent here.
    pub(crate) columns_known: bool,
    /// Columns of the primary key.
    pub(crate) key: Vec<String>,
    /// Name of the key's constraint.
    pub(crate) key_name: Option<String>,
    /// Temporary tables and partitions are nobody's to declare.
    pub(crate) role: TableRole,
    pub(crate) row_security: RowSecurity,
    /// The names of its policies.
    pub(crate) policies: Vec<String>,
    pub(crate) at: SqlPlace,
}

/// What a table is to the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableRole {
    /// Somebody must own it.
    Ordinary,
    /// A part of another table, or gone when the migration ends.
    Part,
}

/// Whether policies say which rows are seen and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowSecurity {
    /// They do.
    Enabled,
    /// All rows are.
    Disabled,
}

/// A column.
#[derive(Debug, Clone)]
pub(crate) struct SqlColumn {
    pub(crate) name: String,
    /// The type as written, lowercase, single spaces.
    pub(crate) ty: String,
    pub(crate) not_null: bool,
    pub(crate) at: SqlPlace,
}

/// A foreign key.
#[derive(Debug, Clone)]
pub(crate) struct ForeignKey {
    pub(crate) table: String,
    pub(crate) columns: Vec<String>,
    pub(crate) name: Option<String>,
    pub(crate) to: SqlName,
    /// Where the referenced table is named.
    pub(crate) at: SqlPlace,
}

/// A table named by a statement.
#[derive(Debug, Clone)]
pub(crate) struct TableUse {
    pub(crate) name: SqlName,
    pub(crate) at: SqlPlace,
}

impl Schema {
    /// The schema of a service whose migrations were not seen.
    pub(crate) fn unknown() -> Self {
        Self::default()
    }

    /// The table of that name in the service's own schema.
    pub(crate) fn table(&self, name: &str) -> Option<&SqlTable> {
        self.tables.iter().find(|table| table.name.is_own(name))
    }

    /// The view of that name in the service's own schema.
    pub(crate) fn view(&self, name: &str) -> Option<&SqlView> {
        self.views.iter().find(|view| view.name.is_own(name))
    }

    /// The functions of that name in the service's own schema.
    pub(crate) fn functions_of(&self, name: &str) -> impl Iterator<Item = &SqlFunction> {
        self.functions.iter().filter(move |function| function.name.is_own(name))
    }
}

impl SqlTable {
    pub(crate) fn column(&self, name: &str) -> Option<&SqlColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether the column refuses null.
    pub(crate) fn is_not_null(&self, name: &str) -> bool {
        self.key.iter().any(|key| key == name) || self.column(name).is_some_and(|column| column.not_null)
    }
}
