//! What a write gives back: the row as JSON, its version, and its key, always in this order.

use super::headers::Return;
use super::problem::Problem;
use super::query::Query;
use super::sql::{Statement, push_select, push_version};
use super::table::Served;

/// What is read of the rows a write touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Their number.
    Count,
    /// Version and key.
    Identity,
    /// The rows too.
    Rows,
}

/// What must be read back to answer: the rows if asked for, else only what the headers of one row's answer need.
pub(super) fn wanted(answer: Return, one: Rows) -> Wanted {
    match (answer, one) {
        (Return::Representation, _) => Wanted::Rows,
        (_, Rows::AtMostOne) => Wanted::Identity,
        (_, Rows::Any) => Wanted::Count,
    }
}

/// How many rows a write may touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    AtMostOne,
    Any,
}

/// Appends ` returning …` for the row `t`.
pub(super) fn push(statement: &mut Statement, table: &Served, query: &Query, wanted: Wanted) -> Result<(), Problem> {
    if wanted == Wanted::Count {
        return Ok(());
    }
    statement.push(" returning ");
    push_row(statement, table, query, wanted)
}

/// Appends the row `t` as JSON, or a null in its place, and its identity.
pub(super) fn push_row(
    statement: &mut Statement,
    table: &Served,
    query: &Query,
    wanted: Wanted,
) -> Result<(), Problem> {
    match wanted {
        Wanted::Rows => {
            statement.push("(select row_to_json(r)::text from (select ");
            push_select(statement, table, query)?;
            statement.push(") as r)");
        }
        Wanted::Count | Wanted::Identity => drop(statement.push("null::text")),
    }
    push_identity(statement, table);
    Ok(())
}

/// Appends `, version, key::text …` of the row `t`.
pub(super) fn push_identity(statement: &mut Statement, table: &Served) {
    statement.push(", ");
    push_version(statement, table, "t");
    for name in &table.shape.key {
        statement.push(", ").column("t", name).push("::text");
    }
}
