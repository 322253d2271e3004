//! `PATCH`: given columns of the rows a filter names.

use bytes::Bytes;

use super::answer::Answer;
use super::body::{self, Document, Fields};
use super::change::{self, Range, Terms};
use super::execute::Outcome;
use super::fields;
use super::guard::Guard;
use super::headers::{Content, content};
use super::http::Write;
use super::plan::{Node, plan};
use super::problem::Problem;
use super::returning::{self, Also};
use super::settle::{self, Plan};
use super::sql::{Param, Statement};
use crate::pg::catalog::Column;

/// Changes rows.
pub(super) async fn rows(write: Write<'_>, body: Bytes) -> Result<Answer, Problem> {
    let json = to_json(&write, body)?;
    let fields = object(&write, &json)?;
    let mut change = fields::change(write.table, &fields)?;
    if let Some(listed) = &write.query.columns {
        change.columns.retain(|column| listed.contains(&column.name));
    }
    let terms = change::terms(&write, change.version)?;
    let node = plan(
        &write.surface.tables,
        write.table,
        &write.query,
        &write.surface.limits,
        terms.form,
    )?;
    if change.columns.is_empty() {
        // What is asked is looked at, although nothing is done.
        change::push_where(&mut Statement::new(), &node, &terms.guard)?;
        return nothing(&terms, &node);
    }
    let plan = compile(&write, &node, &terms, &change.columns, json.clone())?;
    let outcome = change::carry_out(&write, &node, &plan, &terms).await?;
    Ok(change::respond(&terms, &node, outcome, Range::Counted))
}

/// The body of a PATCH or PUT as JSON.
pub(super) fn to_json(write: &Write<'_>, body: Bytes) -> Result<Bytes, Problem> {
    match content(write.headers)? {
        content @ (Content::Json | Content::Pairs) => body::to_json(body, content, &write.table.shape),
        Content::Csv | Content::Text => Err(Problem::new(
            axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "PGRST102",
            "CSV is read by POST only",
        )
        .with_hint("send application/json")),
    }
}

/// The one object of a body.
pub(super) fn object<'b>(write: &Write<'_>, json: &'b Bytes) -> Result<Fields<'b>, Problem> {
    match body::parse(std::str::from_utf8(json).unwrap_or_default(), &write.surface.limits)? {
        Document::One(fields) => Ok(fields),
        Document::Many(_) => Err(Problem::body("the body must be one object")),
    }
}

/// A body that names no column changes nothing, as PostgREST has it; under a guard that is an oversight.
fn nothing(terms: &Terms, node: &Node<'_>) -> Result<Answer, Problem> {
    if terms.guard != Guard::None {
        return Err(Problem::body("the body names no column to change"));
    }
    if terms.form.is_single() {
        return Err(super::answer::not_singular(0, super::answer::Exact::Yes));
    }
    Ok(change::respond(terms, node, Outcome::nothing(), Range::Counted))
}

/// The plan that sets `columns` to what `json` says.
pub(super) fn compile(
    write: &Write<'_>,
    node: &Node<'_>,
    terms: &Terms,
    columns: &[&Column],
    json: Bytes,
) -> Result<Plan, Problem> {
    let wanted = terms.wanted();
    let reread = settle::of_rows(node, wanted, |after| after.update)?;
    let mut statement = Statement::new();
    statement
        .push("update ")
        .push(&write.table.qualified)
        .push(" as t set ");
    for (place, column) in columns.iter().enumerate() {
        statement.push(if place > 0 { ", " } else { "" });
        statement.name(&column.name).push(" = ").column("r", &column.name);
    }
    statement
        .push(" from json_to_record(")
        .param(Param::Body(json))
        .push(") as r(");
    statement.definitions(columns.iter().copied()).push(")");
    change::push_where(&mut statement, node, &terms.guard)?;
    let wanted = settle::first(wanted, reread.as_ref());
    returning::complete(&mut statement, node, wanted, Also::Nothing)?;
    Ok(Plan {
        statement,
        wanted,
        reread,
    })
}
