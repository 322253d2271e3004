//! The story of one saga over all services, in one timeline, and what it waits for.

use std::collections::HashMap;
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Saga;
use super::correspondence::{self, Letter, Obeyed};
use crate::events::parked::{self, ParkedKey, Which};
use crate::events::{Database, Moment, Reached};

/// Lines of a saga's own history that are read: one that is stuck goes on trying, and writes a line each time.
const HISTORY_MAX: i64 = 1_000;

/// A saga with its story.
#[derive(Debug, Serialize)]
pub struct Story {
    /// The saga.
    #[serde(flatten)]
    pub saga: Saga,
    /// Its fields; none unless they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
    /// What happened, in order.
    pub story: Vec<Line>,
    /// What it waits for in its own service.
    pub waits: Vec<Wait>,
    /// Keys that are set aside with a message of it.
    pub parked: Vec<ParkedKey>,
    /// Messages of the steps it is at that have not been heard yet.
    pub unheard: Vec<Unheard>,
}

/// Where a line of a story was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// In the history that the orchestrator keeps.
    History,
    /// In a log, as a command.
    Command,
    /// Among what a participant keeps of its commands.
    Obeyed,
    /// In a log, as a reply.
    Reply,
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// When, by the clock of the service's database.
    pub at: Moment,
    /// Seconds since the saga was started.
    pub since_start_s: f64,
    /// Where.
    pub service: String,
    /// Where it was written down.
    pub source: Source,
    /// The step; none if it is about the whole saga.
    pub step: Option<String>,
    /// `forward` or `compensate`.
    pub direction: Option<String>,
    /// What happened, or the type of the message.
    pub event: String,
    /// The step's attempt.
    pub attempt: Option<i32>,
    /// More, for people.
    pub detail: Option<String>,
    /// A message's position; none while it waits in the outbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
}

/// A row of `freehold.due`.
#[derive(Debug, Serialize)]
pub struct Wait {
    /// `timeout`, `retry`, `call` or `operator`.
    pub kind: String,
    /// The step.
    pub step: Option<String>,
    /// `forward` or `compensate`.
    pub direction: Option<String>,
    /// When it is due.
    pub due_at: Moment,
    /// Seconds until then; negative when it is overdue.
    pub due_in_s: f64,
}

/// A message that its receiver has not heard yet.
#[derive(Debug, Serialize)]
pub struct Unheard {
    /// The receiver.
    pub by: String,
    /// Who wrote it.
    pub service: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its place in the writer's log; none while it waits in the outbox.
    pub position: Option<i64>,
    /// Where the receiver's cursor stands; none if it never began.
    pub cursor: Option<i64>,
}

/// Whether a saga's fields are read: they may hold what is not for every eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fields {
    /// They are.
    Read,
    /// They stay in the database.
    Leave,
}

/// Tells the story of a saga as far as databases could be entered.
///
/// # Errors
/// As [`Database::rows`].
pub async fn tell(reached: &Reached, saga: Saga, fields: Fields) -> Result<Story> {
    let home = reached.of(&saga.service).context("the saga was found there")?;
    let history = history(home, &saga, 0).await?;
    let letters = correspondence::letters(reached, &saga).await?;
    let obeyed = correspondence::obeyed(reached, &letters).await?;
    let data = match fields {
        Fields::Leave => None,
        Fields::Read => Some(data(home, &saga).await?),
    };
    Ok(Story {
        waits: waits(home, &saga).await?,
        parked: set_aside(reached, &saga).await?,
        unheard: unheard(reached, &saga, &letters).await?,
        story: merge(&saga, history, &letters, &obeyed),
        data,
        saga,
    })
}

async fn data(home: &Database, saga: &Saga) -> Result<Box<RawValue>> {
    let sql = "select s.data::text from freehold.saga s where s.id = $1::text::uuid";
    let row = home.row(sql, &[&saga.id]).await?;
    Ok(RawValue::from_string(row.get(0))?)
}

/// What the orchestrator wrote down of a saga, behind the line with this id.
pub(super) async fn history(home: &Database, saga: &Saga, behind: i64) -> Result<Vec<Line>> {
    let sql = "select h.at, h.step, h.direction, h.event, h.attempt, h.detail
               from freehold.saga_history h
               where h.saga = $1::text::uuid and h.id > $3
               order by h.id desc
               limit $2";
    let rows = home.rows(sql, &[&saga.id, &HISTORY_MAX, &behind]).await?;
    let lines = rows.iter().rev().map(|row| {
        let at = Moment::from(row.get::<_, SystemTime>(0));
        Line {
            at,
            since_start_s: at.since(saga.started_at),
            service: saga.service.clone(),
            source: Source::History,
            step: row.get(1),
            direction: row.get(2),
            event: row.get(3),
            attempt: row.get(4),
            detail: row.get(5),
            position: None,
        }
    });
    Ok(lines.collect())
}

