//! Tokens that a mail carries: each is used once, by the one statement that notices it.

use std::time::Duration;

use freehold::Tx;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::plant;
use crate::secret::Token;

/// What a token is for. It is good for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Confirms the address of a registration.
    Verify,
    /// Sets a new password.
    Reset,
    /// Confirms another address of an account.
    ChangeEmail,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reset => "reset",
            Self::ChangeEmail => "change_email",
        }
    }

    /// How long it may be used.
    const fn life(self) -> Duration {
        match self {
            Self::Verify | Self::ChangeEmail => Duration::from_secs(24 * 3600),
            Self::Reset => Duration::from_secs(30 * 60),
        }
    }
}

/// What a token was made with.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) user: Uuid,
    /// The address that it was sent to.
    pub(crate) email: String,
    /// Of a registration.
    pub(crate) password_hash: Option<String>,
}

/// Writes a token down, as its digest.
pub(crate) async fn make(tx: &Tx, token: &Token, purpose: Purpose, made: &Made) -> Result<()> {
    tx.execute(
        "insert into one_time_tokens (digest, user_id, purpose, email, password_hash, expires_at)
         values ($1, $2, $3, $4, $5, clock_timestamp() + $6 * interval '1 s')
         on conflict (digest) do nothing",
        &[
            &token.digest(),
            &made.user,
            &purpose.word(),
            &made.email,
            &made.password_hash,
            &purpose.life().as_secs_f64(),
        ],
    )
    .await?;
    Ok(())
}

/// Whether a token could be used now: asked before work that only its holder may cause. Returns its account's address.
///
/// # Errors
/// [`Error::Spent`].
pub(crate) async fn look(tx: &Tx, token: &Token, purpose: Purpose) -> Result<String> {
    let found = tx
        .query_opt(
            "select t.email
             from one_time_tokens t
             where t.digest = $1
               and t.purpose = $2
               and t.used_at is null
               and t.expires_at > clock_timestamp()",
            &[&token.digest(), &purpose.word()],
        )
        .await?;
    Ok(found.ok_or(Error::Spent)?.get(0))
}

/// Uses a token up, under the lock of its account. Of any number at once, one succeeds.
///
/// # Errors
/// [`Error::Spent`] for one that is unknown, for another purpose, over, or used.
pub(crate) async fn take(tx: &Tx, token: &Token, purpose: Purpose) -> Result<Made> {
    if plant::is("one-time-token-not-locked") {
        look(tx, token, purpose).await?;
        tokio::time::sleep(Duration::from_millis(30)).await;
    } else {
        tx.execute(
            "select
             from users u
             where u.id = (select t.user_id from one_time_tokens t where t.digest = $1)
             for no key update",
            &[&token.digest()],
        )
        .await?;
    }
    let sql = match plant::is("one-time-token-not-locked") {
        true => {
            "update one_time_tokens t
             set used_at = clock_timestamp()
             where t.digest = $1 and t.purpose = $2
             returning t.user_id, t.email, t.password_hash"
        }
        false => {
            "update one_time_tokens t
             set used_at = clock_timestamp()
             where t.digest = $1
               and t.purpose = $2
               and t.used_at is null
               and t.expires_at > clock_timestamp()
             returning t.user_id, t.email, t.password_hash"
        }
    };
    let taken = tx.query_opt(sql, &[&token.digest(), &purpose.word()]).await?;
    let row = taken.ok_or(Error::Spent)?;
    Ok(Made {
        user: row.get(0),
        email: row.get(1),
        password_hash: row.get(2),
    })
}

/// Makes every token of an account useless; the caller holds its lock.
pub(crate) async fn cancel(tx: &Tx, user: Uuid) -> Result<()> {
    tx.execute(
        "update one_time_tokens t
         set used_at = clock_timestamp()
         where t.user_id = $1 and t.used_at is null",
        &[&user],
    )
    .await?;
    Ok(())
}
