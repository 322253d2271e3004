//! `/rpc/<function>`: functions of the service's own migrations.
//!
//! `GET` takes arguments from the query string and calls what changes nothing; `POST` takes them from an object in the
//! body. Which of several functions of a name is meant, the names of the arguments say. What gives rows is filtered,
//! ordered, cut and shown like a table.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use bytes::Bytes;
use freehold_manifest::model::Service;
use serde_json::value::RawValue;

use super::answer::{self, Answer, Extent};
use super::body::{self, Document, Fields};
use super::execute::{Runner, Who};
use super::headers::{CALL, Content, Form, accepted, accepted_of_value, content, preferences};
use super::problem::{Problem, nearest};
use super::query::{self, Query};
use super::read::{self, Reading, Source};
use super::sql::{Param, Statement};
use super::table::{Audience, Served, Tables, derived, listed};
use super::{Surface, Wake, fault, pairs};
use crate::access::refusal;
use crate::pg::catalog::{Argument, Catalog, FunctionShape, Kind, Returns, RowShape, TableShape, Volatility};
use crate::pg::ident;

/// The served functions by name.
pub(super) type Functions = BTreeMap<String, Vec<Overload>>;

/// One function of a name.
#[derive(Debug)]
pub(super) struct Overload {
    shape: FunctionShape,
    /// What its rows are like, where they are not those of a served table.
    own: Served,
}

/// A call that is to be made.
#[derive(Debug)]
pub(super) struct Call<'r> {
    function: &'r FunctionShape,
    passed: Vec<Passed<'r>>,
}

/// One argument.
#[derive(Debug)]
struct Passed<'r> {
    argument: &'r Argument,
    value: Given,
}

/// What is given for an argument.
#[derive(Debug)]
enum Given {
    Null,
    /// What the type reads.
    Text(String),
    /// The rest of the arguments, each a text.
    Texts(Vec<String>),
    /// JSON that becomes an array or a row.
    Json(String),
}

/// Brings the manifest and the catalog together; a listed function that the server does not have is left out with a
/// warning.
pub(super) fn assemble(service: &Service, catalog: &Catalog, audience: Audience) -> Functions {
    let mut served = Functions::new();
    for listed in service.functions.iter().filter(|f| audience.includes(f.served)) {
        let Some(overloads) = catalog.functions.get(&listed.name) else {
            tracing::warn!(
                function = listed.name,
                "a listed function is not in the database and is not served"
            );
            continue;
        };
        let overloads = overloads.iter().map(|shape| Overload {
            own: own_rows(shape, service, catalog),
            shape: shape.clone(),
        });
        served.insert(listed.name.clone(), overloads.collect());
    }
    served
}

fn own_rows(function: &FunctionShape, service: &Service, catalog: &Catalog) -> Served {
    let none = RowShape {
        of: None,
        columns: Vec::new(),
    };
    let rows = match &function.returns {
        Returns::Row(rows) | Returns::Rows(rows) => rows,
        Returns::Nothing | Returns::Value(_) | Returns::Values(_) => &none,
    };
    let of = rows.of.as_ref();
    let known = of.and_then(|name| catalog.tables.get(name).or_else(|| catalog.views.get(name)));
    let shape = TableShape {
        schema: function.schema.clone(),
        name: function.name.clone(),
        columns: known.map_or_else(|| rows.columns.clone(), |table| table.columns.clone()),
        ..TableShape::default()
    };
    // Rows of a table that is not served itself keep to themselves what it hides.
    let hidden = of
        .and_then(|name| service.table(name))
        .map(|table| table.hidden.clone());
    derived(shape, hidden.unwrap_or_default())
}

impl Overload {
    /// What its rows are like.
    fn rows<'t>(&'t self, tables: &'t Tables) -> &'t Served {
        let (Returns::Row(rows) | Returns::Rows(rows)) = &self.shape.returns else {
            return &self.own;
        };
        let of = rows.of.as_ref().and_then(|name| tables.get(name));
        of.unwrap_or(&self.own)
    }
}

