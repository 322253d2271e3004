//! The producer's side: `GET /freehold/feed?topics=…&after=…` streams the log from a position on.
//!
//! Each line of the answer is a batch that says which positions it covers, so a feed filtered by topics is still
//! gap-proof. The stream goes on while the reader stays; an idle stream says so now and then.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use deadpool_postgres::Pool;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::Error;
use crate::pg::place;
use crate::transport::{position, snapshot};

/// Positions covered by a stream's first batch: even of the largest messages a line stays below 100 MiB. A stream that
/// meets too much at once breaks, and its successor begins small again.
const POSITIONS_MIN: i64 = 64;

/// Positions covered by one batch before it is cut at the next whole transaction: what a subscriber applies at once.
const POSITIONS_MAX: i64 = 5_000;

/// A batch below this may be followed by one of twice as many positions; one above four times this by half as many.
const BYTES_SMALL: usize = 4 * 1024 * 1024;

/// The longest silence: an idle stream sends an empty batch, which also lets cursors pass other topics' messages.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// What the producer's side needs.
#[derive(Debug)]
pub struct Feed {
    /// The service's own name.
    pub service: String,
    /// What its messages name as their source: `/shop/order`.
    pub source: String,
    /// Its database.
    pub pool: Pool,
    /// The library's schema.
    pub freehold: String,
    /// The schema of its tables.
    pub schema: String,
    /// Callers and the token each must show.
    pub accepts: Vec<(String, String)>,
    /// Topics that exist here.
    pub topics: Vec<String>,
    /// Tables that may be read as snapshots.
    pub tables: Vec<snapshot::Published>,
    /// The log's head as last seen.
    pub head: watch::Receiver<i64>,
    /// Turns true when the service stops: open streams end.
    pub stopping: watch::Receiver<bool>,
}

/// The routes other services call.
pub fn router(feed: Arc<Feed>) -> axum::Router {
    axum::Router::new()
        .route("/freehold/feed", axum::routing::get(read))
        .route("/freehold/snapshot/{table}", axum::routing::get(snapshot::read))
        .with_state(Arc::clone(&feed))
        .merge(position::router(feed))
}

#[derive(Deserialize)]
struct Asked {
    topics: String,
    after: i64,
}

impl Feed {
    /// The name of the service whose token the request shows.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Option<&str> {
        let shown = headers
            .get(header::AUTHORIZATION)?
            .to_str()
            .ok()?
            .strip_prefix("Bearer ")?;
        self.accepts
            .iter()
            .find(|(_, token)| same(token.as_bytes(), shown.as_bytes()))
            .map(|(caller, _)| caller.as_str())
    }

    /// Reads a list of topics, all of which exist and may be heard by this caller; else what it is answered.
    pub(super) fn permitted(&self, topics: &str, caller: &str) -> Result<Vec<String>, Box<Response>> {
        let topics: Vec<String> = topics.split(',').map(str::to_owned).collect();
        if let Some(unknown) = topics.iter().find(|t| !self.topics.contains(t)) {
            let detail = format!("{} publishes no topic {unknown}", self.service);
            return Err(Box::new(refuse(StatusCode::NOT_FOUND, "unknown_topic", &detail)));
        }
        let addressed = |topic: &&String| {
            let to = topic
                .strip_suffix(".commands")
                .or_else(|| topic.strip_suffix(".replies"));
            to.is_some_and(|to| to != caller)
        };
        if let Some(other) = topics.iter().find(addressed) {
            let detail = format!("{other} is for its addressee, not for {caller}");
            return Err(Box::new(refuse(StatusCode::FORBIDDEN, "not_addressed", &detail)));
        }
        Ok(topics)
    }
}

/// Compares in a time that does not depend on where the texts differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

/// Refuses a caller; the answer is a problem document as everywhere in the API.
pub(super) fn refuse(status: StatusCode, code: &str, detail: &str) -> Response {
    let body = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
        "message": detail,
    });
    (
        status,
        [(header::CONTENT_TYPE, "application/problem+json")],
        body.to_string(),
    )
        .into_response()
}

async fn read(
    State(feed): State<Arc<Feed>>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let Some(caller) = feed.caller(&headers) else {
        return refuse(
            StatusCode::UNAUTHORIZED,
            "feed_token",
            "the feed is read with a service's token",
        );
    };
    let asked = match asked {
        Ok(Query(asked)) => asked,
        Err(rejection) => return refuse(StatusCode::BAD_REQUEST, "bad_query", &rejection.body_text()),
    };
    let topics = match feed.permitted(&asked.topics, caller) {
        Ok(topics) => topics,
        Err(refusal) => return *refusal,
    };
    match head(&feed).await {
        Ok(head) if asked.after > head => {
            let detail = format!(
                "{} has {head} positions, the reader is at {}: its database was restored to an earlier state",
                feed.service, asked.after
            );
            return refuse(StatusCode::CONFLICT, "reader_ahead", &detail);
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(%error, "a reader of the feed was turned away");
            return refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "database",
                "the database does not answer",
            );
        }
    }
    let reader = Reader {
        head: feed.head.clone(),
        stopping: feed.stopping.clone(),
        feed,
        topics,
        after: asked.after,
        positions: POSITIONS_MIN,
    };
    let lines = stream::unfold(reader, |mut reader| async move {
        let line = reader.next().await?;
        Some((line, reader))
    });
    (
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(lines),
    )
        .into_response()
}

