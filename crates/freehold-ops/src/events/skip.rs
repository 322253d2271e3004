//! Lets the first message of a key that is set aside go. It is kept, with the reason, and its followers are tried.

use anyhow::{Result, bail};
use serde::Serialize;
use tokio_postgres::Transaction;

use super::Database;
use super::parked::{self, ParkedKey, Which};
use super::redrive::GOING;

/// Why a message is let go.
#[derive(Debug, Clone)]
pub struct Letting {
    /// Only if the message at this position is the first one.
    pub position: Option<i64>,
    /// Why, for those who come later.
    pub reason: String,
    /// Who decided it.
    pub by: String,
}

/// A message that was let go.
#[derive(Debug, Serialize)]
pub struct Skipped {
    /// The key, as it stood before.
    #[serde(flatten)]
    pub key: ParkedKey,
    /// The message's position.
    pub skipped_position: i64,
    /// How many messages of the key wait behind it.
    pub followers: i64,
    /// Why it was let go.
    pub reason: String,
    /// By whom.
    pub skipped_by: String,
}

/// Moves the first message of a key to `freehold.skipped` and has its followers tried; none if the key is not set aside.
///
/// One transaction: if it fails, nothing was let go.
///
/// # Errors
/// When the key is set aside from several producers, or begins with another message than the one named; when the service is
/// at work on it for longer than the role's lock timeout; what PostgreSQL says.
pub async fn skip(database: &mut Database, which: &Which, letting: &Letting) -> Result<Option<Skipped>> {
    let keys = parked::list(database, which).await?;
    let key = match keys.as_slice() {
        [] => return Ok(None),
        [key] => key.clone(),
        several => {
            let producers: Vec<&str> = several.iter().map(|key| key.producer.as_str()).collect();
            bail!(
                "the key is set aside from several producers: choose one with --producer, of {}",
                producers.join(", ")
            );
        }
    };
    let statements = Statements::of(database);
    let made = async {
        let transaction = database.client.transaction().await?;
        let gone = let_go(&transaction, &statements, &key, letting).await?;
        transaction.commit().await?;
        anyhow::Ok(gone)
    }
    .await;
    let gone = made.map_err(|error| database.told(error))?;
    Ok(gone.map(|(position, followers)| Skipped {
        key,
        skipped_position: position,
        followers,
        reason: letting.reason.clone(),
        skipped_by: letting.by.clone(),
    }))
}

struct Statements {
    lock: String,
    first: String,
    keep: String,
    set_going: String,
    release: String,
}

impl Statements {
    fn of(database: &Database) -> Self {
        let place = |sql: &str| database.place(sql).into_owned();
        Self {
            // The key's row is its lock, as in the service: while it is held nobody handles the key's messages, and none
            // is put behind them.
            lock: place(
                "select k.error
                 from freehold.parked_key k
                 where (k.producer, k.topic, k.key) = ($1, $2, $3)
                 for update",
            ),
            first: place(
                "select min(p.position), count(*)
                 from freehold.parked p
                 where (p.producer, p.topic, p.key) = ($1, $2, $3)",
            ),
            keep: place(
                "with gone as (
                   delete from freehold.parked p
                   where (p.producer, p.topic, p.key, p.position) = ($1, $2, $3, $4)
                   returning p.*
                 )
                 insert into freehold.skipped (producer, topic, key, position, message, error, reason, skipped_by)
                 select g.producer, g.topic, g.key, g.position, g.message, $5, $6, $7
                 from gone g",
            ),
            set_going: place(&format!(
                "update freehold.parked_key k
                 set {GOING}
                 where (k.producer, k.topic, k.key) = ($1, $2, $3)"
            )),
            release: place("delete from freehold.parked_key k where (k.producer, k.topic, k.key) = ($1, $2, $3)"),
        }
    }
}

/// The position of the message that went, and how many are behind it.
async fn let_go(
    transaction: &Transaction<'_>,
    statements: &Statements,
    key: &ParkedKey,
    letting: &Letting,
) -> Result<Option<(i64, i64)>> {
    let (producer, topic, name) = (&key.producer, &key.topic, &key.key);
    let Some(row) = transaction
        .query_opt(&statements.lock, &[producer, topic, name])
        .await?
    else {
        return Ok(None);
    };
    let error: String = row.get(0);
    let row = transaction
        .query_one(&statements.first, &[producer, topic, name])
        .await?;
    let (Some(first), waiting) = (row.get::<_, Option<i64>>(0), row.get::<_, i64>(1)) else {
        return Ok(None);
    };
    if let Some(position) = letting.position
        && position != first
    {
        bail!("the key begins with the message at position {first}, not {position}: nothing was let go");
    }
    transaction
        .execute(
            &statements.keep,
            &[producer, topic, name, &first, &error, &letting.reason, &letting.by],
        )
        .await?;
    // Nothing waits any more: the key flows from now on.
    let rest = if waiting > 1 {
        &statements.set_going
    } else {
        &statements.release
    };
    transaction.execute(rest, &[producer, topic, name]).await?;
    Ok(Some((first, waiting - 1)))
}
