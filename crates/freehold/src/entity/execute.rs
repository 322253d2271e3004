//! Running statements: connections, prepared shapes, time limits, and second attempts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use deadpool_postgres::{Object, Pool};
use futures_util::{TryStreamExt, pin_mut};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{NoTls, Row};

use super::fault::{self, Fault};
use super::limits::{ATTEMPTS_MAX, CANCEL_TIME_MAX, PAUSE_FIRST_MS, POOL_WAIT_MAX, REQUEST_TIME_MAX, SHAPES_MAX};
use super::problem::Problem;
use super::sql::Statement;

/// What a statement brought back.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) rows: Vec<Row>,
    /// Rows written, or read.
    pub(super) affected: u64,
    /// What the write itself gave back, where `rows` were read after it.
    written: Option<Vec<Row>>,
}

impl Outcome {
    /// A write that was not needed.
    pub(super) fn nothing() -> Self {
        Self {
            rows: Vec::new(),
            affected: 0,
            written: None,
        }
    }

    /// What the write gave back; `rows`, unless those were read after it.
    pub(super) fn written(&self) -> &[Row] {
        self.written.as_ref().unwrap_or(&self.rows)
    }
}

/// What follows a write in its transaction.
#[derive(Debug)]
pub(super) enum Then {
    /// The commit.
    Done,
    /// This statement, whose rows take the place of the write's; then the commit.
    Read(Statement),
}

/// The shapes of statements seen lately, by their text.
///
/// A shape is prepared when it is seen for the second time, so that a stream of one-off shapes prepares nothing; when
/// [`SHAPES_MAX`] are known, the one unused for longest is forgotten here and on every connection.
#[derive(Debug, Default)]
pub(super) struct Shapes(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    clock: u64,
    shapes: HashMap<Box<str>, Use>,
}

#[derive(Debug)]
struct Use {
    last: u64,
    how: How,
}

/// How a statement is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Parsed for this once.
    Once,
    /// By its prepared form.
    Prepared,
}

impl Shapes {
    fn admit(&self, sql: &str, pool: &Pool) -> How {
        // A panic while holding the lock leaves at worst a shape too many or too few.
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clock += 1;
        let clock = seen.clock;
        if let Some(known) = seen.shapes.get_mut(sql) {
            known.last = clock;
            known.how = How::Prepared;
            return How::Prepared;
        }
        if seen.shapes.len() >= SHAPES_MAX {
            let oldest = seen.shapes.iter().min_by_key(|(_, u)| u.last);
            let oldest = oldest.map(|(sql, u)| (sql.clone(), u.how));
            if let Some((sql, how)) = oldest {
                seen.shapes.remove(&sql);
                if how == How::Prepared {
                    pool.manager().statement_caches.remove(&sql, &[]);
                }
            }
        }
        let fresh = Use {
            last: clock,
            how: How::Once,
        };
        seen.shapes.insert(sql.into(), fresh);
        How::Once
    }
}

/// Where statements run, and until when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runner<'r> {
    pub(super) pool: &'r Pool,
    pub(super) shapes: &'r Shapes,
    pub(super) deadline: Instant,
}