async fn head(feed: &Feed) -> Result<i64, Error> {
    let client = feed.pool.get().await?;
    let statement = client
        .prepare_cached(&place("select position from freehold.log_head", &feed.freehold))
        .await?;
    Ok(client.query_one(&statement, &[]).await?.get(0))
}

struct Reader {
    feed: Arc<Feed>,
    head: watch::Receiver<i64>,
    stopping: watch::Receiver<bool>,
    topics: Vec<String>,
    after: i64,
    positions: i64,
}

impl Reader {
    /// The next line, or none when the service stops; an error ends the stream and the reader comes again.
    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        let quiet_until = Instant::now() + HEARTBEAT;
        loop {
            let head = *self.head.borrow_and_update();
            if head > self.after {
                match self.batch().await {
                    Ok(batch) if batch.messages > 0 || Instant::now() >= quiet_until => {
                        self.after = batch.upto;
                        return Some(Ok(batch.line));
                    }
                    // Nothing of these topics: on to the next positions, told with the next message or heartbeat.
                    Ok(batch) if batch.upto < head => {
                        self.after = batch.upto;
                        return Some(Ok(batch.line));
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(%error, "a feed was cut short");
                        return Some(Err(error));
                    }
                }
            }
            let heartbeat = tokio::select! {
                changed = self.head.changed() => {
                    changed.ok()?;
                    false
                }
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                () = tokio::time::sleep_until(quiet_until) => true,
            };
            if heartbeat {
                let batch = self.batch().await;
                if let Ok(batch) = &batch {
                    self.after = batch.upto;
                }
                return Some(batch.map(|batch| batch.line));
            }
        }
    }

    /// Reads one run of the log; PostgreSQL writes the line.
    async fn batch(&mut self) -> Result<Line, Error> {
        let client = self.feed.pool.get().await?;
        let statement = client.prepare_cached(&place(BATCH, &self.feed.freehold)).await?;
        let row = client
            .query_one(
                &statement,
                &[&self.after, &self.topics, &self.positions, &self.feed.source],
            )
            .await?;
        let (epoch, upto, messages): (i32, i64, i64) = (row.get(0), row.get(1), row.get(2));
        let body: &str = row.get(3);
        if body.len() < BYTES_SMALL {
            self.positions = (self.positions * 2).min(POSITIONS_MAX);
        } else if body.len() > 4 * BYTES_SMALL {
            self.positions = (self.positions / 2).max(POSITIONS_MIN);
        }
        let mut line = format!(
            "{{\"epoch\":{epoch},\"after\":{},\"upto\":{upto},\"messages\":[",
            self.after
        );
        line.reserve(body.len() + 4);
        line.push_str(body);
        line.push_str("]}\n");
        Ok(Line {
            upto,
            messages,
            line: line.into(),
        })
    }
}

struct Line {
    upto: i64,
    messages: i64,
    line: Bytes,
}

/// A batch ends where a sequencer's batch ended, so it holds whole transactions.
const BATCH: &str = r#"
with head as (
  select h.epoch, h.position
  from freehold.log_head h
),
bound as (
  select head.epoch,
         coalesce(
           (select l.whole from freehold.log l where l.position = least($1::bigint + $3::bigint, head.position)),
           head.position
         ) as upto
  from head
)
select bound.epoch,
       bound.upto,
       m.messages,
       m.body
from bound
cross join lateral (
  select count(*) as messages,
         -- Written as text: half the time of json_build_object, and this is done for every message.
         coalesce(string_agg(
           '{"specversion":"1.0","id":"' || l.id
           || '","source":' || to_json($4::text)
           || ',"type":' || to_json(l.type)
           || ',"subject":' || to_json(l.key)
           || ',"time":' || to_json(l.time)
           || ',"datacontenttype":"application/json"'
           || coalesce(',"traceparent":' || to_json(l.traceparent), '')
           || ',"topic":' || to_json(l.topic)
           || ',"epoch":' || l.epoch
           || ',"position":' || l.position
           || ',"prev":' || l.prev
           || ',"version":' || l.version
           || ',"hash":"' || encode(l.hash, 'hex')
           || '","data":' || coalesce(l.payload::text, 'null') || '}',
           ',' order by l.position), '') as body
  from freehold.log l
  where l.position > $1
    and l.position <= bound.upto
    and l.topic = any ($2::text[])
) m
"#;
