//! The statement that writes a root with the rows within it.
//!
//! For `orders` with `order_items`:
//! ```sql
//! with s0 as materialized (            -- the posted roots, each with the key it will have
//!        select coalesce((x.e->>'id')::uuid, gen_random_uuid()) as k0, x.e from …),
//!      i0 as (insert into orders (id, …) select s.k0, … from s0 … returning t.*),
//!      s1 as materialized (            -- the posted items, each with the key of its root
//!        select … as k0, p.k0 as f0, x.e from s0 as p, json_array_elements(p.e->'order_items') as x(e) …),
//!      i1 as (insert into order_items (id, order_id, …) select … from s1 … returning t.*),
//!      j1 as (select t.order_id, json_agg(…) as rows from i1 as t … group by t.order_id)
//! select … from i0 as t left join j1 on … order by …
//! ```
//! The key of a root decides the foreign key of the rows within it, whatever they say themselves.

use bytes::Bytes;

use super::fields::{Level, Nested};
use super::insert::Shape;
use super::plan::Node;
use super::problem::Problem;
use super::returning;
use super::show::{self, Shown};
use super::sql::{Param, Statement};
use crate::pg::catalog::{Column, Filled};
use crate::pg::ident;

/// What the statement gives back of each root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// The row with the rows within it, its version and its key.
    Rows,
    /// Version and key.
    Identity,
    /// Version and key; the first root also brings the keys of all rows within: one array for each column of the key of
    /// each child, in the order of [`posted`].
    Keys,
}

/// Writes the statement for a root and everything within it.
///
/// # Errors
/// A 400 when rows of one table cannot be told apart, for want of a primary key.
pub(super) fn compile(
    root: &Level<'_>,
    node: &Node<'_>,
    shape: Shape,
    json: Bytes,
    tail: Tail,
) -> Result<Statement, Problem> {
    if root.table.shape.key.is_empty() {
        return Err(Problem::body(format!(
            "`{}` has no primary key: send rows with fields, one table at a time",
            root.table.shape.name
        )));
    }
    let mut writer = Writer {
        statement: Statement::new(),
        next: 1,
        tail,
    };
    let sql = &mut writer.statement;
    sql.push("with s0 as materialized (select ");
    push_key(sql, root, None);
    match shape {
        Shape::Object => sql.push("x.e from (select ").param(Param::Body(json)),
        Shape::Array => sql.push("x.e from json_array_elements(").param(Param::Body(json)),
    };
    sql.push(match shape {
        Shape::Object => " as e) as x)",
        Shape::Array => ") as x(e))",
    });
    writer.push_insert(0, root, None);
    let shown = writer.push_nested(0, root);
    let sql = &mut writer.statement;
    if tail == Tail::Rows {
        show::push_roots(sql, root, node, &shown)?;
        return Ok(writer.statement);
    }
    sql.push(" select null::text");
    returning::push_identity(sql, root.table);
    if tail == Tail::Keys {
        push_keys(sql, root);
    }
    sql.push(" from i0 as t");
    Ok(writer.statement)
}

struct Writer {
    statement: Statement,
    next: usize,
    tail: Tail,
}

impl Writer {
    fn push_nested<'t>(&mut self, parent: usize, level: &'t Level<'t>) -> Vec<Shown<'t>> {
        let mut shown = Vec::new();
        for nested in &level.nested {
            if nested.level.rows == 0 {
                shown.push(Shown { nested, number: None });
                continue;
            }
            let number = self.next;
            self.next += 1;
            self.push_source(parent, number, level, nested);
            self.push_insert(number, &nested.level, Some(nested));
            let within = self.push_nested(number, &nested.level);
            if self.tail == Tail::Rows {
                show::push_aggregate(&mut self.statement, number, nested, &within);
            }
            shown.push(Shown {
                nested,
                number: Some(number),
            });
        }
        shown
    }

    /// `s1`: the posted rows of a child, each with its key and the key of its root.
    fn push_source(&mut self, parent: usize, number: usize, root: &Level<'_>, nested: &Nested<'_>) {
        let sql = &mut self.statement;
        sql.push(", s").number(number).push(" as materialized (select ");
        push_key(sql, &nested.level, Some((nested, root)));
        for (place, to) in nested.link.to_columns.iter().enumerate() {
            sql.push("p.k").number(key_place(root, to));
            sql.push(" as f").number(place).push(", ");
        }
        let at = format!("p.e->{}", ident::literal(&nested.level.table.shape.name));
        sql.push("x.e from s")
            .number(parent)
            .push(" as p cross join lateral json_array_elements(");
        sql.push("case json_typeof(")
            .push(&at)
            .push(") when 'array' then ")
            .push(&at);
        sql.push(" when 'object' then json_build_array(").push(&at);
        sql.push(") else '[]'::json end) as x(e)");
        // Roots are written first, and so are their events.
        sql.push(" where (select count(*) from i")
            .number(parent)
            .push(") >= 0)");
    }

