//! Running statements: connections, time limits, and second attempts.

use axum::http::StatusCode;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::Row;

use deadpool_postgres::{Object, Pool};

use super::attempts::{Attempts, Cause, Repeat};
use super::connection::Connection;
use super::fault::{self, Fault};
use super::limits::{ANSWER_BYTES_MAX, POOL_WAIT_MAX};
use super::problem::Problem;
use super::session::{Ending, Session};
use super::shapes::{How, Shapes, send, send_under};
use super::sql::Statement;
use crate::access::Subject;
use crate::pg::ident;
use crate::{plant, trace};

/// What a statement brought back.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) rows: Vec<Row>,
    /// Rows written, or read.
    pub(super) affected: u64,
    /// The transaction that wrote, where the statement said so.
    pub(super) transaction: Option<u64>,
    /// Whether all rows are here: more than [`ANSWER_BYTES_MAX`] are not kept.
    pub(super) fits: bool,
    /// What the write itself gave back, where `rows` were read after it.
    written: Option<Vec<Row>>,
}

impl Outcome {
    /// Rows as they came, and how many were touched.
    pub(super) fn of(rows: Vec<Row>, affected: u64) -> Self {
        Self {
            rows,
            affected,
            transaction: None,
            fits: true,
            written: None,
        }
    }

    /// A write that was not needed.
    pub(super) fn nothing() -> Self {
        Self::of(Vec::new(), 0)
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

/// Where statements run, and until when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runner<'r> {
    pub(super) pool: &'r Pool,
    pub(super) shapes: &'r Shapes,
    pub(super) deadline: Instant,
    pub(super) on: On<'r>,
    pub(super) who: Who<'r>,
}

/// Who is asking, as far as policies are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who<'r> {
    /// Nobody was asked: the system has no `[auth]`, or no policy is concerned.
    Unasked,
    /// Somebody without a token.
    Nobody,
    /// The subject of a token.
    Subject(&'r Subject),
}

impl Who<'_> {
    /// What begins a transaction in which policies see them; none where a statement needs no transaction for that.
    ///
    /// For this transaction only: whoever uses the connection next has none.
    pub(super) fn begin(self) -> Option<String> {
        match self {
            Self::Subject(_) if plant::is("subject-not-set") => None,
            Self::Subject(subject) if plant::is("subject-outlives-transaction") => {
                Some(subject.set().replace("set local", "begin; set"))
            }
            Self::Subject(subject) => Some(match trace::current() {
                Some(trace) => format!(
                    "begin; {}; set local fh.traceparent = {}",
                    subject.set(),
                    ident::literal(&trace)
                ),
                None => format!("begin; {}", subject.set()),
            }),
            Self::Unasked | Self::Nobody => None,
        }
    }
}

/// What a statement runs on.
#[derive(Debug, Clone, Copy)]
pub(super) enum On<'r> {
    /// Any connection, as a transaction of its own.
    Pool,
    /// The connection of a transaction that is open: whoever opened it ends it, and repeats it.
    Session(&'r Session),
}

impl<'r> Runner<'r> {
    /// Runs statements on any connection, until `deadline`.
    pub(super) fn new(pool: &'r Pool, shapes: &'r Shapes, deadline: Instant, who: Who<'r>) -> Self {
        Self {
            pool,
            shapes,
            deadline,
            on: On::Pool,
            who,
        }
    }

    /// Runs one statement as its own transaction.
    ///
    /// A lost race is run again, and a plan that DDL made stale is made anew, within the limits of [`Attempts`]. If the
    /// connection is lost while it runs, whether it was committed is unknown, and the fault says so.
    pub(super) async fn write(&self, statement: &Statement) -> Result<Outcome, Fault> {
        self.run(statement, Repeat::Unsafe).await
    }

    /// Runs one statement that changes nothing; as [`Self::write`], but a lost connection is a reason to try again.
    ///
    /// More than an answer holds is refused.
    pub(super) async fn read(&self, statement: &Statement) -> Result<Outcome, Fault> {
        let outcome = self.run(statement, Repeat::Safe).await?;
        if outcome.fits {
            return Ok(outcome);
        }
        let message = format!("the answer is larger than {ANSWER_BYTES_MAX} bytes");
        let problem = Problem::new(StatusCode::BAD_REQUEST, "too-large", "54000", message);
        Err(Fault::Refused(
            problem.with_hint("ask for fewer rows or columns at a time"),
        ))
    }

    async fn run(&self, statement: &Statement, if_lost: Repeat) -> Result<Outcome, Fault> {
        let how = self.admit(statement);
        if let On::Session(session) = self.on {
            return session.run(statement, how).await;
        }
        let mut attempts = Attempts::new();
        let begin = self.who.begin();
        loop {
            let connection = Connection::new(self.connect().await?);
            if if_lost == Repeat::Safe {
                // Who has gone needs no answer; a write is carried out all the same.
                connection.hold();
            }
            let client = connection.client()?;
            let sent = async {
                match &begin {
                    Some(begin) => send_under(client, begin, statement, how).await,
                    None => send(client, statement, how).await,
                }
            };
            let error = match timeout_at(self.deadline, sent).await {
                Ok(Ok(outcome)) => {
                    connection.give_back();
                    return Ok(outcome);
                }
                Ok(Err(error)) => error,
                Err(_) => return Err(connection.cancel().await),
            };
            let cause = Cause::of(&error);
            match cause {
                Cause::Lost => connection.give_up(),
                Cause::Race | Cause::StalePlan | Cause::Other => connection.give_back(),
            }
            if attempts.again(cause, if_lost, self.pool).await {
                continue;
            }
            return Err(match (cause, if_lost) {
                (Cause::Lost, Repeat::Unsafe) => Fault::Refused(fault::lost(&error.to_string())),
                _ => Fault::Database(error),
            });
        }
    }

    /// Runs one statement in a transaction, and then what `next` makes of what came back; a refusal rolls it back.
    ///
    /// What the commit refuses is an error of the write; what is repeated is said at [`Self::transaction`].
    pub(super) async fn write_then(
        &self,
        statement: &Statement,
        next: impl Fn(&Outcome) -> Result<Then, Problem> + Sync,
    ) -> Result<Outcome, Fault> {
        let next = &next;
        self.transaction(Ending::Commit, |within| {
            Box::pin(async move {
                let mut outcome = within.runner.write(statement).await?;
                if let Then::Read(read) = next(&outcome).map_err(Fault::Refused)? {
                    let found = within.runner.read(&read).await?;
                    outcome.written = Some(std::mem::replace(&mut outcome.rows, found.rows));
                }
                Ok(outcome)
            })
        })
        .await
    }

    /// How this statement is to be sent.
    pub(super) fn admit(&self, statement: &Statement) -> How {
        self.shapes.admit(&statement.sql, self.pool)
    }

    pub(super) async fn connect(&self) -> Result<Object, Fault> {
        let limit = POOL_WAIT_MAX.min(self.deadline.saturating_duration_since(Instant::now()));
        match timeout(limit, self.pool.get()).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(error)) => Err(Fault::Pool(error.to_string())),
            Err(_) => Err(Fault::Pool("no connection came free in time".to_owned())),
        }
    }
}
