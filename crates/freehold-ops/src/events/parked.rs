//! Keys that are set aside: which, since when, and why.

use std::time::SystemTime;

use anyhow::Result;
use serde::Serialize;
use tokio_postgres::Row;

use super::{Database, Moment};

/// Which keys of one service are meant.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Only of this producer.
    pub producer: Option<String>,
    /// Only of this topic.
    pub topic: Option<String>,
    /// Only this key.
    pub key: Option<String>,
}

/// A key that is set aside at one subscriber, with the messages that wait.
#[derive(Debug, Clone, Serialize)]
pub struct ParkedKey {
    /// Whose handler failed.
    pub subscriber: String,
    /// Who sent the messages; the subscriber itself for its own commands that were due later.
    pub producer: String,
    /// Their topic.
    pub topic: String,
    /// The key.
    pub key: String,
    /// `retrying`: tried again at `next_at`. `parked`: waits for an operator.
    pub state: String,
    /// Attempts of the first message so far; 0 after an operator had it tried again.
    pub attempts: i32,
    /// When it is tried next; none while it is parked.
    pub next_at: Option<Moment>,
    /// Seconds until then; negative when it is due.
    pub next_in_s: Option<f64>,
    /// Since when it is set aside.
    pub since: Moment,
    /// Seconds since then.
    pub age_s: f64,
    /// How many messages wait.
    pub waiting: i64,
    /// The position of the first of them; none if none is left.
    pub first_position: Option<i64>,
    /// What the handler said last.
    pub error: String,
}

/// The columns of a [`ParkedKey`], of a `freehold.parked_key` called `k`.
pub(super) const COLUMNS: &str = "k.producer, k.topic, k.key, k.state, k.attempts, k.next_at,
       extract(epoch from k.next_at - clock_timestamp())::float8,
       k.since, extract(epoch from clock_timestamp() - k.since)::float8, k.error,
       w.waiting, w.first";

/// Counts the messages that wait behind `k`.
pub(super) const WAITING: &str = "cross join lateral (
         select count(*) as waiting, min(p.position) as first
         from freehold.parked p
         where (p.producer, p.topic, p.key) = (k.producer, k.topic, k.key)
       ) w";

/// Picks the keys of a [`Which`] by the parameters 1 to 3.
pub(super) const OF_WHICH: &str = "($1::text is null or k.producer = $1)
         and ($2::text is null or k.topic = $2)
         and ($3::text is null or k.key = $3)";

impl ParkedKey {
    pub(super) fn of(subscriber: &str, row: &Row) -> Result<Self> {
        let state: String = row.try_get(3)?;
        let retrying = state == "retrying";
        Ok(Self {
            subscriber: subscriber.to_owned(),
            producer: row.try_get(0)?,
            topic: row.try_get(1)?,
            key: row.try_get(2)?,
            attempts: row.try_get(4)?,
            next_at: retrying
                .then(|| row.try_get::<_, SystemTime>(5))
                .transpose()?
                .map(Moment::from),
            next_in_s: retrying.then(|| row.try_get(6)).transpose()?,
            since: row.try_get::<_, SystemTime>(7)?.into(),
            age_s: row.try_get(8)?,
            error: row.try_get(9)?,
            waiting: row.try_get(10)?,
            first_position: row.try_get(11)?,
            state,
        })
    }
}

/// Lists those of a service, the longest parked first.
///
/// # Errors
/// As [`Database::rows`].
pub async fn list(database: &Database, which: &Which) -> Result<Vec<ParkedKey>> {
    let sql = format!(
        "select {COLUMNS}
         from freehold.parked_key k
         {WAITING}
         where {OF_WHICH}
         order by k.since, k.producer, k.topic, k.key"
    );
    let rows = database
        .rows(&sql, &[&which.producer, &which.topic, &which.key])
        .await?;
    rows.iter().map(|row| ParkedKey::of(&database.service, row)).collect()
}