    /// `i1`: the rows as they were written.
    fn push_insert(&mut self, number: usize, level: &Level<'_>, nested: Option<&Nested<'_>>) {
        let sql = &mut self.statement;
        let shape = &level.table.shape;
        let linked = |name: &str| nested.is_some_and(|n| n.link.columns.iter().any(|c| c == name));
        let in_key = |name: &str| shape.key.iter().any(|k| k == name);
        let given: Vec<&Column> = level
            .columns
            .iter()
            .copied()
            .filter(|c| !in_key(&c.name) && !linked(&c.name))
            .collect();
        let links = nested.map(|n| n.link.columns.iter().enumerate());
        let links: Vec<(usize, &String)> = links.into_iter().flatten().filter(|(_, c)| !in_key(c)).collect();
        sql.push(", i").number(number).push(" as (insert into ");
        sql.push(&level.table.qualified).push(" as t (");
        let names = shape.key.iter().chain(links.iter().map(|(_, c)| *c));
        for (place, name) in names.chain(given.iter().map(|c| &c.name)).enumerate() {
            sql.push(if place > 0 { ", " } else { "" }).name(name);
        }
        sql.push(")");
        let is_identity = |k: &String| shape.column(k).is_some_and(|c| c.filled == Filled::ByIdentity);
        if shape.key.iter().any(is_identity) {
            sql.push(" overriding system value");
        }
        sql.push(" select ");
        for place in 0..shape.key.len() {
            sql.push(if place > 0 { ", s.k" } else { "s.k" }).number(place);
        }
        for (place, (link, _)) in links.iter().enumerate() {
            let comma = place > 0 || !shape.key.is_empty();
            sql.push(if comma { ", s.f" } else { "s.f" }).number(link);
        }
        for column in &given {
            sql.push(", ").column("r", &column.name);
        }
        sql.push(" from s").number(number).push(" as s");
        if !given.is_empty() {
            sql.push(" cross join lateral json_to_record(s.e) as r(");
            sql.definitions(given.iter().copied()).push(")");
        }
        sql.push(" returning t.*)");
    }
}

/// The children of which rows were posted, at any depth, each before its own: the first is `i1`, the next `i2` …
pub(super) fn posted<'t>(level: &'t Level<'t>) -> Vec<&'t Nested<'t>> {
    let mut found = Vec::new();
    for nested in level.nested.iter().filter(|n| n.level.rows > 0) {
        found.push(nested);
        found.extend(posted(&nested.level));
    }
    found
}

/// Appends the keys of all rows within, to the first row only: they may be many.
fn push_keys(sql: &mut Statement, root: &Level<'_>) {
    for (place, nested) in posted(root).into_iter().enumerate() {
        for name in &nested.level.table.shape.key {
            sql.push(", case when row_number() over () = 1 then (select array_agg(");
            sql.column("c", name)
                .push("::text) from i")
                .number(place + 1)
                .push(" as c) end");
        }
    }
}

/// Where a column stands in a root's key. A link names columns of the key only.
fn key_place(root: &Level<'_>, column: &str) -> usize {
    let key = &root.table.shape.key;
    key.iter().position(|k| k == column).unwrap_or_default()
}

/// Appends the key a row will have: its root's, where it is part of the key; else as given; else its default.
fn push_key(sql: &mut Statement, level: &Level<'_>, within: Option<(&Nested<'_>, &Level<'_>)>) {
    for (place, name) in level.table.shape.key.iter().enumerate() {
        let Some(column) = level.table.shape.column(name) else {
            continue;
        };
        let link = within.and_then(|(nested, root)| {
            let at = nested.link.columns.iter().position(|c| c == name)?;
            nested.link.to_columns.get(at).map(|to| key_place(root, to))
        });
        let is_given = level.columns.iter().any(|c| c.name == *name);
        if let Some(of_root) = link {
            sql.push("p.k").number(of_root);
        } else if is_given {
            sql.push("coalesce((x.e->>").push(&ident::literal(name)).push(")::");
            sql.push(&column.cast).push(", ").push(default_of(column)).push(")");
        } else {
            sql.push("(").push(default_of(column)).push(")::").push(&column.cast);
        }
        sql.push(" as k").number(place).push(", ");
    }
}

fn default_of(column: &Column) -> &str {
    column.default_expr.as_deref().unwrap_or("null")
}
