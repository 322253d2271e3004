//! From an HTTP request to the module that answers it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, header};
use freehold_manifest::model::Mode;
use tokio::time::Instant;

use super::answer::Answer;
use super::execute::{Runner, Who};
use super::problem::{Problem, nearest};
use super::query::{self, Query};
use super::read::{Reading, Source as From};
use super::receive::{Asked, receive};
use super::table::{Served, Source};
use super::{Entrance, Surface, fault, gate, insert, manner, read, remove, rpc, update, upsert};
use crate::access::refusal;

/// Answers one request; every refusal is a problem document.
pub(super) async fn answer(State(entrance): State<Arc<Entrance>>, request: Request) -> Response<Body> {
    let answer = respond(&entrance, request).await;
    answer.unwrap_or_else(Problem::into_answer).map(Body::from)
}

async fn respond(entrance: &Entrance, request: Request) -> Result<Answer, Problem> {
    let asker = match entrance.ask(request.headers()).await {
        Ok(asker) => asker,
        Err(problem) => {
            refusal::note(&problem, Who::Nobody, request.method(), request.uri().path());
            // Nobody's body is kept.
            gate::discard(request.into_body());
            return Err(problem);
        }
    };
    let (surface, who) = entrance.admit(&asker);
    let deadline = Instant::now() + Duration::from_millis(surface.limits.statement_ms);
    let asked = receive(request, &surface.limits, deadline).await?;
    let runner = Runner::new(&surface.pool, &surface.shapes, deadline, who);
    let done = manner::answer(surface, runner, &asked).await;
    done.inspect_err(|problem| refusal::note(problem, who, &asked.method, &asked.path))
}

/// What a write needs beside its table.
pub(super) struct Write<'r> {
    pub(super) surface: &'r Surface,
    pub(super) runner: Runner<'r>,
    pub(super) table: &'r Served,
    pub(super) query: Query,
    pub(super) headers: &'r HeaderMap,
}

/// Carries out one request, on its own or as a part of an open transaction.
pub(super) async fn perform(surface: &Surface, runner: Runner<'_>, asked: &Asked) -> Result<Answer, Problem> {
    check_profile(surface, &asked.headers)?;
    let body = asked.body.clone();
    if let Some(name) = asked.path.strip_prefix("/rpc/") {
        let name = decode(name)?;
        let asked = rpc::Asked {
            surface,
            runner,
            method: &asked.method,
            path: &asked.path,
            text: &asked.query,
            headers: &asked.headers,
            body,
        };
        return rpc::call(asked, &name).await;
    }
    let table = find(surface, runner.who, &asked.path)?;
    if asked.method == Method::OPTIONS {
        let mut response = super::answer::empty(StatusCode::OK);
        response.headers_mut().insert(header::ALLOW, table.allow());
        return Ok(response);
    }
    permit(&asked.method, table)?;
    let query = query::parse(&asked.query, &surface.limits, &[])?;
    if asked.method == Method::GET || asked.method == Method::HEAD {
        return read::rows(Reading {
            runner,
            tables: &surface.tables,
            limits: &surface.limits,
            table,
            source: From::Table,
            query: &query,
            path: &asked.path,
            text: &asked.query,
            method: &asked.method,
            headers: &asked.headers,
        })
        .await;
    }
    let write = Write {
        surface,
        runner,
        table,
        query,
        headers: &asked.headers,
    };
    match asked.method {
        Method::DELETE => remove::rows(write).await,
        Method::POST => insert::rows(write, body).await,
        Method::PATCH => update::rows(write, body).await,
        _ => upsert::row(write, body).await,
    }
}

fn find<'s>(surface: &'s Surface, who: Who<'_>, path: &str) -> Result<&'s Served, Problem> {
    let name = path.strip_prefix('/').unwrap_or(path);
    let decoded = decode(name)?;
    surface.tables.get(decoded.as_ref()).ok_or_else(|| {
        if who == Who::Nobody {
            // Whether there is such a table is not said either.
            return refusal::no_token();
        }
        let message = format!("this service owns no table `{decoded}`");
        let problem = Problem::new(StatusCode::NOT_FOUND, "unknown-table", "PGRST205", message);
        match nearest(&decoded, surface.tables.keys().map(String::as_str)) {
            Some(known) => problem.with_hint(format!("perhaps `{known}` is meant")),
            None => problem,
        }
    })
}

/// Refuses another schema than the service's one: clients that know of schemas name it, or `public`.
fn check_profile(surface: &Surface, headers: &HeaderMap) -> Result<(), Problem> {
    for name in ["accept-profile", "content-profile"] {
        let Some(asked) = headers.get(name) else {
            continue;
        };
        let is_ours = |asked: &str| asked == "public" || surface.tables.values().all(|t| t.shape.schema == asked);
        if !asked.to_str().is_ok_and(is_ours) {
            let message = "The schema must be one of the following: public";
            return Err(
                Problem::new(StatusCode::NOT_ACCEPTABLE, "unknown-schema", "PGRST106", message)
                    .with_hint("a service serves one schema: leave the header out"),
            );
        }
    }
    Ok(())
}

/// Decodes a part of a path; a plus sign is itself there.
fn decode(part: &str) -> Result<std::borrow::Cow<'_, str>, Problem> {
    percent_encoding::percent_decode_str(part)
        .decode_utf8()
        .map_err(|_| Problem::grammar("the URL does not decode to UTF-8"))
}

fn permit(method: &Method, table: &Served) -> Result<(), Problem> {
    let name = &table.shape.name;
    let changes = [Method::PATCH, Method::PUT, Method::DELETE].contains(method);
    let reads = [Method::GET, Method::HEAD].contains(method);
    if table.source == Source::Derived && !reads {
        return Err(fault::not_allowed(table.allow(), format!("`{name}` is read only")));
    }
    if table.entry.mode == Mode::Projection && !reads {
        let message = format!("`{name}` is a projection: it is written by what happens");
        return Err(fault::not_allowed(table.allow(), message));
    }
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
