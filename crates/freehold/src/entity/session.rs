//! Several statements as one transaction: all of them, or none.
//!
//! Whoever opened the transaction ends it, and begins again from the start when a race was lost in it; what runs within
//! does neither.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use deadpool_postgres::Object;
use futures_util::future::BoxFuture;
use tokio::time::{timeout, timeout_at};
use tokio_postgres::types::ToSql;

use super::attempts::{Attempts, Cause, Repeat};
use super::connection::Connection;
use super::execute::{On, Outcome, Runner, Who};
use super::fault::{self, Fault};
use super::limits::CANCEL_TIME_MAX;
use super::shapes::{How, send};
use super::sql::Statement;
use crate::plant;

/// How a transaction ends whose work succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is carried out. If the connection is lost in the very commit, whether it was is unknown, and the fault says so.
    Commit,
    /// As [`Ending::Commit`], of work that does nothing the second time: one whose fate is unknown is done again, once.
    CommitRepeatable,
    /// Nothing of it stands, after all that a commit would check was checked.
    Rollback,
}

/// Where the statements of a transaction run: work that borrows for `'w` can borrow the transaction, too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Within<'s, 'w> {
    pub(super) runner: Runner<'s>,
    /// That `'w` outlives `'s`.
    outlives: PhantomData<&'s &'w ()>,
}

impl<'w> Runner<'w> {
    /// Does `work` in one transaction; a failure of any part of it undoes the whole.
    ///
    /// A lost race, a stale plan and a connection lost before the commit are reason to do all of `work` again, within the
    /// limits of [`Attempts`]. What the commit refuses is a fault of the whole. Within a transaction that is open already
    /// the work is a part of that one, and neither begins nor ends.
    pub(super) async fn transaction<T>(
        &self,
        ending: Ending,
        work: impl for<'s> Fn(Within<'s, 'w>) -> BoxFuture<'s, Result<T, Fault>>,
    ) -> Result<T, Fault> {
        if let On::Session(session) = self.on {
            let done = work(Within {
                runner: *self,
                outlives: PhantomData,
            })
            .await;
            if done.is_err() {
                session.fail(Cause::Other, Stage::Within, "a part of it was refused");
            }
            return done;
        }
        let mut attempts = Attempts::new();
        let mut unknown = match ending {
            Ending::CommitRepeatable => Unknown::Repeated,
            Ending::Commit | Ending::Rollback => Unknown::Told,
        };
        loop {
            let session = Session::new(self.connect().await?, self.who);
            let within = Within {
                runner: Runner {
                    on: On::Session(&session),
                    ..*self
                },
                outlives: PhantomData,
            };
            let whole = async {
                let done = work(within).await?;
                session.end(ending).await?;
                Ok(done)
            };
            let fault = match timeout_at(self.deadline, whole).await {
                Ok(Ok(done)) => {
                    session.connection.give_back();
                    return Ok(done);
                }
                Ok(Err(fault)) => fault,
                Err(_) => return Err(session.connection.cancel().await),
            };
            let failure = session.failure();
            timeout(CANCEL_TIME_MAX, session.roll_back()).await.ok();
            let Some(failure) = failure else {
                return Err(fault);
            };
            let if_lost = match (failure.stage, unknown) {
                (Stage::Within, _) => Repeat::Safe,
                (Stage::Commit, Unknown::Told) => Repeat::Unsafe,
                (Stage::Commit, Unknown::Repeated) => {
                    unknown = Unknown::Told;
                    Repeat::Safe
                }
            };
            if !attempts.again(failure.cause, if_lost, self.pool).await {
                return Err(failure.into_fault(fault));
            }
        }
    }
}

/// What becomes of a commit whose fate is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unknown {
    Told,
    Repeated,
}

/// One connection inside a transaction, which begins with the first statement.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    begin: Cow<'static, str>,
    failure: Mutex<Option<Failure>>,
    last: Mutex<Option<Last>>,
}

/// A statement that is sent together with the commit.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) sql: String,
    pub(super) params: Vec<Box<dyn ToSql + Sync + Send>>,
}

/// What undid the transaction.
#[derive(Debug, Clone)]
struct Failure {
    cause: Cause,
    stage: Stage,
    reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The commit was not sent: nothing can have been carried out.
    Within,
    /// The commit was sent.
    Commit,
}

