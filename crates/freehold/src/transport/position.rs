//! The producer's side of a causal read: `GET /freehold/position?transaction=58734&topics=…` answers where in the log that
//! transaction is covered.
//!
//! The answer names a position of each topic: everything of the transaction on that topic stands there or before. While the
//! sequencer has not moved all of it, the request waits, without a connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::feed::{Feed, refuse};
use crate::error::Result;
use crate::pg::place;
use crate::plant;

/// The longest wait for the sequencer, which needs milliseconds: longer means that it stands still.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Looks at once: however many wait, the service's own requests find connections.
const LOOKS_MAX: usize = 2;

/// Where everything of a transaction is covered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The epoch of the log.
    pub(crate) epoch: i32,
    /// By topic; one on which nothing was ever said is not there.
    pub(crate) topics: BTreeMap<String, i64>,
}

struct Places {
    feed: Arc<Feed>,
    looks: Semaphore,
}

/// The route other services call.
pub(super) fn router(feed: Arc<Feed>) -> axum::Router {
    axum::Router::new()
        .route("/freehold/position", axum::routing::get(read))
        .with_state(Arc::new(Places {
            feed,
            looks: Semaphore::new(LOOKS_MAX),
        }))
}

#[derive(Deserialize)]
struct Asked {
    transaction: u64,
    topics: String,
}

async fn read(
    State(places): State<Arc<Places>>,
    headers: HeaderMap,
    asked: std::result::Result<Query<Asked>, QueryRejection>,
) -> Response {
    let feed = &places.feed;
    let Some(caller) = feed.caller(&headers) else {
        return refuse(
            StatusCode::UNAUTHORIZED,
            "feed_token",
            "a position is asked for with a service's token",
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
    let until = Instant::now() + WAIT_MAX;
    let (mut head, mut stopping) = (feed.head.clone(), feed.stopping.clone());
    loop {
        // Before the look: a move of the head after it is then not slept through.
        head.borrow_and_update();
        match timeout_at(until, places.look(asked.transaction, &topics)).await {
            Ok(Ok(Found::Place(place))) => return Json(place).into_response(),
            Ok(Ok(Found::Underway)) => {}
            Ok(Ok(Found::Unknown)) => {
                let detail = format!(
                    "transaction {} has not happened in {}: its database may have been restored to an earlier state",
                    asked.transaction, feed.service
                );
                return refuse(StatusCode::CONFLICT, "unknown_transaction", &detail);
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "a position could not be looked up");
                return refuse(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "database",
                    "the database does not answer",
                );
            }
            Err(_) => return late(),
        }
        tokio::select! {
            moved = head.changed() => if moved.is_err() {
                return late();
            },
            _ = stopping.wait_for(|stopping| *stopping) => return late(),
            () = tokio::time::sleep_until(until) => return late(),
        }
    }
}

fn late() -> Response {
    refuse(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_sequenced",
        "the transaction is not in the log yet",
    )
}

enum Found {
    /// All of it is in the log.
    Place(Place),
    /// It has not ended, or something of it waits for the sequencer.
    Underway,
    /// No such transaction has begun here.
    Unknown,
}

impl Places {
    /// Looks once, in one statement and so in one snapshot.
    ///
    /// That `Place` covers the transaction: it is visible in the snapshot, so each of its messages is too, in the outbox or, if a
    /// batch of the sequencer has moved it, in the log, because deleting from the one, inserting into the other and lifting
    /// `freehold.topic` is one transaction. None is in the outbox; so all are in the log, at or before the topic's position in this
    /// very snapshot. A client that was told the transaction's id by its answer was told after the commit, so it is visible.
    async fn look(&self, transaction: u64, topics: &[String]) -> Result<Found> {
        // Never closed; if it were, looking without a permit is harmless.
        let _permit = self.looks.acquire().await.ok();
        let client = self.feed.pool.get().await?;
        let statement = client.prepare_cached(&place(LOOK, &self.feed.freehold)).await?;
        let row = client
            .query_one(&statement, &[&transaction.to_string(), &topics])
            .await?;
        let (begun, underway): (bool, bool) = (row.get(1), row.get(2));
        if !begun {
            return Ok(Found::Unknown);
        }
        if underway && !plant::is("position-before-sequenced") {
            return Ok(Found::Underway);
        }
        let (names, positions): (Vec<String>, Vec<i64>) = (row.get(3), row.get(4));
        Ok(Found::Place(Place {
            epoch: row.get(0),
            topics: names.into_iter().zip(positions).collect(),
        }))
    }
}

/// The outbox has no index on `txid`, which would cost every write: it is as small as what the sequencer has not moved yet.
const LOOK: &str = "
select h.epoch,
       n.txid < pg_snapshot_xmax(s.now) as begun,
       not pg_visible_in_snapshot(n.txid, s.now)
         or exists (select from freehold.outbox o where o.txid = n.txid) as underway,
       coalesce(t.topics, '{}') as topics,
       coalesce(t.positions, '{}') as positions
from freehold.log_head h
cross join (select $1::text::xid8 as txid) n
cross join (select pg_current_snapshot() as now) s
cross join (
  select array_agg(t.topic) as topics, array_agg(t.position) as positions
  from freehold.topic t
  where t.topic = any ($2::text[])
) t";
