//! Sessions that have ended: a subject's tokens that were given before are refused, although they are signed and in time.
//!
//! The service that gives tokens says so by an event, `auth.sessions_ended`; a service that subscribes to it writes it down in the
//! transaction of the event, and every instance reads what is written, again and again. No request asks for it.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use deadpool_postgres::Pool;
use serde::Deserialize;
use uuid::Uuid;

use super::token::{LEEWAY_S, LIFETIME_MAX_S};
use crate::error::Result;
use crate::pg::place;
use crate::tx::Tx;

/// The wait between two looks: an instance refuses a token this much later at most than the event took effect.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Seconds that an end is remembered: no token that was given before it is valid any more then, by far.
const KEPT_S: u64 = 4 * (LIFETIME_MAX_S + LEEWAY_S);

/// The event.
#[derive(Debug, Deserialize)]
struct SessionsEnded {
    subject: Uuid,
    /// Seconds since 1970: tokens given before are refused.
    not_before: u64,
}

/// The ends that are remembered.
#[derive(Default)]
pub(super) struct Ended(RwLock<HashMap<Uuid, u64>>);

impl Ended {
    /// Whether a token of this subject, given at this second, is refused.
    pub(super) fn refuses(&self, subject: Uuid, issued: u64) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&subject).is_some_and(|not_before| issued < *not_before)
    }

    /// Reads them all: they are as few as sessions that were ended within the last hour.
    pub(super) async fn load(&self, pool: &Pool, freehold: &str) -> Result<()> {
        let client = pool.get().await?;
        let sql = place(
            "select e.subject, e.not_before
             from freehold.sessions_ended e",
            freehold,
        );
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &[]).await?;
        let known = rows.iter().map(|row| {
            let not_before: i64 = row.get(1);
            (row.get(0), u64::try_from(not_before).unwrap_or(0))
        });
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known.collect();
        Ok(())
    }

    /// Reads them again and again; runs until dropped.
    pub(super) async fn run(&self, pool: Pool, freehold: String) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(error) = self.load(&pool, &freehold).await {
                // Requests do not get further without the database either.
                tracing::debug!(%error, "ended sessions cannot be read and are tried again");
            }
        }
    }
}

/// Writes down that sessions have ended, in the transaction that hears or says so; forgets those that no token is refused by.
///
/// # Errors
/// [`Error::Body`](crate::Error::Body) when the event is not what its type says; [`Error::Postgres`](crate::Error::Postgres).
pub(crate) async fn end(tx: &Tx, event: &str) -> Result<()> {
    let SessionsEnded { subject, not_before } = serde_json::from_str(event)?;
    let sql = tx.place(
        "with forgotten as (
           delete from freehold.sessions_ended e
           where e.subject <> $1
             and e.not_before < extract(epoch from clock_timestamp()) - $3::bigint
         )
         insert into freehold.sessions_ended as e (subject, not_before)
         values ($1, $2)
         on conflict (subject) do update
         set not_before = greatest(e.not_before, excluded.not_before)",
    );
    let not_before = i64::try_from(not_before).unwrap_or(i64::MAX);
    let kept = i64::try_from(KEPT_S).unwrap_or(i64::MAX);
    tx.execute(&sql, &[&subject, &not_before, &kept]).await?;
    Ok(())
}
