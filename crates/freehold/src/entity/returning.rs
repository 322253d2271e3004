//! What a write gives back: the row as JSON, its version, the transaction, and its key, always in this order.

use tokio_postgres::Row;

use super::headers::Return;
use super::plan::Node;
use super::problem::Problem;
use super::select::{push_outputs, push_spreads};
use super::sql::{Statement, push_version};
use super::table::Served;

/// Columns before the key.
pub(super) const BEFORE_KEY: usize = 3;

/// The column of the transaction.
pub(super) const TRANSACTION: usize = 2;

/// What is read of the rows a write touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Their number, in the place of the version of one row.
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

/// A further column of what is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Also {
    Nothing,
    /// Whether the row is new, as the last column: a row that was there carries the lock of the statement in xmax.
    New,
}

/// Whether the row of [`Also::New`] is new.
pub(super) fn is_new(row: &Row) -> bool {
    let last = row.len().checked_sub(1);
    last.and_then(|last| row.try_get(last).ok()).unwrap_or(false)
}

/// Completes a write of the rows `t` by what it gives back.
///
/// # Errors
/// A 400 for what `select` asks of embedded relations.
pub(super) fn complete(sql: &mut Statement, node: &Node<'_>, wanted: Wanted, also: Also) -> Result<(), Problem> {
    let table = node.table;
    match wanted {
        Wanted::Count => {
            sql.wrap("with w as (");
            sql.push(match also {
                Also::Nothing => " returning 1) select null::text, count(*), ",
                Also::New => " returning t.xmax = 0 as new) select null::text, count(*), ",
            });
            push_transaction(sql, table);
            if also == Also::New {
                sql.push(", coalesce(bool_or(w.new), false)");
            }
            sql.push(" from w");
        }
        Wanted::Rows if !node.children.is_empty() || !node.rows.order.is_empty() => {
            sql.wrap("with w as (");
            sql.push(" returning t.*");
            if also == Also::New {
                sql.push(", t.xmax = 0 as \"freehold new\"");
            }
            sql.push(") select ").push(node.form.row_sql());
            push_identity(sql, table);
            if also == Also::New {
                sql.push(", t.\"freehold new\"");
            }
            sql.push(" from w as t");
            push_shown(sql, node)?;
            super::order::push_order(sql, node)?;
        }
        Wanted::Rows | Wanted::Identity => {
            sql.push(" returning ");
            if wanted == Wanted::Rows {
                sql.push("(select ").push(node.form.row_sql()).push(" from (select ");
                push_outputs(sql, node)?;
                sql.push(") as r)");
            } else {
                sql.push("null::text");
            }
            push_identity(sql, table);
            if also == Also::New {
                sql.push(", t.xmax = 0");
            }
        }
    }
    Ok(())
}

/// Appends what is shown of the rows `t`, as `r`.
///
/// # Errors
/// A 400 for what `select` asks of embedded relations.
pub(super) fn push_shown(sql: &mut Statement, node: &Node<'_>) -> Result<(), Problem> {
    push_spreads(sql, node)?;
    sql.push(" cross join lateral (select ");
    push_outputs(sql, node)?;
    sql.push(") as r");
    Ok(())
}

/// Appends `, version, transaction, key::text …` of the row `t`.
pub(super) fn push_identity(sql: &mut Statement, table: &Served) {
    sql.push(", ");
    push_version(sql, table, "t");
    sql.push(", ");
    push_transaction(sql, table);
    for name in &table.shape.key {
        sql.push(", ").column("t", name).push("::text");
    }
}

/// The transaction, where what it publishes can be waited for.
fn push_transaction(sql: &mut Statement, table: &Served) {
    sql.push(if table.speaks {
        "pg_current_xact_id()::text::int8"
    } else {
        "null::int8"
    });
}
