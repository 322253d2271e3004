//! Sessions: opened by a log-in, carried on by refresh tokens, ended by a log-out or by a theft that is noticed.
//!
//! A refresh token is used once and answered with its successor. The successor follows from the token, the session's salt
//! and the service's key, so it can be told again without being stored: a client whose answer was lost, and a second tab, get
//! the same one. After the grace a used token means that two hold it, and one of them stole it: the session ends (RFC 9700,
//! 4.14.2).
//!
//! Who changes sessions holds the row of their account; see [`lock`].

use freehold::{App, Tx};
use serde::Serialize;
use uuid::Uuid;

use crate::Accounts;
use crate::audit::{self, Action, Entry, Outcome};
use crate::client::Client;
use crate::error::Result;
use crate::events::SessionsEnded;
use crate::plant;
use crate::secret::{self, BYTES, Purpose, Token};

/// Sessions that an account has at once; the one that was used least recently ends when another begins.
const SESSIONS_MAX: i64 = 100;

/// What a client gets for a log-in or a refresh: RFC 6749, 5.1.
#[derive(Debug, Serialize)]
pub(crate) struct Granted {
    access_token: String,
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
    refresh_token: String,
}

/// What a refresh came to. Each but `Granted` is answered alike.
#[derive(Debug)]
pub(crate) enum Refreshed {
    Granted(Granted),
    /// Unknown, expired, or of a session that has ended.
    Refused,
    /// Used before, and not just now: the session was ended, which the caller must commit.
    Replayed,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EndedBy {
    LogOut,
    /// The password was changed or reset.
    Password,
    Replay,
    TooMany,
}

impl EndedBy {
    const fn word(self) -> &'static str {
        match self {
            Self::LogOut => "log_out",
            Self::Password => "password",
            Self::Replay => "replay",
            Self::TooMany => "too_many",
        }
    }
}

/// Which sessions of an account end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    All,
    One(Uuid),
    AllBut(Uuid),
}

/// Holds an account until the end of the transaction; false if it is gone.
pub(crate) async fn lock(tx: &Tx, user: Uuid) -> Result<bool> {
    let held = tx
        .query_opt("select from users u where u.id = $1 for no key update", &[&user])
        .await?;
    Ok(held.is_some())
}

/// Opens a session; the caller holds the account's lock.
pub(crate) async fn open(
    accounts: &Accounts,
    app: &App,
    tx: &Tx,
    user: Uuid,
    client: &Client,
) -> Result<(Uuid, Granted)> {
    let (id, salt) = (Uuid::new_v4(), secret::random::<BYTES>()?);
    let life = accounts.settings.session.as_secs_f64();
    tx.execute(
        "insert into sessions (id, user_id, salt, address, device, expires_at)
         values ($1, $2, $3, $4, $5, clock_timestamp() + $6 * interval '1 s')",
        &[&id, &user, &&salt[..], &client.address, &client.device, &life],
    )
    .await?;
    tx.execute(
        "update sessions s
         set ended_at = clock_timestamp(), ended_by = $2
         where s.id in (
           select o.id
           from sessions o
           where o.user_id = $1 and o.ended_at is null
           order by o.last_used_at desc
           offset $3
         )",
        &[&user, &EndedBy::TooMany.word(), &SESSIONS_MAX],
    )
    .await?;
    let token = Token::random()?;
    let granted = grant(accounts, app, tx, user, id, &token).await?;
    Ok((id, granted))
}

