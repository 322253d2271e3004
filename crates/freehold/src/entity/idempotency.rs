//! `Idempotency-Key`: a write that is sent again is answered as the first time, and not carried out again.
//!
//! After draft-ietf-httpapi-idempotency-key-header. The key and the answer are stored in the transaction of the write, so
//! that one is there if and only if the other is; while it runs, an advisory lock keeps out whoever sends the same key.
//! A request that is refused stores nothing: what was in its way may be gone when it is sent again.
//!
//! ```text
//! begin; pg_try_advisory_xact_lock(…); select … from freehold.idempotency     one round trip
//! the write
//! insert into freehold.idempotency …; commit                                  one round trip
//! ```
//!
//! A key is its sender's: the same text in the request of another subject is another key.

mod key;
mod stored;

use std::time::Duration;

use axum::http::{HeaderName, StatusCode};
use deadpool_postgres::Pool;

use super::answer::Answer;
use super::execute::{On, Runner};
use super::fault::Fault;
use super::limits::STORED_BYTES_MAX;
use super::manner::Task;
use super::problem::Problem;
use super::session::{Ending, Session};

pub(super) use key::{IDEMPOTENCY_KEY, Key, refuse};
pub(super) use stored::Keys;
use stored::{Found, fingerprint};

/// Says that the answer is the stored one.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Carries a task out under a key, or answers what it came to before.
///
/// A write whose fate is unknown because its connection was lost in the commit is sent again, once: it finds the stored
/// answer, or there is none and nothing was carried out.
///
/// # Errors
/// 409 while the same key is at work, 422 for a key that was used for another request, 422 for an answer that is too
/// large to be stored, and whatever the write itself is refused for; nothing is carried out then.
pub(super) async fn once(task: &Task<'_>, runner: Runner<'_>, key: &Key) -> Result<Answer, Problem> {
    let key = &key.of_whom(runner.who);
    let fingerprint = fingerprint(task.asked, runner.who);
    let done = runner.transaction(Ending::CommitRepeatable, |within| {
        Box::pin(async move {
            let runner = within.runner;
            let On::Session(session) = runner.on else {
                return Err(Fault::Pool("no transaction is open".to_owned()));
            };
            carry_out(task, runner, session, key, fingerprint).await
        })
    });
    done.await.map_err(|f| f.into_problem_of_any(&task.surface.tables))
}

async fn carry_out(
    task: &Task<'_>,
    runner: Runner<'_>,
    session: &Session,
    key: &Key,
    fingerprint: [u8; 32],
) -> Result<Answer, Fault> {
    let keys = &task.surface.keys;
    match keys.claim(session, key, &fingerprint).await? {
        Found::Running => Err(Fault::Refused(key.in_progress())),
        Found::Other => Err(Fault::Refused(key.mismatch())),
        Found::Answer(mut answer) => {
            answer
                .headers_mut()
                .insert(REPLAYED, axum::http::HeaderValue::from_static("true"));
            Ok(answer)
        }
        Found::Nothing => {
            let answer = task.perform(runner).await.map_err(Fault::Refused)?;
            if answer.body().len() > STORED_BYTES_MAX {
                return Err(Fault::Refused(too_large()));
            }
            if answer.status().is_success() {
                session.end_with(keys.keep(key, &fingerprint, &answer));
            }
            Ok(answer)
        }
    }
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "answer-too-large",
        "FH422",
        format!("the answer is larger than {STORED_BYTES_MAX} bytes, too large to be kept under a key; nothing was carried out"),
    )
    .with_hint("ask for return=minimal")
}

/// How long a key and its answer are kept at least.
const KEPT_HOURS: i32 = 24;
/// Keys removed by one statement: short enough to be in nobody's way.
const REMOVED_MAX: i64 = 1_000;
/// The wait between two removals: keys are kept this much longer at most, where the service runs.
const REMOVAL_WAIT: Duration = Duration::from_secs(60 * 60);
/// The wait after a removal that failed.
const FAILURE_WAIT: Duration = Duration::from_secs(60);

/// Removes keys that are old enough, now and every hour; runs until dropped.
///
/// Only another instance at the same task may have to wait for it: whoever writes a key writes a new one.
pub async fn forget(pool: Pool, freehold: String) {
    let sql = stored::removal(&freehold);
    loop {
        let wait = match remove(&pool, &sql).await {
            Ok(removed) if removed == REMOVED_MAX as u64 => Duration::ZERO,
            Ok(_) => REMOVAL_WAIT,
            Err(reason) => {
                tracing::debug!(reason, "old idempotency keys could not be removed and are tried again");
                FAILURE_WAIT
            }
        };
        tokio::time::sleep(wait).await;
    }
}

async fn remove(pool: &Pool, sql: &str) -> Result<u64, String> {
    let client = pool.get().await.map_err(|e| e.to_string())?;
    let removed = client.execute(sql, &[&KEPT_HOURS, &REMOVED_MAX]).await;
    removed.map_err(|e| e.to_string())
}
