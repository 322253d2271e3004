//! A saga's row and story: read under its lock, written in one statement. Alone names `freehold.saga*`.

use serde_json::Value;
use uuid::Uuid;

use super::Runnable;
use super::engine::{Course, Direction, Note, Progress, State};
use crate::error::{Error, Result, told};
use crate::tx::Tx;

/// A saga as stored.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) key: String,
    pub(super) course: Course,
    pub(super) data: Value,
    pub(super) traceparent: Option<String>,
}

/// What a saga waits for.
#[derive(Debug)]
pub(super) struct Wait {
    /// `timeout`, `retry` or `call`: see `freehold.due`.
    pub(super) kind: &'static str,
    pub(super) step: &'static str,
    pub(super) direction: Direction,
    pub(super) ms: i64,
}

/// What one turn came to, beside the saga itself.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) notes: Vec<Note>,
    pub(super) settled: Vec<(&'static str, Direction)>,
    pub(super) waits: Vec<Wait>,
    pub(super) commands: Vec<Sent>,
}

/// A command that a turn sends.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) name: &'static str,
    pub(super) body: String,
}

impl Kept {
    /// Nothing is awaited of this step any more.
    pub(super) fn settle(&mut self, step: &'static str, direction: Direction) {
        self.waits
            .retain(|wait| (wait.step, wait.direction) != (step, direction));
        self.settled.push((step, direction));
    }

    /// This is awaited of the step, and nothing else.
    pub(super) fn wait(&mut self, wait: Wait) {
        self.settled.retain(|settled| *settled != (wait.step, wait.direction));
        self.waits
            .retain(|other| (other.step, other.direction) != (wait.step, wait.direction));
        self.waits.push(wait);
    }
}

/// Adds a saga; the id of the one there is, if its key has one that runs or was completed.
pub(super) async fn add(tx: &mut Tx, saga: &dyn Runnable, key: &str, data: &Value) -> Result<(Uuid, bool)> {
    let id = Uuid::now_v7();
    let sql = tx.place(
        "with added as (
           insert into freehold.saga (id, name, version, key, state, data, progress, traceparent)
           values ($1, $2, $3, $4, 'running', $5::text::json, '{}', $6)
           on conflict (name, key) where state <> 'compensated' do nothing
           returning id
         )
         select id, true from added
         union all
         select s.id, false
         from freehold.saga s
         where s.name = $2 and s.key = $4 and s.state <> 'compensated'",
    );
    let version = i32::try_from(saga.version()).unwrap_or(i32::MAX);
    let trace = tx.traceparent().map(str::to_owned);
    let row = tx
        .query_opt(&sql, &[&id, &saga.name(), &version, &key, &data.to_string(), &trace])
        .await?;
    if let Some(row) = row {
        return Ok((row.get(0), row.get(1)));
    }
    // It was added by somebody who committed after our statement began; the next one sees it.
    let sql =
        tx.place("select s.id from freehold.saga s where s.name = $1 and s.key = $2 and s.state <> 'compensated'");
    let row = tx.query_one(&sql, &[&saga.name(), &key]).await?;
    Ok((row.get(0), false))
}

/// Locks a saga and reads it; none if there is none.
pub(super) async fn load(tx: &Tx, id: Uuid) -> Result<Option<Stored>> {
    let sql = tx.place(
        "select s.name, s.version, s.key, s.state, s.data::text, s.progress::text, s.reason, s.traceparent
         from freehold.saga s
         where s.id = $1
         for update",
    );
    let Some(row) = tx.query_opt(&sql, &[&id]).await? else {
        return Ok(None);
    };
    let (version, state): (i32, &str) = (row.get(1), row.get(3));
    let state = State::of(state).ok_or_else(|| Error::other(format!("saga {id} is in the unknown state {state}")))?;
    Ok(Some(Stored {
        id,
        name: row.get(0),
        version: u32::try_from(version).unwrap_or_default(),
        key: row.get(2),
        course: Course {
            state,
            progress: progress(row.get(5))?,
            reason: row.get(6),
        },
        data: serde_json::from_str(row.get(4))?,
        traceparent: row.get(7),
    }))
}

/// Locks a saga unless somebody else has; false then, and if there is none.
pub(crate) async fn try_lock(tx: &Tx, id: Uuid) -> Result<bool> {
    let sql = tx.place("select from freehold.saga s where s.id = $1 for update skip locked");
    Ok(tx.query_opt(&sql, &[&id]).await?.is_some())
}

/// How far a saga is; `{}` before its first turn.
pub(crate) fn progress(text: &str) -> Result<Progress> {
    if text == "{}" {
        return Ok(Progress::default());
    }
    Ok(serde_json::from_str(text)?)
}

