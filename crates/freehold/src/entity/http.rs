//! From an HTTP request to the module that answers it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use bytes::Bytes;
use freehold_manifest::model::Mode;
use tokio::time::timeout_at;

use super::execute::{Runner, deadline};
use super::limits::{BODY_BYTES_MAX, URL_BYTES_MAX};
use super::problem::{Problem, nearest};
use super::query::{self, Query};
use super::table::Served;
use super::{Surface, fault, insert, read, remove, update, upsert};

/// Answers one request; every refusal is a problem document.
pub(super) async fn answer(State(surface): State<Arc<Surface>>, request: Request) -> Response<Body> {
    match dispatch(&surface, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

/// What a write needs beside its table.
pub(super) struct Write<'r> {
    pub(super) surface: &'r Surface,
    pub(super) runner: Runner<'r>,
    pub(super) table: &'r Served,
    pub(super) query: Query,
    pub(super) headers: &'r axum::http::HeaderMap,
}

async fn dispatch(surface: &Surface, request: Request) -> Result<Response<Body>, Problem> {
    let uri = request.uri();
    let query_text = uri.query().unwrap_or_default();
    if uri.path().len() + query_text.len() > URL_BYTES_MAX {
        return Err(too_long());
    }
    let table = find(surface, uri.path())?;
    let method = request.method().clone();
    if method == Method::OPTIONS {
        let mut response = super::answer::empty(StatusCode::OK);
        response.headers_mut().insert(header::ALLOW, table.allow());
        return Ok(response);
    }
    permit(&method, table)?;
    let query = query::parse(query_text)?;
    let runner = Runner {
        pool: &surface.pool,
        shapes: &surface.shapes,
        deadline: deadline(),
    };
    if method == Method::GET || method == Method::HEAD {
        return read::rows(runner, &surface.tables, table, &query, request.headers()).await;
    }
    let (parts, body) = request.into_parts();
    let write = Write {
        surface,
        runner,
        table,
        query,
        headers: &parts.headers,
    };
    if method == Method::DELETE {
        return remove::rows(write).await;
    }
    let body = receive(body, &parts.headers, runner).await?;
    match method {
        Method::POST => insert::rows(write, body).await,
        Method::PATCH => update::rows(write, body).await,
        _ => upsert::row(write, body).await,
    }
}

fn find<'s>(surface: &'s Surface, path: &str) -> Result<&'s Served, Problem> {
    let name = path.strip_prefix('/').unwrap_or(path);
    if let Some(table) = surface.tables.get(name) {
        return Ok(table);
    }
    // A plus sign is itself in a path.
    let decoded = percent_encoding::percent_decode_str(name)
        .decode_utf8()
        .map_err(|_| Problem::grammar("the URL does not decode to UTF-8"))?;
    surface.tables.get(decoded.as_ref()).ok_or_else(|| {
        let message = format!("this service owns no table `{decoded}`");
        let problem = Problem::new(StatusCode::NOT_FOUND, "unknown-table", "PGRST205", message);
        match nearest(&decoded, surface.tables.keys().map(String::as_str)) {
            Some(known) => problem.with_hint(format!("perhaps `{known}` is meant")),
            None => problem,
        }
    })
}

fn permit(method: &Method, table: &Served) -> Result<(), Problem> {
    let name = &table.shape.name;
    let changes = [Method::PATCH, Method::PUT, Method::DELETE].contains(method);
    if changes && table.entry.mode == Mode::AppendOnly {
        let message = format!("`{name}` is append-only: its rows are written once");
        return Err(fault::not_allowed(table.allow(), message));
    }
    if changes || [Method::GET, Method::HEAD, Method::POST].contains(method) {
        return Ok(());
    }
    let message = format!("`{name}` does not answer {method}");
    Err(fault::not_allowed(table.allow(), message))
}

fn too_long() -> Problem {
    Problem::new(
        StatusCode::URI_TOO_LONG,
        "url-too-long",
        "FH414",
        format!("the URL is longer than {URL_BYTES_MAX} bytes"),
    )
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body-too-large",
        "FH413",
        format!("the body is larger than {BODY_BYTES_MAX} bytes"),
    )
    .with_header(header::CONNECTION, HeaderValue::from_static("close"))
}

async fn receive(body: Body, headers: &axum::http::HeaderMap, runner: Runner<'_>) -> Result<Bytes, Problem> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<usize>().ok());
    if declared.is_some_and(|n| n > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    let read = axum::body::to_bytes(body, BODY_BYTES_MAX);
    match timeout_at(runner.deadline, read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_too_large(&error) => Err(too_large()),
        Ok(Err(_)) => Err(Problem::body("the body ended early")),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "out-of-time",
            "FH408",
            "the body did not arrive in time",
        )),
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        if error.to_string().contains("length limit exceeded") {
            return true;
        }
        source = error.source();
    }
    false
}