impl Failure {
    /// What is told of it when no attempt is left.
    fn into_fault(self, fault: Fault) -> Fault {
        match (fault, self.cause, self.stage) {
            (fault, Cause::Other, _) => fault,
            (_, Cause::Lost, Stage::Commit) => Fault::Refused(fault::lost(&self.reason)),
            (Fault::Refused(problem), ..) => Fault::Refused(fault::traced(problem, &self.reason)),
            (fault, ..) => fault,
        }
    }
}

impl Session {
    fn new(client: Object, who: Who<'_>) -> Self {
        Self {
            connection: Connection::new(client),
            begin: who.begin().map_or(Cow::Borrowed("begin"), Cow::Owned),
            failure: Mutex::new(None),
            last: Mutex::new(None),
        }
    }

    /// Runs one statement of the transaction.
    pub(super) async fn run(&self, statement: &Statement, how: How) -> Result<Outcome, Fault> {
        self.on(async |client| send(client, statement, how).await).await
    }

    /// Sends what `work` sends, after the `begin` where that is still to be sent: in one round trip with it.
    ///
    /// `begin` fails with the connection only, so that nothing can follow it outside of the transaction.
    pub(super) async fn on<T>(
        &self,
        work: impl AsyncFnOnce(&Object) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Fault> {
        let client = self.connection.client()?;
        let done = if self.connection.hold() {
            work(client).await
        } else {
            let (begun, done) = tokio::join!(biased; client.batch_execute(&self.begin), work(client));
            begun.and(done)
        };
        done.map_err(|error| self.failed(error, Stage::Within))
    }

    /// Has `last` sent with the commit, if it comes to that; of two the second stays.
    pub(super) fn end_with(&self, last: Last) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    /// Ends a transaction in which nothing failed.
    async fn end(&self, ending: Ending) -> Result<(), Fault> {
        // What a failed part left would be answered COMMIT with a rollback and no error.
        if let Some(failure) = self.failure() {
            let problem = failure.cause.problem();
            return Err(Fault::Refused(
                problem.unwrap_or_else(|| fault::inside(&failure.reason)),
            ));
        }
        if !self.connection.is_held() {
            return Ok(());
        }
        let client = self.connection.client()?;
        let (done, stage) = match ending {
            Ending::Commit | Ending::CommitRepeatable => (self.commit(client).await, Stage::Commit),
            Ending::Rollback => {
                let checked = client.batch_execute("set constraints all immediate");
                let (checked, undone) = tokio::join!(biased; checked, client.batch_execute("rollback"));
                (checked.and(undone), Stage::Within)
            }
        };
        done.map_err(|error| self.failed(error, stage))
    }

    /// Commits, after the last statement where there is one: in one round trip with it. If that fails, the commit of a
    /// failed transaction is a rollback.
    async fn commit(&self, client: &Object) -> Result<(), tokio_postgres::Error> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Last { sql, params }) = last else {
            return client.batch_execute("commit").await;
        };
        // Before the commit is sent: what follows must not wait for an answer in between.
        let prepared = client.prepare_cached(&sql).await?;
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|p| &**p as &(dyn ToSql + Sync)).collect();
        if plant::is("key-outside-transaction") {
            client.batch_execute("commit").await?;
            plant::gap().await;
            return client.execute(&prepared, &params).await.map(drop);
        }
        let (done, committed) = tokio::join!(
            biased;
            client.execute(&prepared, &params),
            client.batch_execute("commit"),
        );
        done.and(committed)
    }

    /// Undoes everything and gives the connection back; one that does not answer is closed.
    async fn roll_back(self) {
        let undone = match self.connection.client() {
            Ok(client) if self.connection.is_held() => client.batch_execute("rollback").await.is_ok(),
            Ok(_) => true,
            Err(_) => false,
        };
        match undone {
            true => self.connection.give_back(),
            false => self.connection.give_up(),
        }
    }

    fn failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers the first failure: what follows it only says that the transaction is undone.
    fn fail(&self, cause: Cause, stage: Stage, reason: impl Into<String>) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| Failure {
            cause,
            stage,
            reason: reason.into(),
        });
    }

    /// The fault of an error; what may be repeated is not told yet, nor logged.
    fn failed(&self, error: tokio_postgres::Error, stage: Stage) -> Fault {
        let cause = Cause::of(&error);
        self.fail(cause, stage, error.to_string());
        match (stage, cause.problem()) {
            (Stage::Within, Some(problem)) => Fault::Refused(problem),
            _ => Fault::Database(error),
        }
    }
}
