//! How often something may be tried: counted in the database, so that neither a restart nor a second instance forgets.
//!
//! A bucket counts the attempts of one kind by somebody. The first few are free; from then on each makes the next wait twice
//! as long, up to a bound. An attempt is counted when it begins, so that a thousand at once are no way round it. A
//! password that was right takes its own attempt back.
//!
//! Of guessing from many addresses, the whole account's bucket keeps count; an address from which somebody has logged in to this
//! account is not held to it. So a stranger can slow down nobody but himself.

use std::net::IpAddr;

use freehold::Tx;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::email::Email;
use crate::error::{Error, Result};

/// How much of one kind is borne.
#[derive(Debug, Clone, Copy)]
struct Limit {
    /// Part of what names the bucket.
    name: &'static str,
    /// Attempts that wait for nothing.
    free: i32,
    /// The first wait, in seconds; each further attempt doubles it.
    wait_s: f64,
    /// The longest wait, in seconds: nobody is locked out for good.
    wait_max_s: f64,
    /// After so many seconds without an attempt all is forgotten.
    quiet_s: f64,
}

/// Log-ins to one account from one network.
const PAIR: Limit = Limit {
    name: "log_in pair",
    free: 5,
    wait_s: 1.0,
    wait_max_s: 900.0,
    quiet_s: 3_600.0,
};

/// Log-ins from one network, to whatever account: an office shares an address.
const ADDRESS: Limit = Limit {
    name: "log_in address",
    free: 50,
    wait_s: 1.0,
    wait_max_s: 900.0,
    quiet_s: 3_600.0,
};

/// Log-ins to one account from networks that never logged in to it.
const ACCOUNT: Limit = Limit {
    name: "log_in account",
    free: 50,
    wait_s: 1.0,
    wait_max_s: 60.0,
    quiet_s: 86_400.0,
};

/// The old password, asked of somebody who is signed in.
const SIGNED_IN: Limit = Limit {
    name: "old password",
    free: 5,
    wait_s: 1.0,
    wait_max_s: 900.0,
    quiet_s: 3_600.0,
};

/// Requests of one network that are answered by mail.
const ASKED: Limit = Limit {
    name: "asked",
    free: 20,
    wait_s: 5.0,
    wait_max_s: 3_600.0,
    quiet_s: 7_200.0,
};

/// Tokens of mails that one network shows.
const SHOWN: Limit = Limit {
    name: "shown",
    free: 100,
    wait_s: 1.0,
    wait_max_s: 60.0,
    quiet_s: 600.0,
};

/// Mails to one address.
const MAILED: Limit = Limit {
    name: "mailed",
    free: 5,
    wait_s: 60.0,
    wait_max_s: 900.0,
    quiet_s: 86_400.0,
};

/// Doublings that are counted: beyond them every wait is at its bound.
const DOUBLINGS_MAX: i32 = 30;

/// Whether a mail may be sent to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mailable {
    Yes,
    /// It got too many.
    NotNow,
}

/// Counts a log-in that begins.
///
/// # Errors
/// [`Error::Throttled`]: the transaction can only be dropped then.
pub(crate) async fn log_in_begins(tx: &Tx, email: &Email, network: IpAddr) -> Result<()> {
    let known = tx
        .query_one(
            "select exists (
               select from sessions s join users u on u.id = s.user_id
               where lower(u.email collate \"C\") = $1
                 and network(set_masklen(s.address, case family(s.address) when 6 then 64 else 32 end))
                   = network(set_masklen($2::inet, case family($2::inet) when 6 then 64 else 32 end)))",
            &[&email.folded(), &network],
        )
        .await?;
    // Always in this order: no two log-ins wait for each other.
    count(tx, PAIR, &pair(email, network)).await?;
    if !known.get::<_, bool>(0) {
        count(tx, ACCOUNT, &email.folded()).await?;
    }
    count(tx, ADDRESS, &network.to_string()).await
}

