//! `POST`: rows, and the rows within them, in one statement.

use axum::http::{HeaderValue, StatusCode, header};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_postgres::Row;

use super::Wake;
use super::answer::{self, Answer, Exact, Extent};
use super::body::{self, Document};
use super::fields::{self, Level};
use super::headers::{INSERT, Missing, Preferences, Resolution, accepted, content, preferences};
use super::http::Write;
use super::nest::{self, Tail};
use super::plan::{Node, plan};
use super::problem::Problem;
use super::returning::{self, Also, BEFORE_KEY, Rows, Wanted};
use super::settle::{self, Asked, Plan};
use super::sql::{Param, Statement};
use super::table::Served;
use crate::pg::catalog::Column;
use crate::pg::ident;

/// What stays as it is in a value of `Location`: letters, digits and what RFC 3986 leaves unreserved.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Writes the rows of the body; all or none.
pub(super) async fn rows(write: Write<'_>, body: Bytes) -> Result<Answer, Problem> {
    let Write {
        surface,
        runner,
        table,
        query,
        headers,
    } = write;
    let form = accepted(headers)?;
    let preferences = preferences(headers, INSERT)?;
    let rows = &query.rows;
    if !rows.filters.is_empty() || rows.limit.is_some() || rows.offset > 0 || query.after.is_some() {
        return Err(Problem::grammar("a POST takes neither filters nor limit and offset"));
    }
    let json = body::to_json(body, content(headers)?, &table.shape)?;
    // Checked in to_json; the empty text would be refused as an empty body.
    let text = std::str::from_utf8(&json).unwrap_or_default();
    let document = body::parse(text, &surface.limits)?;
    let count = document.rows().len();
    if form.is_single() && count != 1 {
        return Err(answer::not_singular(count as u64, Exact::Yes));
    }
    let level = fields::resolve(
        &surface.tables,
        table,
        &document,
        query.columns.as_deref(),
        &surface.limits,
    )?;
    let node = plan(&surface.tables, table, &query, &surface.limits, form)?;
    let (found, transaction, made) = if count == 0 {
        (Vec::new(), None, Made::New)
    } else {
        let number = if count == 1 { Rows::AtMostOne } else { Rows::Any };
        let posted = Posted {
            level: &level,
            node: &node,
            shape: Shape::of(&document),
            conflict: conflict(table, &query.on_conflict, &preferences)?,
            missing: preferences.missing,
            asked: if node.children.is_empty() {
                Asked::Posted
            } else {
                Asked::Selected
            },
            wanted: returning::wanted(preferences.answer, number),
        };
        let plan = compile(&posted, json.clone())?;
        let _wake = Wake(&surface.written);
        let outcome = plan.carry_out(runner, None).await;
        let outcome = outcome.map_err(|f| f.into_problem(table, &surface.tables))?;
        // Only a row that was there keeps a merging POST from creating.
        let merged = matches!(posted.conflict, Some(Conflict { merges: true, .. }))
            && !outcome.written().is_empty()
            && !outcome.written().iter().any(returning::is_new);
        let made = if merged { Made::Merged } else { Made::New };
        (outcome.rows, outcome.transaction, made)
    };
    let identity = match found.as_slice() {
        [row] if count == 1 => Some((answer::version(row), location(table, row))),
        _ => None,
    };
    let status = match made {
        Made::New => StatusCode::CREATED,
        Made::Merged => StatusCode::OK,
    };
    let mut response = answer::written(&preferences, form, &node, status, status, found);
    if let Some((version, location)) = identity {
        answer::set_version(&mut response, version);
        if let Some(location) = location {
            response.headers_mut().insert(header::LOCATION, location);
        }
    }
    let extent = Extent {
        first: None,
        count: 0,
        total: preferences.count.map(|_| count as u64),
    };
    extent.describe(&mut response);
    answer::set_transaction(&mut response, transaction);
    Ok(response)
}

/// What came of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// At least one is new.
    New,
    /// All were there before.
    Merged,
}

/// What is done about rows that are there already.
#[derive(Debug)]
struct Conflict<'t> {
    /// What they are found by.
    by: Vec<&'t Column>,
    /// Whether they take the values that are posted, or stay as they are.
    merges: bool,
}

fn conflict<'t>(
    table: &'t Served,
    on: &Option<Vec<String>>,
    preferences: &Preferences,
) -> Result<Option<Conflict<'t>>, Problem> {
    let Some(resolution) = preferences.resolution else {
        return Ok(None);
    };
    let names = on.as_ref().unwrap_or(&table.shape.key);
    if names.is_empty() {
        let message = format!("`{}` has no primary key to find rows by", table.shape.name);
        return Err(Problem::grammar(message).with_hint("name unique columns with on_conflict="));
    }
    let by = names.iter().map(|name| table.column(name, "42703"));
    Ok(Some(Conflict {
        by: by.collect::<Result<_, _>>()?,
        merges: resolution == Resolution::MergeDuplicates,
    }))
}