impl Call<'_> {
    /// Whether it may change something, and must not be made twice.
    pub(super) fn is_volatile(&self) -> bool {
        self.function.volatility == Volatility::Volatile
    }

    /// Appends `"schema"."function"("a" => $1::text::int4)`.
    pub(super) fn push(&self, sql: &mut Statement) {
        sql.push(&ident::qualified(&self.function.schema, &self.function.name));
        sql.push("(");
        for (at, Passed { argument, value }) in self.passed.iter().enumerate() {
            sql.push(if at > 0 { ", " } else { "" });
            if argument.variadic {
                sql.push("variadic ");
            }
            if !argument.name.is_empty() {
                sql.name(&argument.name).push(" => ");
            }
            let cast = &argument.value.cast;
            match value {
                Given::Null => drop(sql.push("null::").push(cast)),
                Given::Text(text) => drop(sql.param(Param::Value(text.clone())).push("::").push(cast)),
                Given::Texts(texts) => drop(sql.param(Param::Values(texts.clone())).push("::").push(cast)),
                Given::Json(json) => {
                    sql.push("(select r.v from json_to_record(");
                    sql.param(Param::Value(json.clone()));
                    sql.push("::json) as r(v ").push(cast).push("))");
                }
            }
        }
        sql.push(")");
    }
}

/// A request for a function.
pub(super) struct Asked<'r> {
    pub(super) surface: &'r Surface,
    pub(super) runner: Runner<'r>,
    pub(super) method: &'r Method,
    pub(super) path: &'r str,
    pub(super) text: &'r str,
    pub(super) headers: &'r HeaderMap,
    pub(super) body: Bytes,
}

/// Calls the function of that name.
///
/// # Errors
/// 404 when no function takes these arguments, 405 for a GET of one that may change something, and what its rows or its
/// own SQL refuse.
pub(super) async fn call(asked: Asked<'_>, name: &str) -> Result<Answer, Problem> {
    let Asked {
        surface,
        method,
        text,
        headers,
        ..
    } = asked;
    let overloads = surface.functions.get(name).ok_or_else(|| unknown(&asked, name))?;
    if method == Method::OPTIONS {
        let mut response = answer::empty(StatusCode::OK);
        let allow = allow(overloads);
        response.headers_mut().insert(axum::http::header::ALLOW, allow);
        return Ok(response);
    }
    let by_url = method == Method::GET || method == Method::HEAD;
    if !by_url && method != Method::POST {
        let message = format!("`/rpc/{name}` does not answer {method}");
        return Err(fault::not_allowed(allow(overloads), message));
    }
    let names: Vec<&str> = match by_url {
        true => overloads
            .iter()
            .flat_map(|o| &o.shape.arguments)
            .map(|a| a.name.as_str())
            .collect(),
        false => Vec::new(),
    };
    let parsed = query::parse(text, &surface.limits, &names);
    let mut query = parsed.map_err(|problem| match by_url {
        true => not_taken(overloads, name, text, &names).unwrap_or(problem),
        false => problem,
    })?;
    let arguments = std::mem::take(&mut query.arguments);
    if by_url {
        let (overload, passed) = by_query(overloads, name, &arguments)?;
        let call = Call {
            function: &overload.shape,
            passed,
        };
        if call.is_volatile() {
            let message = format!("`{name}` may change something: it is called by POST");
            return Err(fault::not_allowed(allow(overloads), message));
        }
        return run(&asked, overload, &call, &query).await;
    }
    let (overload, passed) = match content(headers)? {
        Content::Pairs => by_query(overloads, name, &pairs::read(body::text(&asked.body)?)?)?,
        content => by_body(overloads, name, &asked.body, content, surface)?,
    };
    let call = Call {
        function: &overload.shape,
        passed,
    };
    run(&asked, overload, &call, &query).await
}

fn allow(overloads: &[Overload]) -> HeaderValue {
    let reads = overloads.iter().any(|o| o.shape.volatility != Volatility::Volatile);
    HeaderValue::from_static(if reads {
        "OPTIONS, GET, HEAD, POST"
    } else {
        "OPTIONS, POST"
    })
}

fn unknown(asked: &Asked<'_>, name: &str) -> Problem {
    if asked.runner.who == Who::Nobody {
        return refusal::no_token();
    }
    let surface = asked.surface;
    let message = format!("this service serves no function `{name}`");
    let problem = Problem::new(StatusCode::NOT_FOUND, "unknown-function", "PGRST202", message);
    match nearest(name, surface.functions.keys().map(String::as_str)) {
        Some(known) => problem.with_hint(format!("perhaps `{known}` is meant")),
        None => problem,
    }
}

/// The one function that takes arguments of these names.
fn choose<'o>(overloads: &'o [Overload], name: &str, given: &[&str]) -> Result<&'o Overload, Problem> {
    let takes = |o: &&Overload| {
        let arguments = &o.shape.arguments;
        given.iter().all(|g| arguments.iter().any(|a| a.name == *g))
            && arguments
                .iter()
                .all(|a| a.has_default || a.variadic || given.contains(&a.name.as_str()))
    };
    let mut fitting = overloads.iter().filter(takes);
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(Problem::new(
            StatusCode::MULTIPLE_CHOICES,
            "ambiguous-function",
            "PGRST203",
            format!("Could not choose the best candidate function between several of the name `{name}`"),
        )
        .with_hint("the names of the arguments must tell them apart")),
        (None, _) => Err(no_fit(overloads, name, given)),
    }
}