/// Takes back what [`log_in_begins`] counted: the password was right.
pub(crate) async fn log_in_succeeded(tx: &Tx, email: &Email, network: IpAddr) -> Result<()> {
    tx.execute(
        "delete from throttles where bucket = $1",
        &[&bucket(PAIR, &pair(email, network))],
    )
    .await?;
    // Only its own attempt: whoever owns one account must not free himself to guess at others.
    take_back(tx, ACCOUNT, &email.folded()).await?;
    take_back(tx, ADDRESS, &network.to_string()).await
}

/// Counts a check of the old password that begins.
///
/// # Errors
/// As [`log_in_begins`].
pub(crate) async fn check_begins(tx: &Tx, user: Uuid) -> Result<()> {
    count(tx, SIGNED_IN, &user.to_string()).await
}

/// Takes back what [`check_begins`] counted.
pub(crate) async fn check_succeeded(tx: &Tx, user: Uuid) -> Result<()> {
    take_back(tx, SIGNED_IN, &user.to_string()).await
}

/// Counts a request that is answered by mail.
///
/// # Errors
/// As [`log_in_begins`].
pub(crate) async fn asked(tx: &Tx, network: IpAddr) -> Result<()> {
    count(tx, ASKED, &network.to_string()).await
}

/// Counts a mail's token that is shown.
///
/// # Errors
/// As [`log_in_begins`].
pub(crate) async fn shown(tx: &Tx, network: IpAddr) -> Result<()> {
    count(tx, SHOWN, &network.to_string()).await
}

/// Counts a mail to an address, whether or not it is anybody's.
pub(crate) async fn mailed(tx: &Tx, email: &Email) -> Result<Mailable> {
    match count(tx, MAILED, &email.folded()).await {
        Ok(()) => Ok(Mailable::Yes),
        Err(Error::Throttled { .. }) => Ok(Mailable::NotNow),
        Err(error) => Err(error),
    }
}

fn pair(email: &Email, network: IpAddr) -> String {
    format!("{network} {}", email.folded())
}

fn bucket(limit: Limit, of: &str) -> Vec<u8> {
    Sha256::digest(format!("{} {of}", limit.name)).to_vec()
}

/// Counts an attempt, if it may be made: one statement, under the lock of the bucket's row.
async fn count(tx: &Tx, limit: Limit, of: &str) -> Result<()> {
    let bucket = bucket(limit, of);
    let counted = tx
        .query_opt(
            "insert into throttles as t (bucket, attempts, free_at, seen_at)
             values ($1, 1, clock_timestamp(), clock_timestamp())
             on conflict (bucket) do update
             set (attempts, free_at, seen_at) = (
               select n.attempts,
                      clock_timestamp() + case
                        when n.attempts <= $2 then interval '0'
                        else least($3 * power(2, least(n.attempts - $2 - 1, $6)), $4) * interval '1 s'
                      end,
                      clock_timestamp()
               from (select case
                              when t.seen_at + $5 * interval '1 s' < clock_timestamp() then 1
                              else t.attempts + 1
                            end as attempts) n
             )
             where t.free_at <= clock_timestamp()
             returning attempts",
            &[
                &bucket,
                &limit.free,
                &limit.wait_s,
                &limit.wait_max_s,
                &limit.quiet_s,
                &DOUBLINGS_MAX,
            ],
        )
        .await?;
    if counted.is_some() {
        return Ok(());
    }
    let wait = tx
        .query_opt(
            "select greatest(1, ceil(extract(epoch from free_at - clock_timestamp())))::float8
             from throttles
             where bucket = $1",
            &[&bucket],
        )
        .await?;
    let wait = wait.map_or(1.0, |row| row.get::<_, f64>(0));
    Err(Error::Throttled { after_s: wait as u32 })
}

/// Takes one attempt back, and the wait that it made.
async fn take_back(tx: &Tx, limit: Limit, of: &str) -> Result<()> {
    tx.execute(
        "update throttles
         set attempts = greatest(attempts - 1, 0),
             free_at = least(free_at, clock_timestamp())
         where bucket = $1",
        &[&bucket(limit, of)],
    )
    .await?;
    Ok(())
}