/// One timeline of all of it.
///
/// A message bears the time its transaction began, which is before what led to it was written down. So a command stands
/// behind the line that says it was asked for, and a reply behind what it is the reply to.
fn merge(saga: &Saga, history: Vec<Line>, letters: &[Letter], obeyed: &[Obeyed]) -> Vec<Line> {
    let line = |at: Moment, service: &str, letter: &Letter, source: Source, event: String| Line {
        at,
        since_start_s: at.since(saga.started_at),
        service: service.to_owned(),
        source,
        step: Some(letter.step.clone()),
        direction: Some(letter.direction.clone()),
        event,
        attempt: None,
        detail: None,
        position: None,
    };
    let mut asked: HashMap<(&str, &str), Vec<Moment>> = HashMap::new();
    for told in history.iter().rev().filter(|line| line.event == "asked") {
        if let (Some(step), Some(direction)) = (&told.step, &told.direction) {
            asked.entry((step, direction)).or_default().push(told.at);
        }
    }
    let mut lines = Vec::new();
    for letter in letters {
        let (source, after) = match letter.outcome {
            None => {
                let times = asked.get_mut(&(&*letter.step, &*letter.direction));
                (Source::Command, times.and_then(Vec::pop))
            }
            Some(_) => {
                let kept = obeyed.iter().find(|kept| kept.command == letter.command);
                (Source::Reply, kept.map(|kept| kept.at))
            }
        };
        let at = after.map_or(letter.time, |after| letter.time.max(after));
        lines.push(Line {
            position: letter.position,
            detail: letter.reason.clone(),
            ..line(at, &letter.service, letter, source, letter.kind.clone())
        });
    }
    for kept in obeyed {
        let own = letters
            .iter()
            .find(|letter| letter.outcome.is_none() && letter.command == kept.command);
        let undoing = letters
            .iter()
            .find(|letter| letter.voids.as_ref() == Some(&kept.command));
        let Some(letter) = own.or(undoing) else {
            continue;
        };
        let forward = own.is_none().then(|| "forward".to_owned());
        let plain = line(kept.at, &kept.service, letter, Source::Obeyed, kept.outcome.clone());
        lines.push(Line {
            direction: forward.or_else(|| plain.direction.clone()),
            detail: kept.reason.clone(),
            ..plain
        });
    }
    lines.extend(history);
    // Stable: what one database told in order stays in order.
    lines.sort_by_key(|line| (line.at, line.source));
    lines
}

async fn waits(home: &Database, saga: &Saga) -> Result<Vec<Wait>> {
    let sql = "select d.kind, d.step, d.direction, d.due_at, extract(epoch from d.due_at - clock_timestamp())::float8
               from freehold.due d
               where d.saga = $1::text::uuid
               order by d.due_at, d.id";
    let rows = home.rows(sql, &[&saga.id]).await?;
    let waits = rows.iter().map(|row| Wait {
        kind: row.get(0),
        step: row.get(1),
        direction: row.get(2),
        due_at: row.get::<_, SystemTime>(3).into(),
        due_in_s: row.get(4),
    });
    Ok(waits.collect())
}

async fn set_aside(reached: &Reached, saga: &Saga) -> Result<Vec<ParkedKey>> {
    let mut found = Vec::new();
    let of_key = Which {
        key: Some(saga.key.clone()),
        ..Which::default()
    };
    for database in &reached.databases {
        let sql = "select distinct p.producer, p.topic
                   from freehold.parked p
                   where p.key = $1 and p.message -> 'data' ->> 'saga' = $2";
        let rows = database.rows(sql, &[&saga.key, &saga.id]).await?;
        let ours = |key: &ParkedKey| {
            rows.iter()
                .any(|row| row.get::<_, &str>(0) == key.producer && row.get::<_, &str>(1) == key.topic)
        };
        if !rows.is_empty() {
            found.extend(parked::list(database, &of_key).await?.into_iter().filter(ours));
        }
    }
    Ok(found)
}

/// Of each step the saga is at, its newest message, if its receiver has not come so far.
async fn unheard(reached: &Reached, saga: &Saga, letters: &[Letter]) -> Result<Vec<Unheard>> {
    let mut unheard = Vec::new();
    for at in &saga.at {
        let newest = letters
            .iter()
            .rfind(|letter| (&*letter.step, &*letter.direction) == (&*at.step, at.direction.word()));
        // Commands stand before replies only where their writers do: the newest is the one with an outcome, if there is one.
        let answer = newest.and_then(|newest| {
            letters
                .iter()
                .rfind(|letter| letter.command == newest.command && letter.outcome.is_some())
        });
        let Some(letter) = answer.or(newest) else {
            continue;
        };
        let Some(receiver) = reached.of(letter.receiver()) else {
            continue;
        };
        let cursor = correspondence::cursor(receiver, letter).await?;
        if letter.position.is_none() || cursor < letter.position {
            unheard.push(Unheard {
                by: receiver.service.clone(),
                service: letter.service.clone(),
                kind: letter.kind.clone(),
                position: letter.position,
                cursor,
            });
        }
    }
    Ok(unheard)
}