/// Answers a refresh token.
pub(crate) async fn refresh(
    accounts: &Accounts,
    app: &App,
    tx: &mut Tx,
    token: &Token,
    client: &Client,
) -> Result<Refreshed> {
    // First the lock; what it protects is read in a new statement.
    tx.execute(
        "select
         from users u
         where u.id = (
           select s.user_id
           from refresh_tokens t join sessions s on s.id = t.session_id
           where t.digest = $1
         )
         for no key update",
        &[&token.digest()],
    )
    .await?;
    let found = tx
        .query_opt(
            "select s.id, s.user_id, s.salt,
                    t.used_at is not null,
                    coalesce(t.used_at + $2 * interval '1 s' >= clock_timestamp(), false)
             from refresh_tokens t
             join sessions s on s.id = t.session_id
             where t.digest = $1
               and t.expires_at > clock_timestamp()
               and s.ended_at is null
               and s.expires_at > clock_timestamp()",
            &[&token.digest(), &accounts.settings.grace.as_secs_f64()],
        )
        .await?;
    let Some(row) = found else {
        return Ok(Refreshed::Refused);
    };
    let (session, user, salt): (Uuid, Uuid, Vec<u8>) = (row.get(0), row.get(1), row.get(2));
    let (used, in_grace): (bool, bool) = (row.get(3), row.get(4));
    let in_grace = (in_grace && !plant::is("no-grace")) || plant::is("replay-not-noticed");
    if used && !in_grace {
        end(tx, user, Which::One(session), EndedBy::Replay).await?;
        let replay = Entry {
            action: Action::Replay,
            outcome: Outcome::Refused,
            user: Some(user),
            session: Some(session),
            client: Some(client),
        };
        audit::write(tx, replay).await?;
        return Ok(Refreshed::Replayed);
    }
    tx.execute(
        "update refresh_tokens t set used_at = clock_timestamp() where t.digest = $1 and t.used_at is null",
        &[&token.digest()],
    )
    .await?;
    tx.execute(
        "update sessions s set last_used_at = clock_timestamp() where s.id = $1",
        &[&session],
    )
    .await?;
    let successor = Token::derived(accounts.settings.key.derive(Purpose::Successor, &salt, token.bytes()));
    let granted = grant(accounts, app, tx, user, session, &successor).await?;
    Ok(Refreshed::Granted(granted))
}

/// Ends sessions of an account and tells it to everybody; the caller holds the account's lock. Returns how many were open.
///
/// Access tokens of the account that were given before are not accepted from then on, by any service that hears of it;
/// sessions that go on renew theirs.
pub(crate) async fn end(tx: &mut Tx, user: Uuid, which: Which, by: EndedBy) -> Result<u64> {
    let (one, kept) = match which {
        Which::All => (None, None),
        Which::One(session) => (Some(session), None),
        Which::AllBut(session) => (None, Some(session)),
    };
    let ended = tx
        .execute(
            "update sessions s
             set ended_at = clock_timestamp(), ended_by = $4
             where s.user_id = $1
               and s.ended_at is null
               and ($2::uuid is null or s.id = $2)
               and ($3::uuid is null or s.id <> $3)",
            &[&user, &one, &kept, &by.word()],
        )
        .await?;
    // A token says whole seconds. The next one is past every token given so far, also past those of a second that an earlier
    // end has used up; and `grant` gives none that is before it.
    let from = tx
        .query_opt(
            "update users u
             set tokens_from = greatest(date_trunc('second', clock_timestamp()), u.tokens_from) + interval '1 s'
             where u.id = $1
             returning extract(epoch from u.tokens_from)::bigint",
            &[&user],
        )
        .await?;
    if let Some(from) = from {
        let event = SessionsEnded {
            subject: user,
            not_before: from.get(0),
        };
        tx.publish(user, &event).await?;
    }
    Ok(ended)
}

/// Writes a refresh token down and signs an access token.
async fn grant(accounts: &Accounts, app: &App, tx: &Tx, user: Uuid, session: Uuid, token: &Token) -> Result<Granted> {
    tx.execute(
        "insert into refresh_tokens (digest, session_id, expires_at)
         select $1, s.id, least(s.expires_at, clock_timestamp() + $3 * interval '1 s')
         from sessions s
         where s.id = $2
         on conflict (digest) do nothing",
        &[&token.digest(), &session, &accounts.settings.idle.as_secs_f64()],
    )
    .await?;
    let times = tx
        .query_one(
            "select n.now, greatest(n.now, extract(epoch from u.tokens_from)::bigint)
             from users u,
                  (select floor(extract(epoch from clock_timestamp()))::bigint as now) n
             where u.id = $1",
            &[&user],
        )
        .await?;
    let (now, issued) = (times.get(0), times.get(1));
    Ok(Granted {
        access_token: accounts.keys.sign(app, user, session, now, issued).await?,
        token_type: "Bearer",
        expires_in: accounts.settings.access.as_secs(),
        refresh_token: token.text(),
    })
}
