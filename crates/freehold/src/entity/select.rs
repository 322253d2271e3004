//! A planned query as SQL: what is shown of each row, and the rows embedded in it.
//!
//! Embedded rows are subqueries in the select list, run for the rows that are answered and no others; only spread
//! relations are joined. What an inner join leaves out is left out by `exists`.

use super::filter::{Glue, push_place, push_where};
use super::order::push_order;
use super::plan::{Child, Node, Output, Place, Value};
use super::problem::Problem;
use super::query::{Join, Shape};
use super::relate::{Pair, Way};
use super::sql::Statement;
use super::table::Arity;

impl Child<'_> {
    /// Whether rows without it are left out.
    pub(super) fn is_inner(&self) -> bool {
        self.embed.join == Join::Inner
    }

    /// Whether it is neither shown nor leaves rows out.
    pub(super) fn is_silent(&self) -> bool {
        self.embed.select.is_empty() && !self.is_inner() && !self.node.rows.filters.is_empty()
    }

    fn is_spread(&self) -> bool {
        self.embed.shape == Shape::Spread
    }
}

/// Appends what is shown of a row: `t."a" as "a", (select …) as "items"`.
///
/// # Errors
/// A 400 for what an embedded relation does not have.
pub(super) fn push_outputs(sql: &mut Statement, node: &Node<'_>) -> Result<(), Problem> {
    let grouped = node.is_grouped();
    for (at, output) in node.outputs.iter().enumerate() {
        if at > 0 {
            sql.push(", ");
        }
        push_output(sql, node, output, grouped)?;
        // A column under its own name needs no other.
        let bare = matches!(&output.value, Value::Field(p, None) if p.path.is_empty() && p.column.name == output.name);
        if !bare || output.aggregate.is_some() {
            sql.push(" as ").name(output.name);
        }
    }
    Ok(())
}

fn push_output(sql: &mut Statement, node: &Node<'_>, output: &Output<'_>, grouped: bool) -> Result<(), Problem> {
    if let Some((aggregate, _)) = &output.aggregate {
        sql.push(aggregate.name()).push("(");
    }
    match &output.value {
        Value::Field(place, cast) => {
            if let Some(cast) = cast {
                sql.push("(");
                push_place(sql, &node.alias, *place);
                sql.push(")::").push(cast);
            } else {
                push_place(sql, &node.alias, *place);
            }
        }
        Value::Count(cast) => {
            sql.push("count(*)");
            if let Some(cast) = cast {
                sql.push("::").push(cast);
            }
        }
        Value::Nested(child) => {
            if let Some(child) = node.children.get(*child) {
                push_nested(sql, node, child)?;
            }
            if grouped {
                // `json` has no equality to group by.
                sql.push("::jsonb");
            }
        }
        Value::Spread(child, at) => {
            if let Some(child) = node.children.get(*child) {
                sql.push(&spread_alias(child)).push(".").push(&spread_name(*at));
                if grouped && child.relationship.arity == Arity::Many {
                    sql.push("::jsonb");
                }
            }
        }
    }
    if let Some((_, cast)) = &output.aggregate {
        sql.push(")");
        if let Some(cast) = cast {
            sql.push("::").push(cast);
        }
    }
    Ok(())
}

/// `(select row_to_json(e.*) from (…) as e)`, or an array of such.
fn push_nested(sql: &mut Statement, parent: &Node<'_>, child: &Child<'_>) -> Result<(), Problem> {
    let e = format!("e{}", child.node.alias);
    sql.push("(select ");
    match child.relationship.arity {
        Arity::One => sql.push("row_to_json(").push(&e).push(".*)"),
        Arity::Many => sql.push("coalesce(json_agg(").push(&e).push(".*), '[]'::json)"),
    };
    sql.push(" from (select ");
    push_outputs(sql, &child.node)?;
    push_body(sql, parent, child)?;
    sql.push(") as ").push(&e).push(")");
    Ok(())
}

/// ` from … where … group by … order by … limit …` of an embedded relation.
fn push_body(sql: &mut Statement, parent: &Node<'_>, child: &Child<'_>) -> Result<(), Problem> {
    let node = &child.node;
    let mut glue = Glue::Where;
    sql.push(" from ");
    push_related(sql, child);
    push_spreads(sql, node)?;
    push_link(sql, parent, child, &mut glue);
    push_where(sql, node, &mut glue)?;
    push_groups(sql, node);
    push_order(sql, node)?;
    match (child.relationship.arity, node.rows.limit) {
        (Arity::Many, limit) => drop(sql.push(" limit ").number(limit.unwrap_or(node.most).min(node.most))),
        (Arity::One, Some(limit)) => drop(sql.push(" limit ").number(limit)),
        (Arity::One, None) => {}
    }
    if node.rows.offset > 0 {
        sql.push(" offset ").number(node.rows.offset);
    }
    Ok(())
}

