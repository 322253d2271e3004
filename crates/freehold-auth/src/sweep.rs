//! What has expired is deleted, a little at a time.

use std::time::Duration;

use freehold::{App, Tx};
use uuid::Uuid;

use crate::error::Result;
use crate::events::Deleted;

/// The wait between two rounds.
const ROUND: Duration = Duration::from_secs(300);

/// Rows of one statement: its locks are held for milliseconds.
const ROWS_MAX: i64 = 1_000;

/// What is deleted, and when. Ended sessions stay a while: for their list, and since an address that was used is trusted.
/// A used token stays until it would have expired, so that its second use is still known for what it is.
const EXPIRED: [&str; 4] = [
    "delete from sessions d
     where d.id in (
       select s.id
       from sessions s
       where s.expires_at < clock_timestamp() - interval '30 days'
       limit $1
     )",
    "delete from refresh_tokens d
     where d.digest in (
       select t.digest
       from refresh_tokens t
       where t.expires_at < clock_timestamp()
       limit $1
     )",
    "delete from one_time_tokens d
     where d.digest in (
       select t.digest
       from one_time_tokens t
       where t.expires_at < clock_timestamp() - interval '1 day'
       limit $1
     )",
    "delete from throttles d
     where d.bucket in (
       select t.bucket
       from throttles t
       where t.seen_at < clock_timestamp() - interval '1 day'
       limit $1
     )",
];

/// Sweeps until dropped.
pub(crate) async fn run(app: App) -> freehold::Result<()> {
    loop {
        round(&app).await?;
        tokio::time::sleep(ROUND).await;
    }
}

/// Deletes all that has expired.
async fn round(app: &App) -> Result<()> {
    for sql in EXPIRED {
        loop {
            let tx = app.begin().await?;
            let swept = tx.execute(sql, &[&ROWS_MAX]).await?;
            tx.commit().await?;
            if swept < ROWS_MAX.unsigned_abs() {
                break;
            }
        }
    }
    loop {
        let mut tx = app.begin().await?;
        let swept = unconfirmed(&mut tx).await?;
        tx.commit().await?;
        if swept < ROWS_MAX.unsigned_abs() {
            return Ok(());
        }
    }
}

/// Accounts that nobody confirmed within a week: their owner may know nothing of them.
async fn unconfirmed(tx: &mut Tx) -> Result<u64> {
    let rows = tx
        .query(
            "delete from users d
             where d.id in (
               select u.id
               from users u
               where u.email_verified_at is null
                 and u.created_at < clock_timestamp() - interval '7 days'
               limit $1
               for update skip locked
             )
             returning d.id",
            &[&ROWS_MAX],
        )
        .await?;
    for row in &rows {
        let user: Uuid = row.get(0);
        tx.publish(user, &Deleted { subject: user }).await?;
    }
    Ok(rows.len() as u64)
}
