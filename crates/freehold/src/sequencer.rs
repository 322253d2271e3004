//! Outbox to log: gives committed messages their positions, one batch at a time, and the events of streams theirs.
//!
//! Any number of instances may run it. The lock on `freehold.log_head` makes them take turns; the lease only
//! keeps all but one from asking.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::error::Error;
use crate::pg::place;

/// Messages moved in one transaction; a crash repeats all of it.
const BATCH_MAX: i32 = 10_000;

/// The shortest wait between two looks at the outbox, while messages keep coming.
const POLL_MIN: Duration = Duration::from_millis(1);

/// The least time between two batches: under load a batch then holds what came meanwhile, and costs the same.
const PACE: Duration = Duration::from_millis(4);

/// The longest wait: what a message written past this process (plain SQL, another instance) waits at most.
const POLL_MAX: Duration = Duration::from_millis(50);

/// How long an instance that stopped answering keeps the others idle.
const LEASE_TTL: Duration = Duration::from_secs(5);

/// The wait after a failure, so that a lost database is not asked in a tight loop.
const FAILURE_WAIT: Duration = Duration::from_millis(500);

/// What wakes the sequencer, and whom it wakes.
#[derive(Debug, Clone)]
pub struct Signals {
    /// Notified by whoever committed a write in this process.
    pub written: Arc<Notify>,
    /// The log's head as last seen; readers of the feed wait on it.
    pub head: watch::Sender<i64>,
    /// The position of the last ordered event of a stream as last seen; projections wait on it.
    pub ordered: watch::Sender<i64>,
    /// The log's epoch as last seen, 0 before the first time: a database that was restored has a higher one.
    pub epoch: watch::Sender<i32>,
    /// Notified by whoever committed work that is due.
    pub due: Arc<Notify>,
    /// When the sequencer last reached the database; none before the first time.
    pub alive: watch::Sender<Option<Instant>>,
}

impl Default for Signals {
    fn default() -> Self {
        Self {
            written: Arc::new(Notify::new()),
            due: Arc::new(Notify::new()),
            head: watch::Sender::new(0),
            ordered: watch::Sender::new(0),
            epoch: watch::Sender::new(0),
            alive: watch::Sender::new(None),
        }
    }
}

/// Where the log ends.
#[derive(Debug, Clone, Copy)]
struct Head {
    epoch: i32,
    position: i64,
    ordered: i64,
}

impl Signals {
    /// Reads where the log ends, and tells it.
    ///
    /// # Errors
    /// [`Error::Postgres`] or [`Error::Pool`] when the database does not answer.
    pub(crate) async fn look(&self, pool: &Pool, freehold: &str) -> Result<(), Error> {
        self.see(head(&pool.get().await?, freehold).await?);
        Ok(())
    }

    fn see(&self, head: Head) {
        fn keep<T: PartialEq>(seen: &mut T, now: T) -> bool {
            let differs = *seen != now;
            *seen = now;
            differs
        }
        self.epoch.send_if_modified(|seen| keep(seen, head.epoch));
        self.head.send_if_modified(|seen| keep(seen, head.position));
        self.ordered.send_if_modified(|seen| keep(seen, head.ordered));
    }
}

/// Runs until dropped.
///
/// If it dies between two batches nothing is lost; if it dies within one, the next run moves the same rows.
pub async fn run(pool: Pool, freehold: String, instance: String, signals: Signals) {
    let mut wait = POLL_MIN;
    let mut lease_until = Instant::now();
    let mut next = Instant::now();
    loop {
        let woken = tokio::select! {
            () = signals.written.notified() => true,
            () = tokio::time::sleep(wait) => false,
        };
        tokio::time::sleep_until(next).await;
        match turn(&pool, &freehold, &instance, &mut lease_until, woken).await {
            Ok((moved, head)) => {
                signals.see(head);
                signals.alive.send_replace(Some(Instant::now()));
                if moved > 0 {
                    next = Instant::now() + PACE;
                    wait = POLL_MIN;
                } else {
                    wait = (wait * 2).min(POLL_MAX);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the sequencer cannot reach the database and tries again");
                wait = FAILURE_WAIT;
            }
        }
    }
}

/// One look: moves what is there if it is this instance's turn, and tells the log's head.
async fn turn(
    pool: &Pool,
    freehold: &str,
    instance: &str,
    lease_until: &mut Instant,
    woken: bool,
) -> Result<(i32, Head), Error> {
    let client = pool.get().await?;
    if !woken && Instant::now() + LEASE_TTL / 2 > *lease_until {
        let ttl_ms = i32::try_from(LEASE_TTL.as_millis()).unwrap_or(i32::MAX);
        let statement = client
            .prepare_cached(&place("select freehold.hold_lease('sequencer', $1, $2)", freehold))
            .await?;
        let held = client.query_one(&statement, &[&instance, &ttl_ms]).await?;
        if held.get::<_, Option<bool>>(0) == Some(true) {
            *lease_until = Instant::now() + LEASE_TTL;
        }
    }
    // A write of our own is sequenced at once, whoever holds the lease.
    if woken || Instant::now() < *lease_until {
        let statement = client
            .prepare_cached(&place(
                "select case
                          when exists (select from freehold.outbox order by id limit 1) then freehold.sequence($1)
                          else 0
                        end
                        + case
                          when exists (select from freehold.stream_waiting) then freehold.order_events($1)
                          else 0
                        end",
                freehold,
            ))
            .await?;
        let moved: i32 = client.query_one(&statement, &[&BATCH_MAX]).await?.get(0);
        if moved > 0 {
            return Ok((moved, head(&client, freehold).await?));
        }
    }
    Ok((0, head(&client, freehold).await?))
}

async fn head(client: &deadpool_postgres::Client, freehold: &str) -> Result<Head, Error> {
    let statement = client
        .prepare_cached(&place(
            "select l.epoch, l.position, s.position from freehold.log_head l, freehold.stream_head s",
            freehold,
        ))
        .await?;
    let row = client.query_one(&statement, &[]).await?;
    Ok(Head {
        epoch: row.get(0),
        position: row.get(1),
        ordered: row.get(2),
    })
}