impl Runner<'_> {
    /// Runs one statement as its own transaction.
    ///
    /// A lost race is run again, up to [`ATTEMPTS_MAX`] times; a plan that DDL made stale is made anew, once. If the
    /// connection is lost while it runs, whether it was committed is unknown, and the fault says so.
    pub(super) async fn write(&self, statement: &Statement) -> Result<Outcome, Fault> {
        self.run(statement, Repeat::Unsafe).await
    }

    /// Runs one statement that changes nothing; as [`Self::write`], but a lost connection is a reason to try again.
    pub(super) async fn read(&self, statement: &Statement) -> Result<Outcome, Fault> {
        self.run(statement, Repeat::Safe).await
    }

    async fn run(&self, statement: &Statement, repeat: Repeat) -> Result<Outcome, Fault> {
        let how = self.shapes.admit(&statement.sql, self.pool);
        let mut attempt = 1;
        loop {
            let client = self.connect().await?;
            let error = match timeout_at(self.deadline, send(&client, statement, how)).await {
                Ok(Ok(outcome)) => return Ok(outcome),
                Ok(Err(error)) => error,
                Err(_) => return Err(cancel(client).await),
            };
            attempt = self.prepare_retry(error, attempt, client, repeat).await?;
        }
    }

    /// Runs one statement in a transaction, and then what `next` makes of what came back; a refusal rolls it back.
    ///
    /// Otherwise as [`Self::write`]: what the commit refuses is an error of the write, and a lost race is run again from
    /// the beginning.
    pub(super) async fn write_then(
        &self,
        statement: &Statement,
        next: impl Fn(&Outcome) -> Result<Then, Problem>,
    ) -> Result<Outcome, Fault> {
        let how = self.shapes.admit(&statement.sql, self.pool);
        let mut attempt = 1;
        loop {
            let client = self.connect().await?;
            let whole = async {
                client.batch_execute("begin").await?;
                let mut outcome = send(&client, statement, how).await?;
                match next(&outcome) {
                    Ok(Then::Done) => {}
                    Ok(Then::Read(read)) => {
                        let how = self.shapes.admit(&read.sql, self.pool);
                        let found = send(&client, &read, how).await?;
                        outcome.written = Some(std::mem::replace(&mut outcome.rows, found.rows));
                    }
                    Err(problem) => return Ok(Err(problem)),
                }
                client.batch_execute("commit").await?;
                Ok(Ok(outcome))
            };
            let end = timeout_at(self.deadline, whole).await;
            if let Ok(Ok(Ok(outcome))) = end {
                return Ok(outcome);
            }
            let Ok(end) = end else {
                return Err(cancel(client).await);
            };
            // Whatever comes next on this connection must not run inside the transaction.
            if client.batch_execute("rollback").await.is_err() {
                drop(Object::take(client));
                return Err(end.map_or_else(Fault::Database, |_| Fault::Pool("lost".to_owned())));
            }
            match end {
                Ok(Ok(outcome)) => return Ok(outcome),
                Ok(Err(problem)) => return Err(Fault::Refused(problem)),
                Err(error) => attempt = self.prepare_retry(error, attempt, client, Repeat::Unsafe).await?,
            }
        }
    }

    async fn connect(&self) -> Result<Object, Fault> {
        let limit = POOL_WAIT_MAX.min(self.deadline.saturating_duration_since(Instant::now()));
        match timeout(limit, self.pool.get()).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(error)) => Err(Fault::Pool(error.to_string())),
            Err(_) => Err(Fault::Pool("no connection came free in time".to_owned())),
        }
    }

    /// Decides whether to try again, gives the connection back, and waits.
    async fn prepare_retry(
        &self,
        error: tokio_postgres::Error,
        attempt: u32,
        client: Object,
        repeat: Repeat,
    ) -> Result<u32, Fault> {
        if is_lost(&error) {
            drop(Object::take(client));
            return match repeat {
                Repeat::Safe if attempt < ATTEMPTS_MAX => Ok(attempt + 1),
                Repeat::Safe | Repeat::Unsafe => Err(Fault::Database(error)),
            };
        }
        drop(client);
        let Some(code) = error.code() else {
            return Err(Fault::Database(error));
        };
        if attempt == 1 && is_stale_plan(&error) {
            // Every connection has the same stale plan.
            self.pool.manager().statement_caches.clear();
            return Ok(attempt + 1);
        }
        let lost_race = *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED;
        if !lost_race || attempt >= ATTEMPTS_MAX {
            return Err(Fault::Database(error));
        }
        let pause = PAUSE_FIRST_MS << attempt;
        let pause = Duration::from_millis(pause / 2 + fastrand::u64(0..=pause / 2));
        tokio::time::sleep(pause).await;
        Ok(attempt + 1)
    }
}

/// Whether a statement whose fate is unknown may be run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Safe,
    Unsafe,
}

/// The connection is gone, or the server is about to close it.
fn is_lost(error: &tokio_postgres::Error) -> bool {
    let Some(db) = error.as_db_error() else {
        return true;
    };
    [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ]
    .contains(db.code())
}

/// When a request that starts now must be done.
pub(super) fn deadline() -> Instant {
    Instant::now() + REQUEST_TIME_MAX
}

/// DDL under a prepared statement: "cached plan must not change result type", or the statement is gone.
fn is_stale_plan(error: &tokio_postgres::Error) -> bool {
    let Some(db) = error.as_db_error() else {
        return false;
    };
    *db.code() == SqlState::INVALID_SQL_STATEMENT_NAME
        || (*db.code() == SqlState::FEATURE_NOT_SUPPORTED && db.routine() == Some("RevalidateCachedQuery"))
}

async fn send(client: &Object, statement: &Statement, how: How) -> Result<Outcome, tokio_postgres::Error> {
    let params = &statement.params;
    let stream = match how {
        How::Prepared => {
            let prepared = client.prepare_cached(&statement.sql).await?;
            client.query_raw(&prepared, params.iter()).await?
        }
        How::Once => {
            let typed = params.iter().map(|p| (p, p.sql_type()));
            let typed: Vec<(_, Type)> = typed.collect();
            client.query_typed_raw(&statement.sql, typed).await?
        }
    };
    pin_mut!(stream);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await? {
        rows.push(row);
    }
    let affected = stream.rows_affected().unwrap_or(rows.len() as u64);
    Ok(Outcome {
        rows,
        affected,
        written: None,
    })
}

/// Asks the server to stop, and gives the connection up: it may still be busy.
async fn cancel(client: Object) -> Fault {
    let token = client.cancel_token();
    drop(Object::take(client));
    if !matches!(timeout(CANCEL_TIME_MAX, token.cancel_query(NoTls)).await, Ok(Ok(()))) {
        tracing::warn!("a statement that ran out of time could not be cancelled");
    }
    Fault::Refused(fault::out_of_time(StatusCode::GATEWAY_TIMEOUT))
}