/// A body to be written.
struct Posted<'p> {
    level: &'p Level<'p>,
    node: &'p Node<'p>,
    shape: Shape,
    conflict: Option<Conflict<'p>>,
    missing: Missing,
    asked: Asked,
    wanted: Wanted,
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

fn compile(posted: &Posted<'_>, json: Bytes) -> Result<Plan, Problem> {
    let Posted {
        level,
        node,
        shape,
        wanted,
        ..
    } = *posted;
    let reread = settle::of_roots(level, node, posted.asked, wanted)?;
    if !level.nested.is_empty() || (level.columns.is_empty() && level.rows > 1) {
        if posted.conflict.is_some() {
            return Err(Problem::body("rows with rows within them cannot be merged with others")
                .with_hint("send the rows of one table at a time"));
        }
        let tail = match (wanted, &reread, posted.asked) {
            (Wanted::Rows, None, _) => Tail::Rows,
            (Wanted::Rows, Some(_), Asked::Posted) => Tail::Keys,
            (Wanted::Rows, Some(_), Asked::Selected) | (Wanted::Identity | Wanted::Count, ..) => Tail::Identity,
        };
        return Ok(Plan {
            statement: nest::compile(level, node, shape, json, tail)?,
            wanted: Wanted::Identity,
            reread,
        });
    }
    let table = level.table;
    let mut statement = Statement::new();
    statement.push("insert into ").push(&table.qualified).push(" as t ");
    if level.columns.is_empty() {
        statement.push("default values");
    } else {
        push_posted(&mut statement, posted, json);
    }
    let also = match &posted.conflict {
        None => Also::Nothing,
        Some(conflict) => {
            push_conflict(&mut statement, level, conflict);
            Also::New
        }
    };
    let given = settle::first(wanted, reread.as_ref());
    returning::complete(&mut statement, node, given, also)?;
    Ok(Plan {
        statement,
        wanted: given,
        reread,
    })
}

/// Appends `(columns) select … from` the body.
fn push_posted(statement: &mut Statement, posted: &Posted<'_>, json: Bytes) {
    let columns = || posted.level.columns.iter().copied();
    statement.push("(").names(columns()).push(") select ");
    if posted.missing == Missing::Default {
        // A field that is not there gets the default, one that is null stays null.
        for (place, column) in columns().enumerate() {
            statement.push(if place > 0 { ", " } else { "" });
            let Some(default) = &column.default_expr else {
                statement.column("r", &column.name);
                continue;
            };
            statement.push("case when x.e->").push(&ident::literal(&column.name));
            statement.push(" is null then ").push(default).push(" else ");
            statement.column("r", &column.name).push(" end");
        }
        statement.push(match posted.shape {
            Shape::Object => " from (select ",
            Shape::Array => " from json_array_elements(",
        });
        statement.param(Param::Body(json));
        statement.push(match posted.shape {
            Shape::Object => " as e) as x",
            Shape::Array => ") as x(e)",
        });
        statement.push(" cross join lateral json_to_record(x.e) as r(");
        statement.definitions(columns()).push(")");
        return;
    }
    statement.columns("r", columns()).push(match posted.shape {
        Shape::Object => " from json_to_record(",
        Shape::Array => " from json_to_recordset(",
    });
    statement.param(Param::Body(json)).push(") as r(");
    statement.definitions(columns()).push(")");
}

fn push_conflict(statement: &mut Statement, level: &Level<'_>, conflict: &Conflict<'_>) {
    statement
        .push(" on conflict (")
        .names(conflict.by.iter().copied())
        .push(") do ");
    if !conflict.merges {
        statement.push("nothing");
        return;
    }
    let is_by = |c: &&Column| conflict.by.iter().any(|by| by.name == c.name);
    let set: Vec<&Column> = level.columns.iter().copied().filter(|c| !is_by(c)).collect();
    statement.push("update set ");
    // Without other columns those are set to themselves, so that the row comes back.
    if set.is_empty() {
        statement.excluded(conflict.by.iter().copied());
    } else {
        statement.excluded(set.into_iter());
    }
}

/// Where the new row is: `/orders?id=eq.7`.
fn location(table: &Served, row: &Row) -> Option<HeaderValue> {
    if table.shape.key.is_empty() {
        return None;
    }
    let mut url = format!("/{}", utf8_percent_encode(&table.shape.name, VALUE));
    for (place, name) in table.shape.key.iter().enumerate() {
        let value: &str = row.try_get(BEFORE_KEY + place).ok()?;
        url.push(if place == 0 { '?' } else { '&' });
        url.extend(utf8_percent_encode(name, VALUE));
        url.push_str("=eq.");
        url.extend(utf8_percent_encode(value, VALUE));
    }
    HeaderValue::try_from(url).ok()
}