/// The saga of a name and key that is not compensated.
pub(super) async fn find(tx: &Tx, name: &str, key: &str) -> Result<Option<Uuid>> {
    let sql =
        tx.place("select s.id from freehold.saga s where s.name = $1 and s.key = $2 and s.state <> 'compensated'");
    Ok(tx.query_opt(&sql, &[&name, &key]).await?.map(|row| row.get(0)))
}

/// Writes a turn down.
pub(super) async fn keep(tx: &Tx, saga: &Stored, kept: &Kept) -> Result<()> {
    let word = |direction: Direction| direction.word();
    let steps: Vec<Option<&str>> = kept.notes.iter().map(|n| n.step.map(|s| s.0)).collect();
    let directions: Vec<Option<&str>> = kept.notes.iter().map(|n| n.step.map(|s| word(s.1))).collect();
    let events: Vec<&str> = kept.notes.iter().map(|n| n.event).collect();
    let attempts: Vec<Option<i32>> = kept
        .notes
        .iter()
        .map(|n| i32::try_from(n.attempt).ok().filter(|attempt| *attempt > 0))
        .collect();
    let details: Vec<Option<String>> = kept.notes.iter().map(|n| n.detail.as_deref().map(told)).collect();
    let reason = saga.course.reason.as_deref().map(told);
    let settled_steps: Vec<&str> = kept.settled.iter().map(|s| s.0).collect();
    let settled_directions: Vec<&str> = kept.settled.iter().map(|s| word(s.1)).collect();
    let kinds: Vec<&str> = kept.waits.iter().map(|w| w.kind).collect();
    let wait_steps: Vec<&str> = kept.waits.iter().map(|w| w.step).collect();
    let wait_directions: Vec<&str> = kept.waits.iter().map(|w| word(w.direction)).collect();
    let ms: Vec<i64> = kept.waits.iter().map(|w| w.ms).collect();
    let commands: Vec<&str> = kept.commands.iter().map(|sent| sent.name).collect();
    let bodies: Vec<&str> = kept.commands.iter().map(|sent| sent.body.as_str()).collect();
    if kept.waits.iter().any(|wait| wait.ms == 0) {
        tx.due_at_once();
    }
    let sql = tx.place(
        "select freehold.keep_saga($1, $2, $3::text::json, $4::text::json, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
    );
    let progress = serde_json::to_string(&saga.course.progress)?;
    tx.query_one(
        &sql,
        &[
            &saga.id,
            &saga.course.state.word(),
            &saga.data.to_string(),
            &progress,
            &reason,
            &steps,
            &directions,
            &events,
            &attempts,
            &details,
            &settled_steps,
            &settled_directions,
            &kinds,
            &wait_steps,
            &wait_directions,
            &ms,
            &saga.key,
            &commands,
            &bodies,
        ],
    )
    .await?;
    Ok(())
}

/// Compares the program's definitions with those that unfinished sagas were started under, and remembers them.
///
/// # Errors
/// [`Error::Behaviour`] when the program means other steps by a version that still runs.
pub(crate) async fn define(tx: &mut Tx, saga: &dyn Runnable) -> Result<()> {
    let unfinished = tx.place(
        "select d.version, d.steps::text
         from freehold.saga_definition d
         where d.name = $1
           and exists (
             select from freehold.saga s
             where (s.name, s.version) = (d.name, d.version)
               and s.state not in ('completed', 'compensated')
           )",
    );
    let unfinished = unfinished.into_owned();
    for row in tx.query(&unfinished, &[&saga.name()]).await? {
        let (version, stored): (i32, &str) = (row.get(0), row.get(1));
        let version = u32::try_from(version).unwrap_or_default();
        let ours = serde_json::to_string(&saga.shape(version).names())?;
        if version <= saga.version() && ours != stored {
            return Err(Error::Behaviour {
                problem: format!(
                    "sagas {} of version {version} still run with the steps {stored}, this program has {ours}",
                    saga.name()
                ),
                remedy: format!(
                    "raise VERSION, and give new steps .since({0}) and old ones .until({0})",
                    saga.version().max(version) + 1
                ),
            });
        }
    }
    let define = tx.place(
        "insert into freehold.saga_definition as d (name, version, steps)
         values ($1, $2, $3::text::json)
         on conflict (name, version) do update
         set steps = excluded.steps
         where d.steps::text <> excluded.steps::text",
    );
    let define = define.into_owned();
    let steps = serde_json::to_string(&saga.shape(saga.version()).names())?;
    let version = i32::try_from(saga.version()).unwrap_or(i32::MAX);
    tx.execute(&define, &[&saga.name(), &version, &steps]).await?;
    Ok(())
}
