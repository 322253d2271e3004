//! What is worth another attempt, and how many.

use std::time::Duration;

use deadpool_postgres::Pool;
use tokio_postgres::error::SqlState;

use super::limits::{ATTEMPTS_MAX, PAUSE_FIRST_MS};
use super::problem::Problem;

/// Why a statement failed, as far as another attempt may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// A serialization failure or a deadlock: nothing was carried out.
    Race,
    /// DDL under a prepared statement: nothing was carried out.
    StalePlan,
    /// The connection is gone, or the server is about to close it.
    Lost,
    /// Anything else: it would fail again.
    Other,
}

impl Cause {
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            return Self::Lost;
        };
        match *db.code() {
            SqlState::ADMIN_SHUTDOWN
            | SqlState::CRASH_SHUTDOWN
            | SqlState::CANNOT_CONNECT_NOW
            | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Self::Lost,
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Self::Race,
            // "cached plan must not change result type", or the statement is gone.
            SqlState::INVALID_SQL_STATEMENT_NAME => Self::StalePlan,
            SqlState::FEATURE_NOT_SUPPORTED if db.routine() == Some("RevalidateCachedQuery") => Self::StalePlan,
            _ => Self::Other,
        }
    }

    /// What the client is told when no attempt is left; none where the error itself has to be told. Nothing was carried
    /// out.
    pub(super) fn problem(self) -> Option<Problem> {
        match self {
            Self::Race => {
                let message = "too many writers compete for the same rows";
                Some(Problem::unavailable("contention", "40001", message))
            }
            Self::StalePlan => {
                let message = "the tables are being changed by a migration";
                Some(Problem::unavailable("migrating", "0A000", message))
            }
            Self::Lost => {
                let message = "the connection to the database was lost; nothing was carried out";
                Some(Problem::unavailable("connection-lost", "PGRST001", message))
            }
            Self::Other => None,
        }
    }
}

/// Whether what may have been carried out may be done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    Safe,
    Unsafe,
}

/// The attempts at one piece of work.
#[derive(Debug)]
pub(super) struct Attempts {
    made: u32,
    replanned: bool,
}

impl Attempts {
    /// The first is about to be made.
    pub(super) fn new() -> Self {
        Self {
            made: 1,
            replanned: false,
        }
    }

    /// Whether to try again; waits before it says yes where others are in the way.
    ///
    /// A lost race and a lost connection are tried up to [`ATTEMPTS_MAX`] times, the latter only where that is safe; a
    /// plan that DDL made stale is made anew, once.
    pub(super) async fn again(&mut self, cause: Cause, if_lost: Repeat, pool: &Pool) -> bool {
        if self.made >= ATTEMPTS_MAX {
            return false;
        }
        match cause {
            Cause::Race => self.pause().await,
            // The server may need a moment to see that the connection is gone, and to let its locks go.
            Cause::Lost if if_lost == Repeat::Safe => self.pause().await,
            Cause::StalePlan if !self.replanned => {
                self.replanned = true;
                // Every connection has the same stale plan.
                pool.manager().statement_caches.clear();
            }
            Cause::Lost | Cause::StalePlan | Cause::Other => return false,
        }
        self.made += 1;
        true
    }

    async fn pause(&self) {
        let pause = PAUSE_FIRST_MS << self.made;
        let pause = Duration::from_millis(pause / 2 + fastrand::u64(0..=pause / 2));
        tokio::time::sleep(pause).await;
    }
}