/// The related table, and the one in between.
fn push_related(sql: &mut Statement, child: &Child<'_>) {
    let node = &child.node;
    sql.push(&node.table.qualified).push(" as ").push(&node.alias);
    if let Way::Through { via, far, .. } = &child.relationship.way {
        let between = between(child);
        sql.push(" join ")
            .push(&via.qualified)
            .push(" as ")
            .push(&between)
            .push(" on ");
        push_pairs(sql, &node.alias, &between, far);
    }
}

/// That the related rows belong to the parent's.
fn push_link(sql: &mut Statement, parent: &Node<'_>, child: &Child<'_>, glue: &mut Glue) {
    glue.push(sql);
    match &child.relationship.way {
        Way::Direct(pairs) => push_pairs(sql, &parent.alias, &child.node.alias, pairs),
        Way::Through { near, .. } => push_pairs(sql, &parent.alias, &between(child), near),
    }
}

fn push_pairs(sql: &mut Statement, here: &str, there: &str, pairs: &[Pair<'_>]) {
    for (at, pair) in pairs.iter().enumerate() {
        sql.push(if at > 0 { " and " } else { "" });
        sql.column(there, pair.there).push(" = ").column(here, pair.here);
    }
}

fn between(child: &Child<'_>) -> String {
    format!("v{}", child.node.alias)
}

/// `exists (select from …)`: that a row has related ones.
///
/// # Errors
/// As [`push_outputs`].
pub(super) fn push_exists(sql: &mut Statement, parent: &Node<'_>, child: &Child<'_>) -> Result<(), Problem> {
    sql.push("exists (select from ");
    push_of_parent(sql, parent, child)?;
    sql.push(")");
    Ok(())
}

/// Appends `table as t1 where …`: the related rows of a row of the parent.
///
/// # Errors
/// As [`push_outputs`].
pub(super) fn push_of_parent(sql: &mut Statement, parent: &Node<'_>, child: &Child<'_>) -> Result<(), Problem> {
    let mut glue = Glue::Where;
    push_related(sql, child);
    push_link(sql, parent, child, &mut glue);
    push_where(sql, &child.node, &mut glue)
}

/// Appends ` left join lateral (…) as s1 on true` for each spread relation.
///
/// # Errors
/// As [`push_outputs`].
pub(super) fn push_spreads(sql: &mut Statement, node: &Node<'_>) -> Result<(), Problem> {
    for child in node.children.iter().filter(|c| c.is_spread()) {
        let alias = spread_alias(child);
        sql.push(" left join lateral (select ");
        let shown = child.node.outputs.iter().enumerate();
        let shown = shown.filter(|(_, output)| !matches!(output.value, Value::Count(_)));
        match child.relationship.arity {
            Arity::One => {
                for (place, (at, output)) in shown.enumerate() {
                    sql.push(if place > 0 { ", " } else { "" });
                    push_output(sql, &child.node, output, false)?;
                    sql.push(" as ").push(&spread_name(at));
                }
                push_body(sql, node, child)?;
            }
            Arity::Many => {
                let e = format!("e{}", child.node.alias);
                for (place, (at, _)) in shown.clone().enumerate() {
                    let name = spread_name(at);
                    sql.push(if place > 0 { ", " } else { "" });
                    sql.push("coalesce(json_agg(").push(&e).push(".").push(&name);
                    sql.push("), '[]'::json) as ").push(&name);
                }
                sql.push(" from (select ");
                for (place, (at, output)) in shown.enumerate() {
                    sql.push(if place > 0 { ", " } else { "" });
                    push_output(sql, &child.node, output, false)?;
                    sql.push(" as ").push(&spread_name(at));
                }
                push_body(sql, node, child)?;
                sql.push(") as ").push(&e);
            }
        }
        sql.push(") as ").push(&alias).push(" on true");
    }
    Ok(())
}

/// Appends the output of a spread relation that shows this place; says whether there is one.
pub(super) fn push_spread(sql: &mut Statement, child: &Child<'_>, by: Place<'_>) -> bool {
    let shows = |output: &Output<'_>| match &output.value {
        Value::Field(place, None) => place.column.name == by.column.name && place.path == by.path,
        _ => false,
    };
    let at = child.node.outputs.iter().position(shows);
    let Some(at) = at.filter(|_| child.is_spread()) else {
        return false;
    };
    sql.push(&spread_alias(child)).push(".").push(&spread_name(at));
    true
}

fn spread_alias(child: &Child<'_>) -> String {
    format!("s{}", child.node.alias)
}

fn spread_name(at: usize) -> String {
    format!("c{at}")
}

/// Appends ` group by 1, 3`: everything that is not aggregated.
pub(super) fn push_groups(sql: &mut Statement, node: &Node<'_>) {
    if !node.is_grouped() {
        return;
    }
    let mut first = true;
    for (at, output) in node.outputs.iter().enumerate() {
        if output.is_aggregated() {
            continue;
        }
        sql.push(if first { " group by " } else { ", " }).number(at + 1);
        first = false;
    }
}