/// The refusal of a part that is neither a filter nor an argument of the function.
fn not_taken(overloads: &[Overload], name: &str, text: &str, known: &[&str]) -> Option<Problem> {
    const OTHERS: [&str; 6] = ["select", "order", "limit", "offset", "after", "columns"];
    let decode = |part: &str| {
        percent_encoding::percent_decode_str(part)
            .decode_utf8_lossy()
            .into_owned()
    };
    let parts = text.split('&').filter_map(|part| part.split_once('='));
    let given: Vec<String> = parts
        .map(|(name, value)| (decode(name), decode(value)))
        .filter(|(name, value)| {
            !OTHERS.contains(&name.as_str()) && (known.contains(&name.as_str()) || !query::is_test(value))
        })
        .map(|(name, _)| name)
        .collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let unknown = given.iter().any(|name| !known.contains(name) && !name.contains('.'));
    unknown.then(|| no_fit(overloads, name, &given))
}

fn no_fit(overloads: &[Overload], name: &str, given: &[&str]) -> Problem {
    let with = match given {
        [] => "without arguments".to_owned(),
        _ => format!("with {}", listed(given.iter().copied())),
    };
    let signatures: Vec<String> = overloads
        .iter()
        .map(|o| {
            let arguments = o.shape.arguments.iter();
            let arguments: Vec<String> = arguments.map(|a| format!("{} {}", a.name, a.value.name)).collect();
            format!("{name}({})", arguments.join(", "))
        })
        .collect();
    let message = format!("Could not find the function `{name}` {with}");
    Problem::new(StatusCode::NOT_FOUND, "unknown-function", "PGRST202", message)
        .with_hint(format!("there is {}", signatures.join("; ")))
}

fn by_query<'o>(
    overloads: &'o [Overload],
    name: &str,
    arguments: &[(String, String)],
) -> Result<(&'o Overload, Vec<Passed<'o>>), Problem> {
    let mut names: Vec<&str> = arguments.iter().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    let overload = choose(overloads, name, &names)?;
    let mut passed = Vec::new();
    for argument in &overload.shape.arguments {
        let mut values = arguments
            .iter()
            .filter(|(name, _)| *name == argument.name)
            .map(|(_, v)| v);
        let value = match (argument.variadic, values.clone().count()) {
            (false, 0) => continue,
            (true, _) => Given::Texts(values.cloned().collect()),
            (false, _) => match values.next_back() {
                Some(value) => Given::Text(value.clone()),
                None => Given::Null,
            },
        };
        passed.push(Passed { argument, value });
    }
    Ok((overload, passed))
}

fn by_body<'o>(
    overloads: &'o [Overload],
    name: &str,
    body: &Bytes,
    content: Content,
    surface: &Surface,
) -> Result<(&'o Overload, Vec<Passed<'o>>), Problem> {
    // One argument without a name takes the body as it is.
    let whole = |base: &[&str]| {
        overloads.iter().find_map(|o| match o.shape.arguments.as_slice() {
            [only] if only.name.is_empty() && base.contains(&only.value.base.as_str()) => Some((o, only)),
            _ => None,
        })
    };
    let wanted: &[&str] = match content {
        Content::Text => &["text", "varchar", "bpchar"],
        _ => &["json", "jsonb"],
    };
    let json = match content {
        Content::Text => body.clone(),
        _ => body::to_json(body.clone(), content, &TableShape::default())?,
    };
    let text = std::str::from_utf8(&json).map_err(|_| Problem::body("the body is not UTF-8"))?;
    if let Some((overload, argument)) = whole(wanted) {
        if content != Content::Text {
            body::check(text, &surface.limits)?;
        } else if text.contains('\0') {
            return Err(Problem::body(
                "the body contains a NUL character, which PostgreSQL cannot store",
            ));
        }
        let value = Given::Text(text.to_owned());
        return Ok((overload, vec![Passed { argument, value }]));
    }
    if content == Content::Text {
        return Err(no_fit(overloads, name, &[]));
    }
    let document = match text.trim().is_empty() {
        true => Document::One(Fields::default()),
        false => body::parse(text, &surface.limits)?,
    };
    let Document::One(fields) = document else {
        return Err(Problem::body("the body must be one object with the arguments"));
    };
    let names: Vec<&str> = fields.0.iter().map(|(name, _)| name.as_ref()).collect();
    let overload = choose(overloads, name, &names)?;
    let mut passed = Vec::new();
    for argument in &overload.shape.arguments {
        let value = match fields.get(&argument.name) {
            Some(value) => given(argument, value)?,
            None if argument.variadic => Given::Texts(Vec::new()),
            None => continue,
        };
        passed.push(Passed { argument, value });
    }
    Ok((overload, passed))
}

