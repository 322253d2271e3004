//! A message as its service's log has it.

use std::time::SystemTime;

use anyhow::Result;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::Row;

use super::{Database, Moment};

/// One row of `freehold.log`.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// Whose log it is in.
    pub service: String,
    /// Its place there.
    pub position: i64,
    /// The log's epoch: raised by a restore.
    pub epoch: i32,
    /// Its id.
    pub id: String,
    /// What happened or is asked: `order.confirmed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The family it belongs to.
    pub topic: String,
    /// The key of what it is about.
    pub key: String,
    /// The key's version that it brings.
    pub version: i64,
    /// When its transaction began; orders nothing.
    pub time: Moment,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// The position of the topic's message before it; 0 for the first.
    pub prev: i64,
    /// Its link of the hash chain, in hexadecimal.
    pub hash: String,
    /// The body, as it was written; none where it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

/// Whether bodies are read: they may hold what is not for every eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bodies {
    /// They are.
    Read,
    /// They stay in the database.
    Leave,
}

impl Bodies {
    /// The columns of a [`Message`], of a log called `l`.
    pub(super) fn columns(self) -> &'static str {
        match self {
            Self::Read => {
                "l.position, l.epoch, l.id::text, l.type, l.topic, l.key, l.version, l.time, l.traceparent, l.prev,
                 encode(l.hash, 'hex'), l.payload::text"
            }
            Self::Leave => {
                "l.position, l.epoch, l.id::text, l.type, l.topic, l.key, l.version, l.time, l.traceparent, l.prev,
                 encode(l.hash, 'hex'), null::text"
            }
        }
    }
}

impl Message {
    /// A message by a row of [`Bodies::columns`].
    pub(super) fn of(service: &str, row: &Row) -> Result<Self> {
        let data: Option<String> = row.try_get(11)?;
        Ok(Self {
            service: service.to_owned(),
            position: row.try_get(0)?,
            epoch: row.try_get(1)?,
            id: row.try_get(2)?,
            kind: row.try_get(3)?,
            topic: row.try_get(4)?,
            key: row.try_get(5)?,
            version: row.try_get(6)?,
            time: row.try_get::<_, SystemTime>(7)?.into(),
            traceparent: row.try_get(8)?,
            prev: row.try_get(9)?,
            hash: row.try_get(10)?,
            data: data.map(RawValue::from_string).transpose()?,
        })
    }

    /// The trace id of its `traceparent`.
    #[must_use]
    pub fn trace(&self) -> Option<&str> {
        trace_of(self.traceparent.as_deref()?)
    }
}

/// The trace id of a `traceparent`: its second part.
#[must_use]
pub fn trace_of(traceparent: &str) -> Option<&str> {
    traceparent.split('-').nth(1)
}

/// The first and the last position of a service's log; none while it is empty.
///
/// # Errors
/// As [`Database::rows`].
pub async fn bounds(database: &Database) -> Result<Option<(i64, i64)>> {
    let sql = "select (select l.position from freehold.log l order by l.position limit 1),
                      (select h.position from freehold.log_head h)";
    let row = database.row(sql, &[]).await?;
    let (first, last): (Option<i64>, Option<i64>) = (row.get(0), row.get(1));
    Ok(first.zip(last))
}

/// A position near that moment: messages before it are older, up to how long a transaction takes.
///
/// Positions have no gaps and times rise with them, roughly, so it is found by halving.
///
/// # Errors
/// As [`Database::rows`].
pub async fn position_at(database: &Database, (first, last): (i64, i64), at: Moment) -> Result<i64> {
    let (mut low, mut high) = (first, last);
    while low < high {
        let middle = low + (high - low) / 2;
        let sql = "select l.time from freehold.log l where l.position >= $1 order by l.position limit 1";
        let row = database.rows(sql, &[&middle]).await?;
        let time = row.first().map(|row| Moment::from(row.get::<_, SystemTime>(0)));
        match time {
            Some(time) if time < at => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}
