//! `PUT`: one row, by its primary key, whether it is there or not.
//!
//! The filter names the key and nothing else. A column the body leaves out gets its default in a new row and stays as
//! it is in an old one. Under `If-Match` (or a `version` in the body) only an old row is changed; under
//! `If-None-Match: *` only a new one is made.

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;

use super::answer::Answer;
use super::body::Fields;
use super::change::{self, Range, Terms};
use super::filter::pinned;
use super::guard::{Guard, Tags, if_none_match};
use super::headers::{PUT, accepted, preferences};
use super::http::Write;
use super::plan::{Node, plan};
use super::problem::Problem;
use super::query::Clause;
use super::returning::{Also, Rows};
use super::settle::{self, Plan};
use super::sql::{Param, Statement};
use super::table::Served;
use super::{Wake, answer, fields, returning, update};
use crate::pg::catalog::Column;

/// Writes the row.
pub(super) async fn row(write: Write<'_>, body: Bytes) -> Result<Answer, Problem> {
    let json = update::to_json(&write, body)?;
    let fields = update::object(&write, &json)?;
    let key = check_filters(write.table, &write.query.rows.filters)?;
    check_key(write.table, &key, &fields)?;
    let node = plan(
        &write.surface.tables,
        write.table,
        &write.query,
        &write.surface.limits,
        accepted(write.headers)?,
    )?;
    let change = fields::change(write.table, &fields)?;
    let is_key = |c: &&Column| write.table.shape.key.contains(&c.name);
    let columns: Vec<&Column> = change.columns.iter().copied().filter(|c| !is_key(c)).collect();
    let presence = presence(write.headers)?;
    if presence == Presence::Absent && change.version.is_none() {
        let terms = Terms {
            guard: Guard::None,
            form: accepted(write.headers)?,
            preferences: preferences(write.headers, PUT)?,
            reach: Rows::AtMostOne,
        };
        return put(&write, &node, &terms, &key, &columns, presence, json.clone()).await;
    }
    let terms = change::terms(&write, change.version)?;
    if terms.guard == Guard::None {
        return put(&write, &node, &terms, &key, &columns, presence, json.clone()).await;
    }
    if columns.is_empty() {
        return Err(Problem::body("the body names no column to change"));
    }
    let plan = update::compile(&write, &node, &terms, &columns, json.clone())?;
    let outcome = change::carry_out(&write, &node, &plan, &terms).await?;
    Ok(change::respond(&terms, &node, outcome, Range::Counted))
}

/// Which row a PUT may meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// None or one.
    Either,
    /// None (`If-None-Match: *`).
    Absent,
}

fn presence(headers: &HeaderMap) -> Result<Presence, Problem> {
    Ok(match if_none_match(headers)? {
        Tags::Any => Presence::Absent,
        Tags::Absent | Tags::Listed(_) => Presence::Either,
    })
}

/// The values of the primary key, in its order.
fn check_filters<'q>(table: &Served, filters: &'q [Clause]) -> Result<Vec<&'q str>, Problem> {
    let name = &table.shape.name;
    if table.shape.key.is_empty() {
        return Err(Problem::body(format!("`{name}` has no primary key to PUT by")));
    }
    if let Some(key) = pinned(table, filters)
        && filters.len() == key.len()
    {
        return Ok(key);
    }
    let key = super::table::listed(table.shape.key.iter().map(String::as_str));
    Err(Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "bad-put",
        "PGRST105",
        "Filters must include all and only primary key columns with 'eq' operators",
    )
    .with_header(axum::http::header::ALLOW, table.allow())
    .with_hint(format!("the primary key of `{name}` is {key}")))
}

/// The key in the body, where it is given, must be the one in the filter.
fn check_key(table: &Served, key: &[&str], fields: &Fields<'_>) -> Result<(), Problem> {
    for (name, value) in table.shape.key.iter().zip(key) {
        let Some(given) = fields.get(name) else {
            continue;
        };
        let text: String = serde_json::from_str(given.get()).unwrap_or_else(|_| given.get().to_owned());
        if text != *value {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "bad-put",
                "PGRST115",
                "Payload values do not match URL in primary key column(s)",
            )
            .with_member("column", name.as_str()));
        }
    }
    Ok(())
}

async fn put(
    write: &Write<'_>,
    node: &Node<'_>,
    terms: &Terms,
    key: &[&str],
    columns: &[&Column],
    presence: Presence,
    json: Bytes,
) -> Result<Answer, Problem> {
    let Write {
        surface, runner, table, ..
    } = write;
    let plan = compile(node, terms, key, columns, presence, json)?;
    let _wake = Wake(&surface.written);
    let outcome = plan.carry_out(*runner, None).await;
    let outcome = outcome.map_err(|f| f.into_problem(table, &surface.tables))?;
    let Some(row) = outcome.written().first() else {
        return match presence {
            Presence::Absent => Err(change::stale(&table.shape.name, None)),
            Presence::Either => Ok(change::respond(terms, node, outcome, Range::Counted)),
        };
    };
    if !returning::is_new(row) {
        return Ok(change::respond(terms, node, outcome, Range::Counted));
    }
    let version = outcome.rows.first().and_then(answer::version);
    let created = StatusCode::CREATED;
    let mut response = answer::written(&terms.preferences, terms.form, node, created, created, outcome.rows);
    answer::set_version(&mut response, version);
    answer::set_transaction(&mut response, outcome.transaction);
    Ok(response)
}

fn compile(
    node: &Node<'_>,
    terms: &Terms,
    values: &[&str],
    columns: &[&Column],
    presence: Presence,
    json: Bytes,
) -> Result<Plan, Problem> {
    let table = node.table;
    let key = || table.shape.key.iter().filter_map(|k| table.shape.column(k));
    let mut sql = Statement::new();
    sql.push("insert into ").push(&table.qualified).push(" as t (");
    sql.names(key().chain(columns.iter().copied())).push(") select ");
    for (place, (column, value)) in key().zip(values).enumerate() {
        sql.push(if place > 0 { ", " } else { "" });
        sql.param(Param::Value((*value).to_owned()))
            .push("::")
            .push(&column.cast);
    }
    for column in columns {
        sql.push(", ").column("r", &column.name);
    }
    if !columns.is_empty() {
        sql.push(" from json_to_record(")
            .param(Param::Body(json))
            .push(") as r(");
        sql.definitions(columns.iter().copied()).push(")");
    }
    sql.push(" on conflict (").names(key());
    match presence {
        Presence::Absent => drop(sql.push(") do nothing")),
        Presence::Either => {
            sql.push(") do update set ");
            // Without columns the key is set to itself, so that the row comes back.
            let set: Vec<&Column> = match columns {
                [] => key().collect(),
                _ => columns.to_vec(),
            };
            sql.excluded(set.into_iter());
        }
    }
    let wanted = returning::wanted(terms.preferences.answer, Rows::AtMostOne);
    let reread = settle::of_rows(node, wanted, |after| after.insert || after.update)?;
    let given = settle::first(wanted, reread.as_ref());
    returning::complete(&mut sql, node, given, Also::New)?;
    Ok(Plan {
        statement: sql,
        wanted: given,
        reread,
    })
}
