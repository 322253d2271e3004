//! `POST`: rows, and the rows within them, in one statement.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_postgres::Row;

use super::answer::{self, Exact};
use super::body::{self, Document};
use super::fields::{self, Level};
use super::headers::{Form, accepted, content, preferences};
use super::http::Write;
use super::nest::Tail;
use super::problem::Problem;
use super::query::Query;
use super::returning::{self, Rows, Wanted};
use super::settle::Plan;
use super::sql::{Param, Statement};
use super::table::Served;
use super::{Wake, nest, settle};

/// What stays as it is in a value of `Location`: letters, digits and what RFC 3986 leaves unreserved.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Writes the rows of the body; all or none.
pub(super) async fn rows(write: Write<'_>, body: Bytes) -> Result<Response<Body>, Problem> {
    let Write {
        surface,
        runner,
        table,
        query,
        headers,
    } = write;
    let form = accepted(headers)?;
    let preferences = preferences(headers);
    if !query.filters.is_empty() || query.limit.is_some() || query.offset > 0 {
        return Err(Problem::grammar("a POST takes neither filters nor limit and offset"));
    }
    let json = body::to_json(body, content(headers)?, &table.shape)?;
    // Checked in to_json; the empty text would be refused as an empty body.
    let text = std::str::from_utf8(&json).unwrap_or_default();
    let document = body::parse(text)?;
    let count = document.rows().len();
    if form == Form::Object && count != 1 {
        return Err(answer::not_singular(count as u64, Exact::Yes));
    }
    let level = fields::resolve(&surface.tables, table, &document, query.columns.as_deref())?;
    let found = if count == 0 {
        Vec::new()
    } else {
        let number = if count == 1 { Rows::AtMostOne } else { Rows::Any };
        let wanted = returning::wanted(preferences.answer, number);
        let shape = Shape::of(&document);
        drop(document);
        let plan = compile(&level, &query, shape, json, wanted)?;
        let _wake = Wake(&surface.written);
        let outcome = plan.carry_out(runner, None).await;
        outcome.map_err(|f| f.into_problem(table, &surface.tables))?.rows
    };
    let identity = match found.as_slice() {
        [row] if count == 1 => Some((answer::version(row), location(table, row))),
        _ => None,
    };
    let created = StatusCode::CREATED;
    let mut response = answer::written(preferences, form, created, created, found);
    if let Some((version, location)) = identity {
        answer::set_version(&mut response, version);
        if let Some(location) = location {
            response.headers_mut().insert(header::LOCATION, location);
        }
    }
    answer::set_range(&mut response, 0, 0);
    Ok(response)
}

/// Whether the body is an object or an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Object,
    Array,
}

impl Shape {
    fn of(document: &Document<'_>) -> Self {
        match document {
            Document::One(_) => Self::Object,
            Document::Many(_) => Self::Array,
        }
    }
}

fn compile(level: &Level<'_>, query: &Query, shape: Shape, json: Bytes, wanted: Wanted) -> Result<Plan, Problem> {
    let reread = settle::of_roots(level, query, wanted)?;
    if !level.nested.is_empty() || (level.columns.is_empty() && level.rows > 1) {
        let tail = match (wanted, &reread) {
            (Wanted::Rows, None) => Tail::Rows,
            (Wanted::Rows, Some(_)) => Tail::Keys,
            (Wanted::Identity | Wanted::Count, _) => Tail::Identity,
        };
        let statement = nest::compile(level, query, shape, json, tail)?;
        return Ok(Plan { statement, reread });
    }
    let table = level.table;
    let mut statement = Statement::new();
    statement.push("insert into ").push(&table.qualified).push(" as t ");
    if level.columns.is_empty() {
        statement.push("default values");
    } else {
        let columns = || level.columns.iter().copied();
        statement.push("(").names(columns()).push(") select ");
        statement.columns("r", columns()).push(match shape {
            Shape::Object => " from json_to_record(",
            Shape::Array => " from json_to_recordset(",
        });
        statement.param(Param::Body(json)).push("::json) as r(");
        statement.definitions(columns()).push(")");
    }
    returning::push(&mut statement, table, query, settle::first(wanted, reread.as_ref()))?;
    Ok(Plan { statement, reread })
}

/// Where the new row is: `/orders?id=eq.7`.
fn location(table: &Served, row: &Row) -> Option<HeaderValue> {
    /// Columns before the key: the row and its version.
    const BEFORE: usize = 2;
    if table.shape.key.is_empty() {
        return None;
    }
    let mut url = format!("/{}", utf8_percent_encode(&table.shape.name, VALUE));
    for (place, name) in table.shape.key.iter().enumerate() {
        let value: &str = row.try_get(BEFORE + place).ok()?;
        url.push(if place == 0 { '?' } else { '&' });
        url.extend(utf8_percent_encode(name, VALUE));
        url.push_str("=eq.");
        url.extend(utf8_percent_encode(value, VALUE));
    }
    HeaderValue::try_from(url).ok()
}
