//! `GET` and `HEAD`: one statement, whose JSON is passed on as PostgreSQL wrote it.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use super::answer::{self, Exact};
use super::execute::Runner;
use super::guard::{Tags, etag, if_none_match};
use super::headers::{Form, accepted};
use super::limits::ROWS_MAX;
use super::problem::Problem;
use super::query::Query;
use super::sql::{Param, Statement, pins_one, push_filters, push_order, push_select, push_version};
use super::table::{Served, Tables};

/// Says that the answer was cut at [`ROWS_MAX`] although more was asked for.
const ROWS_LIMIT: HeaderName = HeaderName::from_static("freehold-rows-limit");

/// Answers with the rows `query` asks for.
pub(super) async fn rows(
    runner: Runner<'_>,
    tables: &Tables,
    table: &Served,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Response<Body>, Problem> {
    let form = accepted(headers)?;
    let known = if_none_match(headers)?;
    let pinned = pins_one(table, &query.filters);
    if form == Form::Object || pinned {
        return one(runner, tables, table, query, form, &known).await;
    }
    list(runner, tables, table, query).await
}

/// One row at most, or the refusal of more: a row of the statement is a row of the table.
async fn one(
    runner: Runner<'_>,
    tables: &Tables,
    table: &Served,
    query: &Query,
    form: Form,
    known: &Tags,
) -> Result<Response<Body>, Problem> {
    let statement = select_one(table, query, form)?;
    let outcome = runner.read(&statement).await;
    let mut found = outcome.map_err(|f| f.into_problem(table, tables))?.rows;
    if form == Form::Object && found.len() != 1 {
        let exact = if found.len() > 1 { Exact::AtLeast } else { Exact::Yes };
        return Err(answer::not_singular(found.len() as u64, exact));
    }
    let Some(row) = found.pop() else {
        let mut response = answer::rows(StatusCode::OK, form, "[]".into());
        answer::set_range(&mut response, query.offset, 0);
        return Ok(response);
    };
    let version = answer::version(&row);
    if let Some(version) = version
        && is_known(known, version)
    {
        let mut response = answer::empty(StatusCode::NOT_MODIFIED);
        response.headers_mut().insert(header::ETAG, etag(version));
        return Ok(response);
    }
    let mut response = answer::rows(StatusCode::OK, form, answer::held(row));
    answer::set_range(&mut response, query.offset, 1);
    answer::set_version(&mut response, version);
    Ok(response)
}

fn is_known(known: &Tags, version: i64) -> bool {
    match known {
        Tags::Absent => false,
        Tags::Any => true,
        Tags::Listed(versions) => versions.contains(&version),
    }
}

fn select_one(table: &Served, query: &Query, form: Form) -> Result<Statement, Problem> {
    let mut statement = Statement::new();
    statement.push(match form {
        Form::Object => "select row_to_json(r)::text, ",
        Form::Array => "select '[' || row_to_json(r)::text || ']', ",
    });
    push_version(&mut statement, table, "t");
    statement
        .push(" from ")
        .push(&table.qualified)
        .push(" as t cross join lateral (select ");
    push_select(&mut statement, table, query)?;
    statement.push(") as r");
    push_filters(&mut statement, table, &query.filters)?;
    push_order(&mut statement, table, &query.order)?;
    // A second row is all it takes to refuse.
    let pinned = pins_one(table, &query.filters);
    match query.limit {
        Some(limit) => drop(statement.push(" limit ").number(limit.min(2))),
        None if !pinned => drop(statement.push(" limit 2")),
        None => {}
    }
    push_offset(&mut statement, query);
    Ok(statement)
}

async fn list(runner: Runner<'_>, tables: &Tables, table: &Served, query: &Query) -> Result<Response<Body>, Problem> {
    let statement = select_list(table, query)?;
    let outcome = runner.read(&statement).await;
    let mut found = outcome.map_err(|f| f.into_problem(table, tables))?.rows;
    let Some(row) = found.pop() else {
        return Ok(answer::rows(StatusCode::OK, Form::Array, "[]".into()));
    };
    // The second column of this statement is the count.
    let count = answer::version(&row).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let mut response = answer::rows(StatusCode::OK, Form::Array, answer::held(row));
    answer::set_range(&mut response, query.offset, count);
    if count == ROWS_MAX && query.limit.is_none_or(|l| l > ROWS_MAX) {
        response.headers_mut().insert(ROWS_LIMIT, HeaderValue::from(ROWS_MAX));
    }
    Ok(response)
}

fn select_list(table: &Served, query: &Query) -> Result<Statement, Problem> {
    let mut statement = Statement::new();
    statement.push("select coalesce(json_agg(row_to_json(r)), '[]')::text, count(*) from (select ");
    push_select(&mut statement, table, query)?;
    statement.push(" from ").push(&table.qualified).push(" as t");
    push_filters(&mut statement, table, &query.filters)?;
    push_order(&mut statement, table, &query.order)?;
    // A number in the text, not a parameter: the planner must see how few rows are wanted.
    let limit = query.limit.unwrap_or(ROWS_MAX).min(ROWS_MAX);
    statement.push(" limit ").number(limit);
    push_offset(&mut statement, query);
    statement.push(") as r");
    Ok(statement)
}

fn push_offset(statement: &mut Statement, query: &Query) {
    if query.offset > 0 {
        let offset = i64::try_from(query.offset).unwrap_or(i64::MAX);
        statement.push(" offset ").param(Param::Number(offset));
    }
}
