//! `PATCH`: given columns of the rows a filter names.

use axum::body::Body;
use axum::http::Response;
use bytes::Bytes;

use super::body::{self, Document, Fields};
use super::change::{self, Range, Terms};
use super::execute::Outcome;
use super::fields;
use super::guard::Guard;
use super::headers::{Content, content};
use super::http::Write;
use super::problem::Problem;
use super::returning;
use super::settle::{self, Plan};
use super::sql::{Param, Statement};
use crate::pg::catalog::Column;

/// Changes rows.
pub(super) async fn rows(write: Write<'_>, body: Bytes) -> Result<Response<Body>, Problem> {
    let json = to_json(&write, body)?;
    let fields = object(&json)?;
    let change = fields::change(write.table, &fields)?;
    let terms = change::terms(&write, change.version)?;
    if change.columns.is_empty() {
        return nothing(&terms);
    }
    let plan = compile(&write, &terms, &change.columns, json.clone())?;
    let outcome = change::carry_out(&write, &plan, &terms).await?;
    Ok(change::respond(&terms, outcome, Range::Counted))
}

/// The body of a PATCH or PUT as JSON.
pub(super) fn to_json(write: &Write<'_>, body: Bytes) -> Result<Bytes, Problem> {
    match content(write.headers)? {
        Content::Json => body::to_json(body, Content::Json, &write.table.shape),
        Content::Csv => Err(Problem::new(
            axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "PGRST102",
            "CSV is read by POST only",
        )
        .with_hint("send application/json")),
    }
}

/// The one object of a body.
pub(super) fn object(json: &Bytes) -> Result<Fields<'_>, Problem> {
    match body::parse(std::str::from_utf8(json).unwrap_or_default())? {
        Document::One(fields) => Ok(fields),
        Document::Many(_) => Err(Problem::body("the body must be one object")),
    }
}

/// A body that names no column changes nothing, as PostgREST has it; under a guard that is an oversight.
fn nothing(terms: &Terms) -> Result<Response<Body>, Problem> {
    if terms.guard != Guard::None {
        return Err(Problem::body("the body names no column to change"));
    }
    if terms.form == super::headers::Form::Object {
        return Err(super::answer::not_singular(0, super::answer::Exact::Yes));
    }
    Ok(change::respond(terms, Outcome::nothing(), Range::Counted))
}

/// The plan that sets `columns` to what `json` says.
pub(super) fn compile(write: &Write<'_>, terms: &Terms, columns: &[&Column], json: Bytes) -> Result<Plan, Problem> {
    let wanted = terms.wanted();
    let reread = settle::of_rows(write.table, &write.query, wanted, |after| after.update)?;
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
        .push("::json) as r(");
    statement.definitions(columns.iter().copied()).push(")");
    change::push_where(&mut statement, write, &terms.guard)?;
    let wanted = settle::first(wanted, reread.as_ref());
    returning::push(&mut statement, write.table, &write.query, wanted)?;
    Ok(Plan { statement, reread })
}
