//! A root as it is shown: with the rows within it, in the order they were posted.
//!
//! The rows stand in `i0` (the roots), `i1`, `i2` … (the rows of a child each), written or read back just now.

use super::fields::{Level, Nested};
use super::plan::Node;
use super::problem::Problem;
use super::returning;
use super::select::push_outputs;
use super::sql::Statement;
use super::table::{Arity, Served};

/// A child as its root shows it.
pub(super) struct Shown<'t> {
    pub(super) nested: &'t Nested<'t>,
    /// The number of its `i…` and `j…`; none when no row of it was posted.
    pub(super) number: Option<usize>,
}

/// Appends ` select …`: each root as JSON, its version and its key.
pub(super) fn push_roots(
    sql: &mut Statement,
    root: &Level<'_>,
    node: &Node<'_>,
    shown: &[Shown<'_>],
) -> Result<(), Problem> {
    sql.push(" select (select ")
        .push(node.form.row_sql())
        .push(" from (select ");
    push_outputs(sql, node)?;
    push_shown(sql, shown);
    sql.push(") as r)");
    returning::push_identity(sql, root.table);
    push_rows(sql, root.table, 0);
    push_joins(sql, shown);
    sql.push(" order by ").column("t", &place(root.table));
    Ok(())
}

/// Appends `, j1 as …`: the rows of a child as one array for each root.
pub(super) fn push_aggregate(sql: &mut Statement, number: usize, nested: &Nested<'_>, within: &[Shown<'_>]) {
    let table = nested.level.table;
    sql.push(", j").number(number).push(" as (select ");
    for column in &nested.link.columns {
        sql.column("t", column).push(", ");
    }
    sql.push("json_agg(row_to_json(r.*) order by ")
        .column("t", &place(table))
        .push(") as rows");
    push_rows(sql, table, number);
    push_joins(sql, within);
    sql.push(" cross join lateral (select ").columns("t", table.shown());
    push_shown(sql, within);
    sql.push(") as r group by ");
    for (place, column) in nested.link.columns.iter().enumerate() {
        sql.push(if place > 0 { ", " } else { "" }).column("t", column);
    }
    sql.push(")");
}

/// Appends ` from i1 as t`, numbered in their order: a join may lose it.
fn push_rows(sql: &mut Statement, table: &Served, number: usize) {
    sql.push(" from (select i.*, row_number() over () as ")
        .name(&place(table));
    sql.push(" from i").number(number).push(" as i) as t");
}

/// A name for a row's place that no column of the table has.
fn place(table: &Served) -> String {
    let mut name = "place".to_owned();
    while table.shape.column(&name).is_some() {
        name.push('_');
    }
    name
}

fn push_shown(sql: &mut Statement, shown: &[Shown<'_>]) {
    for Shown { nested, number } in shown {
        sql.push(", ");
        match (number, nested.arity) {
            (Some(n), Arity::Many) => {
                sql.push("coalesce(j").number(n).push(".rows, '[]'::json)");
            }
            (Some(n), Arity::One) => drop(sql.push("j").number(n).push(".rows->0")),
            (None, Arity::Many) => drop(sql.push("'[]'::json")),
            (None, Arity::One) => drop(sql.push("null::json")),
        }
        sql.push(" as ").name(&nested.level.table.shape.name);
    }
}

fn push_joins(sql: &mut Statement, shown: &[Shown<'_>]) {
    for Shown { nested, number } in shown {
        let Some(number) = number else {
            continue;
        };
        let alias = format!("j{number}");
        sql.push(" left join ").push(&alias).push(" on ");
        let pairs = nested.link.columns.iter().zip(&nested.link.to_columns);
        for (place, (from, to)) in pairs.enumerate() {
            sql.push(if place > 0 { " and " } else { "" });
            sql.column(&alias, from).push(" = ").column("t", to);
        }
    }
}
