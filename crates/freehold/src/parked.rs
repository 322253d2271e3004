//! Keys set aside: a message that cannot be handled waits with its followers, in order, while every other key flows.
//!
//! The key's row is the lock: whoever handles a batch shares it while a follower is put behind, whoever has tried the key
//! again takes it alone before he lets the key go, so none slips past the messages before it. Alone names `freehold.parked*`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::effect;
use crate::error::{Error, Result};
use crate::message::Received;
use crate::tx::Tx;

/// Attempts before a key waits for an operator.
const ATTEMPTS_MAX: i32 = 6;

/// The wait after the first failure; each is five times the one before: 0.2, 1, 5, 25, 60 s.
const RETRY_MIN: Duration = Duration::from_millis(200);

/// The longest wait between two attempts.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// Messages of one key handled in one transaction when it is tried again.
const REDRIVE_MAX: i64 = 50;

/// Those of the keys that are set aside. Locks them until the transaction ends.
pub(crate) async fn among(tx: &Tx, producer: &str, keys: &HashSet<(&str, &str)>) -> Result<HashSet<(String, String)>> {
    let (topics, keys): (Vec<&str>, Vec<&str>) = keys.iter().copied().unzip();
    let sql = tx.place(
        "select p.topic, p.key
         from freehold.parked_key p
         where p.producer = $1
           and (p.topic, p.key) in (select * from unnest($2::text[], $3::text[]))
         order by p.topic, p.key
         for key share",
    );
    let rows = tx.query(&sql, &[&producer, &topics, &keys]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Sets a key aside, for this message.
pub(crate) async fn set_aside(tx: &Tx, received: &Received, fault: &Error) -> Result<()> {
    let sql = tx.place(
        "insert into freehold.parked_key (producer, topic, key, next_at, error)
         values ($1, $2, $3, clock_timestamp() + $4 * interval '1 ms', $5)",
    );
    tx.execute(
        &sql,
        &[
            &received.producer,
            &received.topic,
            &received.subject,
            &wait_ms(1),
            &fault.told(),
        ],
    )
    .await?;
    follow(tx, received).await
}

/// Puts a message behind the others of its key.
pub(crate) async fn follow(tx: &Tx, received: &Received) -> Result<()> {
    let sql = tx.place(
        "insert into freehold.parked (producer, topic, key, position, message)
         values ($1, $2, $3, $4, $5::text::json)",
    );
    tx.execute(
        &sql,
        &[
            &received.producer,
            &received.topic,
            &received.subject,
            &received.position,
            &serde_json::to_string(received)?,
        ],
    )
    .await?;
    Ok(())
}

/// Tries the key again that has been due for longest; false if none is.
///
/// Its messages are handled in order until one fails; what succeeded before it stands.
pub(crate) async fn redrive(app: &App) -> Result<bool> {
    let mut tx = Tx::begin(app, None).await?;
    let sql = tx.place(
        "select p.producer, p.topic, p.key, p.attempts
         from freehold.parked_key p
         where p.state = 'retrying' and p.next_at <= clock_timestamp()
         order by p.next_at
         limit 1
         for no key update skip locked",
    );
    let Some(row) = tx.query_opt(&sql, &[]).await? else {
        tx.rollback().await?;
        return Ok(false);
    };
    let (producer, topic, key): (String, String, String) = (row.get(0), row.get(1), row.get(2));
    let attempts: i32 = row.get(3);
    let sql = tx.place(
        "select p.position, p.message::text
         from freehold.parked p
         where (p.producer, p.topic, p.key) = ($1, $2, $3)
         order by p.position
         limit $4",
    );
    let rows = tx.query(&sql, &[&producer, &topic, &key, &REDRIVE_MAX]).await?;
    let mut handled: Vec<i64> = Vec::new();
    let mut failed = None;
    for row in &rows {
        let received: Arc<Received> = Arc::new(serde_json::from_str(row.get(1))?);
        match effect::handled(&mut tx, &received).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => {
                failed = Some(fault);
                break;
            }
            Err(error) if error.is_of_one() => {
                drop(tx);
                return put_off(app, &producer, &topic, &key).await;
            }
            Err(error) => return Err(error),
        }
        handled.push(row.get(0));
    }
    let sql = tx.place(
        "delete from freehold.parked p where (p.producer, p.topic, p.key) = ($1, $2, $3) and p.position = any ($4)",
    );
    tx.execute(&sql, &[&producer, &topic, &key, &handled]).await?;
    match failed {
        Some(fault) => {
            // The message at the front is another one now if any was handled: its attempts are counted from the first.
            let attempts = if handled.is_empty() { attempts + 1 } else { 1 };
            let state = if attempts >= ATTEMPTS_MAX { "parked" } else { "retrying" };
            if state == "parked" {
                tracing::error!(producer, topic, key, attempts, error = %fault, "a key is parked: freehold events redrive or skip");
            }
            let sql = tx.place(
                "update freehold.parked_key p
                 set attempts = $4,
                     state = $5,
                     next_at = clock_timestamp() + $6 * interval '1 ms',
                     error = $7
                 where (p.producer, p.topic, p.key) = ($1, $2, $3)",
            );
            let wait = wait_ms(attempts);
            tx.execute(
                &sql,
                &[&producer, &topic, &key, &attempts, &state, &wait, &fault.told()],
            )
            .await?;
        }
        None => {
            // From here nobody puts a follower behind it; the next statement sees those who did.
            let sql = tx.place(
                "update freehold.parked_key p
                 set attempts = 0
                 where (p.producer, p.topic, p.key) = ($1, $2, $3)",
            );
            tx.execute(&sql, &[&producer, &topic, &key]).await?;
            let sql = tx.place(
                "select from freehold.parked_key p
                 where (p.producer, p.topic, p.key) = ($1, $2, $3)
                 for update",
            );
            tx.execute(&sql, &[&producer, &topic, &key]).await?;
            let sql = tx.place(
                "delete from freehold.parked_key p
                 where (p.producer, p.topic, p.key) = ($1, $2, $3)
                   and not exists (
                     select from freehold.parked f
                     where (f.producer, f.topic, f.key) = (p.producer, p.topic, p.key)
                   )",
            );
            tx.execute(&sql, &[&producer, &topic, &key]).await?;
        }
    }
    tx.commit().await?;
    Ok(true)
}

/// Looks at a key again in a second: it was not its own fault.
async fn put_off(app: &App, producer: &str, topic: &str, key: &str) -> Result<bool> {
    let tx = Tx::begin(app, None).await?;
    let sql = tx.place(
        "update freehold.parked_key p
         set next_at = clock_timestamp() + interval '1 s'
         where (p.producer, p.topic, p.key) = ($1, $2, $3)",
    );
    tx.execute(&sql, &[&producer, &topic, &key]).await?;
    tx.commit().await?;
    Ok(true)
}

/// The wait after so many attempts, in milliseconds, with up to a quarter more by chance.
fn wait_ms(attempts: i32) -> f64 {
    let exponent = attempts.clamp(1, 8) - 1;
    let wait = RETRY_MIN.mul_f64(5_f64.powi(exponent)).min(RETRY_MAX);
    wait.as_secs_f64() * 1000.0 * (1.0 + fastrand::f64() / 4.0)
}
