//! Sagas as their services store them.

use std::time::SystemTime;

use anyhow::Result;
use freehold::saga::engine::{Direction, Mark, Progress};
use serde::Serialize;
use tokio_postgres::Row;

use crate::events::{Database, Moment};

/// A saga's row.
#[derive(Debug, Clone, Serialize)]
pub struct Saga {
    /// The service that orchestrates it.
    pub service: String,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The version of the definition it was started under.
    pub version: i32,
    /// What it is about.
    pub key: String,
    /// `running`, `compensating`, `completed`, `compensated` or `stuck`.
    pub state: String,
    /// The steps it is at; several where they are parallel, none once it has ended.
    pub at: Vec<At>,
    /// Why it turned round or is stuck.
    pub reason: Option<String>,
    /// Its trace.
    pub traceparent: Option<String>,
    /// When it was started.
    pub started_at: Moment,
    /// When something last happened to it.
    pub changed_at: Moment,
    /// Seconds since it was started.
    pub age_s: f64,
}

/// A step that a saga is at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct At {
    /// The step.
    pub step: String,
    /// Whether it is done or undone.
    pub direction: Direction,
    /// How it stands.
    pub mark: Mark,
    /// Which attempt it is.
    pub attempt: u32,
}

/// Which sagas are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In which states.
    pub states: States,
    /// Only of this name.
    pub name: Option<String>,
    /// Only of this key.
    pub key: Option<String>,
    /// Only those that were started this many seconds ago or longer.
    pub older_s: Option<f64>,
}

/// The states of the sagas that are wanted.
#[derive(Debug, Clone, Default)]
pub enum States {
    /// Those that have not ended.
    #[default]
    Unfinished,
    /// These.
    Of(Vec<String>),
    /// Every state.
    All,
}

const COLUMNS: &str = "s.id::text, s.name, s.version, s.key, s.state, s.progress::text, s.reason, s.traceparent,
       s.started_at, s.changed_at, extract(epoch from clock_timestamp() - s.started_at)::float8";

impl Saga {
    fn of(service: &str, row: &Row) -> Result<Self> {
        let state: String = row.try_get(4)?;
        let progress: &str = row.try_get(5)?;
        // A saga has no progress before its first turn.
        let progress: Progress = match progress {
            "{}" => Progress::default(),
            text => serde_json::from_str(text)?,
        };
        Ok(Self {
            service: service.to_owned(),
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            version: row.try_get(2)?,
            key: row.try_get(3)?,
            at: at(&progress),
            state,
            reason: row.try_get(6)?,
            traceparent: row.try_get(7)?,
            started_at: row.try_get::<_, SystemTime>(8)?.into(),
            changed_at: row.try_get::<_, SystemTime>(9)?.into(),
            age_s: row.try_get(10)?,
        })
    }

    /// Whether nothing will happen to it any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(&*self.state, "completed" | "compensated")
    }

    /// Whether it waits for an operator.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.state == "stuck"
    }
}

/// The steps whose outcome is open, in the direction the saga goes.
fn at(progress: &Progress) -> Vec<At> {
    let open = |mark: Mark| match (progress.turned, mark) {
        (false, Mark::Asked | Mark::Failed | Mark::Refused) => Some(Direction::Forward),
        (true, Mark::Undoing | Mark::UndoRefused) => Some(Direction::Compensate),
        _ => None,
    };
    let steps = progress.steps.iter().filter_map(|(step, standing)| {
        Some(At {
            step: step.clone(),
            direction: open(standing.mark)?,
            mark: standing.mark,
            attempt: standing.attempt,
        })
    });
    steps.collect()
}

/// Lists the newest of a service's sagas, at most so many, oldest first. Stuck ones are never among those left out while
/// others are listed.
///
/// # Errors
/// As [`Database::rows`].
pub async fn list(database: &Database, filter: &Filter, most: usize) -> Result<Vec<Saga>> {
    // Written out where it can be: the index of what is unfinished serves this very condition.
    let (of_states, states) = match &filter.states {
        States::Unfinished => (
            "s.state not in ('completed', 'compensated') and $1::text[] is null",
            None,
        ),
        States::Of(states) => ("s.state = any ($1::text[])", Some(states)),
        States::All => ("$1::text[] is null", None),
    };
    let sql = format!(
        "select {COLUMNS}
         from freehold.saga s
         where {of_states}
           and ($2::text is null or s.name = $2)
           and ($3::text is null or s.key = $3)
           and ($4::float8 is null or s.started_at <= clock_timestamp() - $4 * interval '1 s')
         order by s.state = 'stuck' desc, s.started_at desc
         limit $5"
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = database
        .rows(&sql, &[&states, &filter.name, &filter.key, &filter.older_s, &most])
        .await?;
    let sagas: Result<Vec<Saga>> = rows.iter().map(|row| Saga::of(&database.service, row)).collect();
    let mut sagas = sagas?;
    sagas.sort_by_key(|saga| saga.started_at);
    Ok(sagas)
}

/// Sagas of one key that are looked at: a compensated one may be started anew any number of times.
const FOUND_MAX: i64 = 100;

/// The sagas of a service with this id or this key, oldest first.
///
/// # Errors
/// As [`Database::rows`].
pub async fn find(database: &Database, id_or_key: &str) -> Result<Vec<Saga>> {
    // A key may look like an id: an order's id is the key of its sagas.
    let sql = format!(
        "select {COLUMNS}
         from freehold.saga s
         where s.key = $1 or s.id::text = lower($1)
         order by s.started_at desc
         limit $2"
    );
    let rows = database.rows(&sql, &[&id_or_key, &FOUND_MAX]).await?;
    rows.iter().rev().map(|row| Saga::of(&database.service, row)).collect()
}
