//! Running one file: in a transaction with its row, or statement by statement, again when a lock is in the way.

use super::apply::{Limits, Progress};
use super::error::{Error, Result};
use super::fault::{Fault, Kept, Running};
use super::file::{File, Mode, Version};
use super::history;
use super::session::Session;
use super::split::{Statement, split};
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::error::SqlState;

/// One file on its way.
pub(super) struct Run<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) file: &'a File,
    pub(super) limits: &'a Limits,
    /// The version the service stands at before.
    pub(super) stands_at: Option<Version>,
}

/// What is tried at once.
#[derive(Clone, Copy)]
enum Part<'a> {
    /// The whole file, in a transaction.
    Whole,
    /// One statement, `ran` others having run before it.
    Statement { ran: usize, statement: &'a Statement },
}

/// How a try failed.
enum Failure {
    /// PostgreSQL refused a statement.
    Refused(Box<Fault>),
    /// The connection broke.
    Broken(Error),
}

impl Run<'_> {
    /// Runs and records the file, again and again while locks are in the way.
    pub(super) async fn persist(&self, progress: &mut (dyn FnMut(Progress<'_>) + Send)) -> Result<Duration> {
        let since = Instant::now();
        match self.file.mode {
            Mode::Transaction => {
                self.with_retries(Part::Whole, progress).await?;
            }
            Mode::NoTransaction => {
                let statements = split(&self.file.text).statements;
                for (ran, statement) in statements.iter().enumerate() {
                    let part = Part::Statement { ran, statement };
                    self.with_retries(part, progress).await?;
                }
                self.session.reset().await?;
                history::record(self.session, self.file, since.elapsed())
                    .await
                    .map_err(|e| self.session.broken(e))?;
            }
        }
        Ok(since.elapsed())
    }

    /// Runs a part until it succeeds, fails for another reason than a lock, or has been tried often enough.
    async fn with_retries(&self, part: Part<'_>, progress: &mut (dyn FnMut(Progress<'_>) + Send)) -> Result<()> {
        let mut pause = self.limits.back_off;
        for tries in 1.. {
            let done = match part {
                Part::Whole => self.in_transaction().await,
                Part::Statement { ran, statement } => self.one_by_one(ran, statement).await,
            };
            let fault = match done {
                Ok(()) => break,
                Err(Failure::Broken(e)) => return Err(e),
                Err(Failure::Refused(fault)) => fault,
            };
            let is_lock = [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED]
                .iter()
                .any(|state| state.code() == fault.code);
            // A failed concurrent build must be cleared away first.
            let is_clean = !matches!(
                &fault.kept,
                Kept::Statements { invalid_indexes, .. } if !invalid_indexes.is_empty()
            );
            if !is_lock || !is_clean {
                return Err(Error::Failed(fault));
            }
            if tries >= self.limits.lock_tries {
                return Err(Error::Locked { fault, tries });
            }
            progress(Progress::Retrying {
                service: &self.session.target.service,
                file: self.file,
                tries,
                pause,
            });
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.limits.back_off_max);
        }
        Ok(())
    }

    /// The whole file and its row in one transaction.
    async fn in_transaction(&self) -> Result<(), Failure> {
        let since = Instant::now();
        let lock_timeout = self.limits.lock_timeout.as_millis();
        self.session
            .run(&format!("begin;\nset local lock_timeout = '{lock_timeout}ms'"))
            .await
            .map_err(Failure::Broken)?;
        // Sent as one text, so that PostgreSQL's positions are positions in the file.
        if let Err((ran, e)) = self.session.run_file(&self.file.text).await {
            let statements = split(&self.file.text).statements;
            let running = match statements.get(ran).or(statements.last()) {
                Some(statement) => Running::Statement {
                    from: 0,
                    start: statement.start,
                    end: statement.end,
                },
                None => Running::Commit,
            };
            return Err(self.refused(e, running).await);
        }
        // The file may have changed the role; the history is the owner's.
        let recorded = match self.session.reset_role().await {
            Ok(()) => history::record(self.session, self.file, since.elapsed()).await,
            Err(e) => Err(e),
        };
        let ended = match recorded {
            Ok(()) => self.session.client.batch_execute("commit").await,
            Err(e) => Err(e),
        };
        match ended {
            Ok(()) => Ok(()),
            Err(e) => Err(self.refused(e, Running::Commit).await),
        }
    }

    /// One statement of a file without a transaction, `ran` others having run before it.
    async fn one_by_one(&self, ran: usize, statement: &Statement) -> Result<(), Failure> {
        let wait = if statement.has("concurrently") {
            self.limits.concurrent_wait
        } else {
            self.limits.lock_timeout
        };
        self.session
            .run(&format!("set lock_timeout = '{}ms'", wait.as_millis()))
            .await
            .map_err(Failure::Broken)?;
        let sql = &self.file.text[statement.start..statement.end];
        let Err((_, e)) = self.session.run_file(sql).await else {
            return Ok(());
        };
        let running = Running::Statement {
            from: statement.start,
            start: statement.start,
            end: statement.end,
        };
        let mut failure = self.refused(e, running).await;
        if let Failure::Refused(fault) = &mut failure {
            fault.kept = Kept::Statements {
                ran,
                invalid_indexes: if statement.has("concurrently") {
                    self.session.invalid_indexes().await
                } else {
                    Vec::new()
                },
            };
        }
        Err(failure)
    }

    /// Ends the failed transaction, if one is open, and says what PostgreSQL said.
    async fn refused(&self, error: tokio_postgres::Error, running: Running) -> Failure {
        let Some(said) = error.as_db_error() else {
            return Failure::Broken(self.session.broken(error));
        };
        let mut fault = Fault::new(&self.session.target.service, self.file, said, running);
        fault.stands_at = self.stands_at;
        if self.file.mode == Mode::Transaction
            && let Err(broken) = self.session.run("rollback").await
        {
            // The server rolls back by itself when the connection is gone; the first error is the one to tell.
            tracing::debug!(error = %broken, "the rollback did not get through");
        }
        Failure::Refused(Box::new(fault))
    }
}
