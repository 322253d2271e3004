//! Event sourcing: what happened to an aggregate is kept, in order and for ever, and its state follows from it.
//!
//! Events are rows of `freehold.stream_event`, in the service's own database, added in the transaction that decides them. The
//! stream's row is its lock: of two that append to one stream, the second compares with what the first left.
//! [`crate::projection`] folds events into tables; [`aggregate`] folds them into a value to decide with.

pub mod aggregate;
mod event;

use serde_json::value::RawValue;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

pub use aggregate::{Aggregate, Folds, Loaded};
pub use event::{NewEvent, RecordedEvent, StreamEvent};

use crate::error::{Error, Result};
use crate::tx::Tx;

/// The SQLSTATE of an append to a stream that is at another version.
const NOT_AT_VERSION: &str = "FH020";

/// Events read at a time: so many bodies are in memory at once, of up to 1 MiB each.
const READ_MAX: i64 = 500;

/// One stream: the history of one aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamId {
    stream: &'static str,
    key: String,
}

impl StreamId {
    /// The stream of that name in the manifest, for the aggregate with that key.
    #[must_use]
    pub fn new(stream: &'static str, key: impl std::fmt::Display) -> Self {
        Self {
            stream,
            key: key.to_string(),
        }
    }

    /// Its name in the manifest: `note`.
    #[must_use]
    pub const fn stream(&self) -> &'static str {
        self.stream
    }

    /// The aggregate's key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// What whoever appends knows of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedVersion {
    /// Its last event has this version: what was decided rests on it.
    Exact(i64),
    /// It has no events yet.
    NoStream,
    /// Nothing: the events are true whatever went before.
    Any,
}

impl ExpectedVersion {
    fn number(self) -> Option<i64> {
        match self {
            Self::Exact(version) => Some(version),
            Self::NoStream => Some(0),
            Self::Any => None,
        }
    }
}

impl Tx {
    /// Appends events to a stream, all or none, and returns its new version; the first event of a stream has version 1.
    ///
    /// Projections with `with_append` are folded by it, and published events are heard, both when this transaction is committed.
    /// Of transactions that append to one stream the second waits for the first.
    ///
    /// # Errors
    /// [`Error::Conflict`] with the current version when the stream is at another one than expected: nothing was appended, and
    /// the transaction can only be rolled back. [`Error::Postgres`] with FH005 when the manifest does not declare an event, 22023
    /// for no event or more than 1,000.
    pub async fn append(&mut self, to: &StreamId, expected: ExpectedVersion, events: &[NewEvent]) -> Result<i64> {
        if let Some(stranger) = events.iter().find(|event| event.stream != to.stream) {
            return Err(Error::Behaviour {
                problem: format!(
                    "{} is an event of stream {}, and was appended to {}",
                    stranger.name, stranger.stream, to.stream
                ),
                remedy: "append it to a stream of its own kind".to_owned(),
            });
        }
        let names: Vec<&str> = events.iter().map(|event| event.name).collect();
        let schemas: Vec<i32> = events.iter().map(|event| event.schema).collect();
        let bodies: Vec<&str> = events.iter().map(|event| &*event.body).collect();
        let sql = self.place("select freehold.append($1, $2, $3, $4, $5, $6::text[]::json[])");
        let appended = self
            .query_one(
                &sql,
                &[&to.stream, &to.key, &expected.number(), &names, &schemas, &bodies],
            )
            .await;
        match appended {
            Ok(row) => Ok(row.get(0)),
            Err(error) => Err(conflict(to, error)),
        }
    }

    /// Reads a stream's events, those after a version; 0 is before the first. They are fetched as they are asked for.
    #[must_use]
    pub fn events(&self, of: &StreamId, after: i64) -> Events {
        Events { of: of.clone(), after }
    }
}

/// A stream's events, batch by batch: memory holds one batch.
#[derive(Debug)]
pub struct Events {
    of: StreamId,
    after: i64,
}

impl Events {
    /// The next events, in order; none after the last.
    ///
    /// # Errors
    /// [`Error::Postgres`].
    pub async fn next(&mut self, tx: &Tx) -> Result<Option<Vec<RecordedEvent>>> {
        let sql = tx.place(
            "select null::bigint, e.stream, e.key, e.version, e.event, e.schema, e.at, e.body::text
             from freehold.stream_event e
             where e.stream = $1 and e.key = $2 and e.version > $3
             order by e.version
             limit $4",
        );
        let rows = tx
            .query(&sql, &[&self.of.stream, &self.of.key, &self.after, &READ_MAX])
            .await?;
        let events = rows.iter().map(recorded).collect::<Result<Vec<_>>>()?;
        Ok(match events.last() {
            None => None,
            Some(last) => {
                self.after = last.version;
                Some(events)
            }
        })
    }
}

/// An event of a row: position, stream, key, version, event, schema, time, body.
pub(crate) fn recorded(row: &Row) -> Result<RecordedEvent> {
    Ok(RecordedEvent {
        position: row.try_get(0)?,
        stream: row.try_get(1)?,
        key: row.try_get(2)?,
        version: row.try_get(3)?,
        name: row.try_get(4)?,
        schema: row.try_get(5)?,
        at: row.try_get(6)?,
        body: RawValue::from_string(row.try_get(7)?)?,
    })
}

/// An append's refusal, with the version that the stream has.
fn conflict(of: &StreamId, error: Error) -> Error {
    let current = match &error {
        Error::Postgres(cause) if cause.code() == Some(&SqlState::from_code(NOT_AT_VERSION)) => cause
            .as_db_error()
            .and_then(|said| said.detail())
            .and_then(|detail| detail.parse().ok()),
        _ => None,
    };
    match current {
        Some(current) => Error::Conflict {
            stream: of.stream,
            key: of.key.clone(),
            current,
        },
        None => error,
    }
}
