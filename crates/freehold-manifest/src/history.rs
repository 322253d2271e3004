//! `history = true`: the companion that keeps every version of a table's rows, and the function that brings one back.
//!
//! Neither stands in a manifest: both follow from the table, are made at installation, and are served like the others.

use crate::model::{Function, History, Mode, Table};

/// What the companion's name adds to the table's: `products_history`.
const SUFFIX: &str = "_history";

/// What the restoring function's name puts before the table's: `restore_products`.
const PREFIX: &str = "restore_";

/// The companion's own columns, after those of the key.
pub const COLUMNS: [&str; 6] = ["version", "operation", "at", "who", "trace_id", "state"];

/// The restoring function's own arguments, after those of the key.
pub const ARGUMENTS: [&str; 2] = ["to_version", "at_version"];

/// Bytes that a name may have so that the names which follow from it are not cut by PostgreSQL.
pub const NAME_MAX: usize = 63 - SUFFIX.len();

/// The companion of a table.
#[must_use]
pub fn companion(table: &str) -> String {
    format!("{table}{SUFFIX}")
}

/// The function that brings a row of a table back to an earlier version.
#[must_use]
pub fn restore(table: &str) -> String {
    format!("{PREFIX}{table}")
}

/// The companions of those tables that have one: append-only, private, and nothing but what the library writes.
pub(crate) fn companions(tables: &[Table]) -> Vec<Table> {
    recorded(tables)
        .map(|table| Table {
            name: companion(&table.name),
            summary: format!("Every version of each row of {}.", table.name),
            mode: Mode::AppendOnly,
            within: None,
            refs: Vec::new(),
            cached: Vec::new(),
            publishes: Vec::new(),
            hidden: Vec::new(),
            history: History::Of(table.name.clone()),
            // Who may see a row may see its history.
            ..table.clone()
        })
        .collect()
}

/// The functions that bring rows of those tables back.
pub(crate) fn functions(tables: &[Table]) -> impl Iterator<Item = Function> {
    recorded(tables).map(|table| Function {
        name: restore(&table.name),
        summary: format!("Brings a row of {} back to an earlier version.", table.name),
        served: table.served,
    })
}

fn recorded(tables: &[Table]) -> impl Iterator<Item = &Table> {
    tables.iter().filter(|table| table.history == History::Kept)
}
