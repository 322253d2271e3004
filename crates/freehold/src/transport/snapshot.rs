//! The producer's side of a bootstrap: `GET /freehold/snapshot/<table>?columns=…` streams a table's published rows
//! together with the log position they are true at.
//!
//! Lines: a header, one line per row, and a last line with the number of rows, so that a cut stream is noticed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::feed::{Feed, refuse};
use crate::error::Error;
use crate::install;
use crate::pg::catalog::TableShape;
use crate::pg::{ident, place};

/// Chunks of rows that wait for a slow reader; the transaction that reads them waits with them.
const CHUNKS_AHEAD: usize = 16;

/// A table that may be read, and what of it.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its shape, for its key and types.
    pub shape: TableShape,
    /// The columns of its contract.
    pub columns: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    columns: String,
}

pub(super) async fn read(
    State(feed): State<Arc<Feed>>,
    headers: HeaderMap,
    Path(table): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    if feed.caller(&headers).is_none() {
        return refuse(
            StatusCode::UNAUTHORIZED,
            "feed_token",
            "a snapshot is read with a service's token",
        );
    }
    let asked = match asked {
        Ok(Query(asked)) => asked,
        Err(rejection) => return refuse(StatusCode::BAD_REQUEST, "bad_query", &rejection.body_text()),
    };
    let Some(published) = feed.tables.iter().find(|p| p.shape.name == table) else {
        let detail = format!("{} publishes no table {table}", feed.service);
        return refuse(StatusCode::NOT_FOUND, "unknown_table", &detail);
    };
    let name = |name| percent_decode_str(name).decode_utf8_lossy().into_owned();
    let columns: Vec<String> = asked.columns.split(',').map(name).collect();
    if let Some(private) = columns.iter().find(|c| !published.columns.contains(c)) {
        let detail = format!("{} publishes no column {table}.{private}", feed.service);
        return refuse(StatusCode::NOT_FOUND, "unknown_column", &detail);
    }
    let copy = format!(
        // Quote and delimiter are characters that JSON text cannot contain, so a line is a value as it is.
        "copy (select json_build_object('version', t.version, 'data', {data}) from {on} t) \
         to stdout with (format csv, quote e'\\x01', delimiter e'\\x02')",
        data = install::object("t", &columns, &published.shape),
        on = ident::qualified(&feed.schema, &table),
    );
    let topic = format!("{}.{table}", feed.service);
    let (lines, rows) = mpsc::channel(CHUNKS_AHEAD);
    tokio::spawn(async move {
        if let Err(error) = send(&feed, &topic, &copy, &lines).await {
            tracing::warn!(%error, topic, "a snapshot was cut short");
            let _ = lines.send(Err(error)).await;
        }
    });
    let rows = futures_util::stream::unfold(rows, |mut rows| async move {
        let line = rows.recv().await?;
        Some((line, rows))
    });
    (
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(rows),
    )
        .into_response()
}

type Lines = mpsc::Sender<Result<Bytes, Error>>;

/// Reads head and rows in one REPEATABLE READ transaction: the rows are exactly those of the position.
async fn send(feed: &Feed, topic: &str, copy: &str, lines: &Lines) -> Result<(), Error> {
    let mut client = feed.pool.get().await?;
    let transaction = client
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    // A large table takes its time; the limit for requests does not apply. What is published is published of all rows: policies are
    // for those who ask this service.
    transaction
        .batch_execute(&format!(
            "set local statement_timeout = 0; set local fh.service = 'on'; {}",
            install::shown_locally()
        ))
        .await?;
    let header = transaction
        .query_one(
            &*place(
                "select json_build_object(
                   'epoch', h.epoch,
                   'position', h.position,
                   'seen', coalesce((select t.position from freehold.topic t where t.topic = $1), 0),
                   'hash', encode(coalesce((select l.hash
                                            from freehold.topic t
                                            join freehold.log l on l.position = t.position
                                            where t.topic = $1), h.hash), 'hex')
                 )::text
                 from freehold.log_head h",
                &feed.freehold,
            ),
            &[&topic],
        )
        .await?;
    let header: &str = header.get(0);
    if lines.send(Ok(format!("{header}\n").into())).await.is_err() {
        return Ok(());
    }
    let mut rows = 0_u64;
    {
        let out = transaction.copy_out(copy).await?;
        let mut out = std::pin::pin!(out.map_err(Error::from).ready_chunks(256));
        while let Some(chunk) = out.next().await {
            let mut joined = Vec::new();
            for row in chunk {
                joined.extend_from_slice(&row?);
                rows += 1;
            }
            if lines.send(Ok(joined.into())).await.is_err() {
                return Ok(());
            }
        }
    }
    transaction.commit().await?;
    let _ = lines.send(Ok(format!("{{\"rows\":{rows}}}\n").into())).await;
    Ok(())
}
