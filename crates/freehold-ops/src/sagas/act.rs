//! The three ways to help a saga on. The running service does the work.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use freehold::saga::engine::Operator;
use serde::Serialize;

use super::story::{self, Line};
use super::{Saga, list};
use crate::events::Database;

/// How often it is looked whether the saga has moved.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is asked for, why, and by whom.
#[derive(Debug, Clone)]
pub struct Order {
    /// What.
    pub action: Operator,
    /// Why, for those who come later.
    pub reason: Option<String>,
    /// Who decided it.
    pub by: String,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Acted {
    /// The saga as it is now.
    #[serde(flatten)]
    pub saga: Saga,
    /// What was asked for.
    pub action: Operator,
    /// How the waiting ended.
    pub outcome: Outcome,
    /// What happened since, by the saga's own history.
    pub story: Vec<Line>,
}

/// How the waiting for a saga ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It has ended.
    Ended,
    /// It is stuck again, or still.
    Stuck,
    /// It goes on.
    GoesOn,
    /// The service could not do what was asked: its log says why. It tries again by itself.
    PutOff,
    /// The service has not got to it yet.
    UnderWay,
    /// The service does not run: it is done when it starts.
    WhenItStarts,
}

/// What was asked for, as the service is told of it.
#[derive(Debug)]
pub struct Asked {
    saga: Saga,
    action: Operator,
    due: i64,
    told: i64,
}

/// The word of the command line for an action.
#[must_use]
pub fn word(action: Operator) -> &'static str {
    match action {
        Operator::Retry => "retry",
        Operator::Skip => "skip",
        Operator::MarkDone => "mark-done",
    }
}

/// Asks the saga's service for this, and writes into the saga's history who did and why. One transaction.
///
/// # Errors
/// When the saga has ended meanwhile, or is being worked at for longer than the role's lock timeout; what PostgreSQL says.
pub async fn ask(database: &mut Database, saga: &Saga, order: &Order) -> Result<Asked> {
    let place = |sql: &str| database.place(sql).into_owned();
    let lock = place("select s.state from freehold.saga s where s.id = $1::text::uuid for update");
    let due = place(
        "insert into freehold.due (due_at, kind, saga, payload, traceparent)
         values (clock_timestamp(), 'operator', $1::text::uuid, $2::text::json, $3)
         returning id",
    );
    let tell = place(
        "insert into freehold.saga_history (saga, event, detail)
         values ($1::text::uuid, 'operator', $2)
         returning id",
    );
    let payload = serde_json::to_string(&order.action)?;
    let reason = order.reason.iter().map(|reason| format!(": {reason}"));
    let detail = format!("{} by {}{}", word(order.action), order.by, reason.collect::<String>());
    let made = async {
        let transaction = database.client.transaction().await?;
        // The saga's turns come one after the other: what we see here, the next turn sees.
        let state: String = transaction.query_one(&lock, &[&saga.id]).await?.get(0);
        if matches!(&*state, "completed" | "compensated") {
            bail!("saga {} of {} is {state}: nothing was changed", saga.name, saga.key);
        }
        let told = transaction.query_one(&tell, &[&saga.id, &detail]).await?.get(0);
        let row = transaction
            .query_one(&due, &[&saga.id, &payload, &saga.traceparent])
            .await?;
        transaction.commit().await?;
        Ok(Asked {
            saga: saga.clone(),
            action: order.action,
            due: row.get(0),
            told,
        })
    }
    .await;
    made.map_err(|error| database.told(error))
}

/// Waits until the saga has ended or is stuck again, at most so long, and says what became of it.
///
/// # Errors
/// As [`Database::rows`].
pub async fn await_outcome(database: &Database, asked: Asked, at_most: Duration) -> Result<Acted> {
    let until = Instant::now() + at_most;
    loop {
        let outcome = look(database, &asked).await?;
        let is_open = matches!(outcome, Outcome::UnderWay | Outcome::GoesOn);
        if is_open && Instant::now() < until {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        let outcome = match outcome {
            Outcome::UnderWay if !database.service_runs().await? => Outcome::WhenItStarts,
            outcome => outcome,
        };
        return Ok(Acted {
            saga: again(database, &asked.saga).await?,
            action: asked.action,
            outcome,
            story: story::history(database, &asked.saga, asked.told).await?,
        });
    }
}

async fn again(database: &Database, saga: &Saga) -> Result<Saga> {
    let found = list::find(database, &saga.id).await?;
    let same = found.into_iter().find(|found| found.id == saga.id);
    same.map_or_else(|| bail!("saga {} is gone", saga.id), Ok)
}

async fn look(database: &Database, asked: &Asked) -> Result<Outcome> {
    let sql = "select s.state,
                      exists (select from freehold.due d where d.id = $2),
                      exists (select from freehold.due d where d.saga = s.id and d.kind = 'operator' and d.id > $2)
               from freehold.saga s
               where s.id = $1::text::uuid";
    let row = database.row(sql, &[&asked.saga.id, &asked.due]).await?;
    let (state, waits, put_off): (&str, bool, bool) = (row.get(0), row.get(1), row.get(2));
    Ok(match (waits, put_off, state) {
        (true, ..) => Outcome::UnderWay,
        // What the service cannot do it writes down anew, for later.
        (false, true, _) => Outcome::PutOff,
        (false, false, "completed" | "compensated") => Outcome::Ended,
        (false, false, "stuck") => Outcome::Stuck,
        (false, false, _) => Outcome::GoesOn,
    })
}