/// A value of the body as the argument's type reads it.
fn given(argument: &Argument, value: &RawValue) -> Result<Given, Problem> {
    let text = value.get();
    Ok(match (text.bytes().next(), argument.value.kind) {
        (_, Kind::Json) => Given::Text(text.to_owned()),
        (Some(b'n'), _) => Given::Null,
        (Some(b'"'), _) => {
            let text: String = serde_json::from_str(text).map_err(|e| body::invalid(&e))?;
            if text.contains('\0') {
                let message = format!(
                    "`{}` contains a NUL character, which PostgreSQL cannot store",
                    argument.name
                );
                return Err(Problem::body(message));
            }
            Given::Text(text)
        }
        (Some(b'[' | b'{'), _) => Given::Json(format!("{{\"v\":{text}}}")),
        _ => Given::Text(text.to_owned()),
    })
}

async fn run(asked: &Asked<'_>, overload: &Overload, call: &Call<'_>, query: &Query) -> Result<Answer, Problem> {
    let _wake = Wake(&asked.surface.written);
    match &overload.shape.returns {
        Returns::Nothing => value(asked, overload, call, Shown::Nothing).await,
        Returns::Value(_) => value(asked, overload, call, Shown::One).await,
        Returns::Values(_) => value(asked, overload, call, Shown::Many).await,
        Returns::Row(_) | Returns::Rows(_) => {
            let source = match &overload.shape.returns {
                Returns::Row(_) => Source::One(call),
                _ => Source::Call(call),
            };
            let tables = &asked.surface.tables;
            read::rows(Reading {
                runner: asked.runner,
                tables,
                limits: &asked.surface.limits,
                table: overload.rows(tables),
                source,
                query,
                path: asked.path,
                text: asked.text,
                method: asked.method,
                headers: asked.headers,
            })
            .await
        }
    }
}

/// What is shown of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Nothing,
    One,
    Many,
}

/// Calls a function that gives no rows.
async fn value(asked: &Asked<'_>, overload: &Overload, call: &Call<'_>, shown: Shown) -> Result<Answer, Problem> {
    let Asked {
        surface,
        runner,
        headers,
        ..
    } = asked;
    // Several values are an array.
    let form = match shown {
        Shown::Many => accepted(headers)?,
        Shown::Nothing | Shown::One => accepted_of_value(headers)?,
    };
    let preferences = preferences(headers, CALL)?;
    let limit = surface.limits.rows;
    let mut sql = Statement::new();
    sql.push(match (shown, form) {
        (Shown::Nothing, _) => "select null::text, ",
        (_, Form::Text) => "select t.v::text, ",
        _ => "select to_json(t.v)::text, ",
    });
    sql.push("pg_current_xact_id_if_assigned()::text::int8 from ");
    call.push(&mut sql);
    sql.push(" as t(v)");
    if shown == Shown::Many {
        sql.push(" limit ").number(limit);
    }
    let outcome = match call.is_volatile() {
        true => runner.write(&sql).await,
        false => runner.read(&sql).await,
    };
    let found = outcome
        .map_err(|f| f.into_problem(&overload.own, &surface.tables))?
        .rows;
    let transaction = found.first().and_then(answer::version);
    let mut response = match (shown, form) {
        (Shown::Nothing, _) => answer::empty(StatusCode::NO_CONTENT),
        (Shown::Many, _) => {
            let count = found.len() as u64;
            let mut response = answer::rows(StatusCode::OK, Form::Array, answer::array(&found));
            let extent = Extent {
                first: Some(0),
                count,
                total: preferences.count.filter(|_| count < limit).map(|_| count),
            };
            extent.describe(&mut response);
            response
        }
        (Shown::One, form) => {
            let form = if form == Form::Text { Form::Text } else { Form::Array };
            let body = found.into_iter().next().map(answer::held).unwrap_or_default();
            let body = if body.is_empty() && form != Form::Text {
                Bytes::from_static(b"null")
            } else {
                body
            };
            answer::rows(StatusCode::OK, form, body)
        }
    };
    answer::set_transaction(&mut response, transaction.and_then(|n| u64::try_from(n).ok()));
    answer::set_applied(&mut response, &preferences);
    Ok(response)
}
