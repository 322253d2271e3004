//! A saga as its own service may show it: how far it is, and its story.

use serde::Serialize;
use uuid::Uuid;

use super::Saga;
use super::engine::State;
use crate::error::{Error, Result};
use crate::tx::Tx;

/// Lines of a story that are told, the first ones: a step that is repeated for days fills a page, not the memory.
const STORY_MAX: i64 = 200;

/// A saga, as it stands.
#[derive(Debug)]
pub struct Told<S> {
    /// Its id.
    pub id: Uuid,
    /// Its state.
    pub state: State,
    /// Why it turned round or is stuck.
    pub reason: Option<String>,
    /// Its own fields.
    pub saga: S,
    /// What happened so far, oldest first.
    pub story: Vec<Happened>,
}

/// A line of a saga's story.
#[derive(Debug, Clone, Serialize)]
pub struct Happened {
    /// When, as in RFC 3339.
    pub at: String,
    /// The step; none if it is about the whole saga.
    pub step: Option<String>,
    /// `forward` or `compensate`.
    pub direction: Option<String>,
    /// `asked`, `done`, `refused`, …
    pub event: String,
    /// The step's attempt.
    pub attempt: Option<i32>,
    /// More, for people.
    pub detail: Option<String>,
}

impl Tx {
    /// The last saga of this type for a key; none if there was none. It is not locked and may be further already.
    ///
    /// # Errors
    /// [`Error::Body`] when its fields are not what `S` reads; [`Error::Postgres`].
    pub async fn told<S: Saga>(&mut self, key: &str) -> Result<Option<Told<S>>> {
        let sql = self.place(
            "(
               select s.id, s.state, s.reason, s.data::text
               from freehold.saga s
               where s.name = $1 and s.key = $2 and s.state <> 'compensated'
             )
             union all
             (
               select s.id, s.state, s.reason, s.data::text
               from freehold.saga s
               where s.name = $1 and s.key = $2 and s.state = 'compensated'
               order by s.started_at desc
               limit 1
             )
             limit 1",
        );
        let Some(row) = self.query_opt(&sql, &[&S::NAME, &key]).await? else {
            return Ok(None);
        };
        let (id, state): (Uuid, &str) = (row.get(0), row.get(1));
        let state =
            State::of(state).ok_or_else(|| Error::other(format!("saga {id} is in the unknown state {state}")))?;
        Ok(Some(Told {
            id,
            state,
            reason: row.get(2),
            saga: serde_json::from_str(row.get(3))?,
            story: self.story(id).await?,
        }))
    }

    async fn story(&self, saga: Uuid) -> Result<Vec<Happened>> {
        let sql = self.place(
            "select to_json(h.at) #>> '{}', h.step, h.direction, h.event, h.attempt, h.detail
             from freehold.saga_history h
             where h.saga = $1
             order by h.id
             limit $2",
        );
        let rows = self.query(&sql, &[&saga, &STORY_MAX]).await?;
        let line = |row: &tokio_postgres::Row| Happened {
            at: row.get(0),
            step: row.get(1),
            direction: row.get(2),
            event: row.get(3),
            attempt: row.get(4),
            detail: row.get(5),
        };
        Ok(rows.iter().map(line).collect())
    }
}
