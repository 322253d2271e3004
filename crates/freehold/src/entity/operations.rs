//! `POST /transaction`: several operations, carried out in order in one transaction; all of them, or none.
//!
//! Each is read like a request of its own, with its own headers and its own guard, and sees what those before it did.
//! JSON passes through as it came and as PostgreSQL wrote it.

use std::collections::BTreeMap;

use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use bytes::{BufMut, Bytes, BytesMut};
use freehold_manifest::model::Limits;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{self, Answer, Transaction};
use super::execute::Runner;
use super::headers::{Content, Form, WHOLE, content, preferences};
use super::idempotency::IDEMPOTENCY_KEY;
use super::limits::RESULTS_BYTES_MAX;
use super::problem::Problem;
use super::receive::{Asked, check_url};
use super::{Surface, http};

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    asked: Asked,
    /// Path and query as they were written, to name it by.
    path: String,
}

/// What the body says of one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'b> {
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(borrow, default)]
    body: Option<&'b RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole<'b> {
    #[serde(borrow)]
    operations: Vec<&'b RawValue>,
}

/// Reads the operations of a body: `{"operations": […]}`, or the bare array.
///
/// # Errors
/// A 400 that names the operation, counted from 0, for whatever is not understood in it.
pub(super) fn read(asked: &Asked, limits: &Limits) -> Result<Vec<Operation>, Problem> {
    if content(&asked.headers)? != Content::Json {
        let problem = Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "PGRST102",
            "a transaction is written in JSON",
        );
        return Err(problem.with_hint("send application/json"));
    }
    let is_array = asked.body.trim_ascii_start().starts_with(b"[");
    let written: Result<Vec<&RawValue>, _> = match is_array {
        true => serde_json::from_slice(&asked.body),
        false => serde_json::from_slice(&asked.body).map(|whole: Whole<'_>| whole.operations),
    };
    let written = written.map_err(|error| {
        Problem::body(format!("the body is no list of operations: {error}"))
            .with_hint(r#"send {"operations": [{"method": "POST", "path": "/orders", "body": {…}}, …]}"#)
    })?;
    let (count, most) = (written.len() as u64, limits.operations);
    if count > most {
        let message = format!("a transaction holds at most {most} operations, and these are {count}");
        return Err(Problem::body(message));
    }
    let each = written.into_iter().enumerate();
    each.map(|(place, raw)| {
        one(raw, &asked.body, limits).map_err(|problem| {
            let which = format!("operation {place} is not understood");
            problem.with_details(which).with_member("operation", place)
        })
    })
    .collect()
}

fn one(raw: &RawValue, whole: &Bytes, limits: &Limits) -> Result<Operation, Problem> {
    let written: Written<'_> = serde_json::from_str(raw.get()).map_err(|e| Problem::body(e.to_string()))?;
    let method = method(&written.method)?;
    let (path, query) = parts(&written.path, limits)?;
    let headers = headers(&written.headers)?;
    let body = match written.body {
        None => Bytes::new(),
        Some(_) if method == Method::GET || method == Method::DELETE => {
            return Err(Problem::body(format!("a {method} takes no body")));
        }
        Some(body) => payload(body, &headers, whole)?,
    };
    Ok(Operation {
        asked: Asked {
            method,
            path,
            query,
            headers,
            body,
        },
        path: written.path,
    })
}

fn method(name: &str) -> Result<Method, Problem> {
    let known = [Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE];
    let found = known.into_iter().find(|m| m.as_str() == name);
    found.ok_or_else(|| Problem::body("`method` is none of GET, POST, PATCH, PUT and DELETE"))
}

fn parts(path: &str, limits: &Limits) -> Result<(String, String), Problem> {
    let is_ours = path.starts_with('/') && !path.starts_with("//") && !path.contains('#');
    let Some(parsed) = is_ours.then(|| path.parse::<PathAndQuery>().ok()).flatten() else {
        return Err(Problem::body("`path` is no path of this service").with_hint("write it as /orders?id=eq.7"));
    };
    let (path, query) = (parsed.path(), parsed.query().unwrap_or_default());
    check_url(path, query, limits)?;
    if path == "/transaction" {
        return Err(Problem::body("a transaction holds no transaction"));
    }
    Ok((path.to_owned(), query.to_owned()))
}

fn headers(written: &BTreeMap<String, String>) -> Result<HeaderMap, Problem> {
    let mut headers = HeaderMap::new();
    for (name, value) in written {
        let malformed = || Problem::body(format!("`{name}` is no header"));
        let name = HeaderName::try_from(name).map_err(|_| malformed())?;
        let value = HeaderValue::try_from(value).map_err(|_| malformed())?;
        headers.append(name, value);
    }
    if headers.contains_key(&IDEMPOTENCY_KEY) {
        return Err(Problem::body("an Idempotency-Key stands for the whole transaction"));
    }
    let said = preferences(&headers, WHOLE)?;
    if said.tx.is_some() || said.timezone.is_some() {
        let message = "`Prefer: tx` and `timezone` stand for the whole transaction";
        return Err(Problem::body(message));
    }
    Ok(headers)
}

/// The bytes of a body: JSON as it is written there, anything else as the text of a string.
fn payload(body: &RawValue, headers: &HeaderMap, whole: &Bytes) -> Result<Bytes, Problem> {
    if content(headers)? == Content::Json {
        // It was read in place.
        return Ok(whole.slice_ref(body.get().as_bytes()));
    }
    let text: Result<String, _> = serde_json::from_str(body.get());
    text.map(Bytes::from)
        .map_err(|_| Problem::body("a body that is not JSON is written as a string"))
}

/// Carries the operations out, in a transaction that is open.
///
/// # Errors
/// The first operation's that fails, with its place and path.
pub(super) async fn perform(
    surface: &Surface,
    runner: Runner<'_>,
    operations: &[Operation],
) -> Result<Answer, Problem> {
    let mut transaction = None;
    let mut results = BytesMut::from(&b"{\"results\":["[..]);
    for (place, operation) in operations.iter().enumerate() {
        let done = http::perform(surface, runner, &operation.asked).await;
        let done = done.and_then(|answer| {
            if place > 0 {
                results.put_u8(b',');
            }
            transaction = answer.extensions().get::<Transaction>().map(|t| t.0).or(transaction);
            put(&mut results, &answer);
            match results.len() > RESULTS_BYTES_MAX {
                true => Err(too_large()),
                false => Ok(()),
            }
        });
        if let Err(problem) = done {
            let problem = problem.with_member("operation", place);
            return Err(problem.with_member("path", operation.path.as_str()));
        }
    }
    results.extend_from_slice(b"]}");
    let mut answer = answer::rows(StatusCode::OK, Form::Array, results.freeze());
    answer::set_transaction(&mut answer, transaction);
    Ok(answer)
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "answer-too-large",
        "FH422",
        format!("the answers are larger than {RESULTS_BYTES_MAX} bytes together; nothing was carried out"),
    )
    .with_hint("ask for return=minimal, or for fewer rows")
}

/// Appends an answer as JSON.
fn put(results: &mut BytesMut, answer: &Answer) {
    let mut headers: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in answer.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        let said = headers.entry(name.as_str()).or_default();
        if !said.is_empty() {
            said.push_str(", ");
        }
        said.push_str(&value);
    }
    let status = answer.status().as_u16();
    let start = format!(
        r#"{{"status":{status},"headers":{},"body":"#,
        serde_json::json!(headers)
    );
    results.extend_from_slice(start.as_bytes());
    let body = answer.body();
    if body.is_empty() {
        results.extend_from_slice(b"null");
    } else if is_json(answer.headers()) {
        results.extend_from_slice(body);
    } else {
        let text = serde_json::Value::from(String::from_utf8_lossy(body));
        results.extend_from_slice(text.to_string().as_bytes());
    }
    results.put_u8(b'}');
}

fn is_json(headers: &HeaderMap) -> bool {
    let of = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let essence = of.and_then(|t| t.split(';').next()).unwrap_or_default().trim_ascii();
    essence == "application/json" || essence.ends_with("+json")
}
