//! Has keys that are set aside tried again. The running service does the work.
//!
//! A key's row is its lock, as in the service: while we hold it, nobody handles its messages and none is put behind them.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use tokio_postgres::types::ToSql;

use super::Database;
use super::parked::{self, COLUMNS, OF_WHICH, ParkedKey, WAITING, Which};

/// How often it is looked whether the service is done.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Makes a key due, with all its attempts before it.
pub(super) const GOING: &str = "state = 'retrying',
             attempts = 0,
             next_at = clock_timestamp()";

/// What came of a key that was set going.
#[derive(Debug, Serialize)]
pub struct Redriven {
    /// The key, as it stood before.
    #[serde(flatten)]
    pub key: ParkedKey,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of it while we waited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Its messages were handled; the key flows again.
    Done,
    /// A message failed again. The key waits with it and its followers.
    FailedAgain {
        /// What the handler said.
        failure: String,
        /// The position of the message.
        at_position: Option<i64>,
    },
    /// The service is not done with it yet.
    UnderWay,
    /// The service does not run: it is done when it starts.
    WhenItStarts,
}

/// Has these keys tried again at once, with the first attempt; returns them as they stood.
///
/// # Errors
/// When the service is at work on one of them for longer than the role's lock timeout; what PostgreSQL says. Nothing is
/// changed then.
pub async fn redrive(database: &mut Database, which: &Which) -> Result<Vec<ParkedKey>> {
    let lock = format!(
        "with k as materialized (
           select *
           from freehold.parked_key k
           where {OF_WHICH}
           order by k.producer, k.topic, k.key
           for update
         )
         select {COLUMNS}
         from k
         {WAITING}
         order by k.since, k.producer, k.topic, k.key"
    );
    let set = format!(
        "update freehold.parked_key k
         set {GOING}
         where {OF_WHICH}"
    );
    let (lock, set) = (database.place(&lock).into_owned(), database.place(&set).into_owned());
    let with: [&(dyn ToSql + Sync); 3] = [&which.producer, &which.topic, &which.key];
    let made = async {
        let transaction = database.client.transaction().await?;
        let rows = transaction.query(&lock, &with).await?;
        transaction.execute(&set, &with).await?;
        transaction.commit().await?;
        anyhow::Ok(rows)
    }
    .await;
    let rows = made.map_err(|error| database.told(error))?;
    rows.iter().map(|row| ParkedKey::of(&database.service, row)).collect()
}

/// Waits until the service is done with each of these keys, at most so long, and says what came of them.
///
/// # Errors
/// As [`Database::rows`].
pub async fn await_outcomes(database: &Database, keys: Vec<ParkedKey>, at_most: Duration) -> Result<Vec<Redriven>> {
    let until = Instant::now() + at_most;
    loop {
        let now = parked::list(database, &Which::default()).await?;
        let outcomes: Vec<Outcome> = keys.iter().map(|key| outcome(key, &now)).collect();
        let is_open = outcomes.contains(&Outcome::UnderWay);
        if is_open && Instant::now() < until {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        let asleep = is_open && !database.service_runs().await?;
        let told = keys.into_iter().zip(outcomes).map(|(key, outcome)| Redriven {
            key,
            outcome: match outcome {
                Outcome::UnderWay if asleep => Outcome::WhenItStarts,
                outcome => outcome,
            },
        });
        return Ok(told.collect());
    }
}

fn outcome(key: &ParkedKey, now: &[ParkedKey]) -> Outcome {
    let same = |k: &&ParkedKey| (&k.producer, &k.topic, &k.key) == (&key.producer, &key.topic, &key.key);
    match now.iter().find(same) {
        None => Outcome::Done,
        // Attempts begin at 0 when a key is set going; the service counts what fails.
        Some(still) if still.attempts > 0 => Outcome::FailedAgain {
            failure: still.error.clone(),
            at_position: still.first_position,
        },
        Some(_) => Outcome::UnderWay,
    }
}
