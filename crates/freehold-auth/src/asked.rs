//! What was asked for and is answered by mail: done after the answer, one at a time, each in a transaction.
//!
//! A route writes the same row whether or not there is such an account, and answers. So its answer says nothing, and takes as
//! long. What follows is done here, and only the owner of the address sees it.

use std::sync::Arc;
use std::time::Duration;

use freehold::{App, Tx};
use uuid::Uuid;

use crate::Accounts;
use crate::audit::{self, Action, Entry, Outcome};
use crate::email::Email;
use crate::error::Result;
use crate::events::Registered;
use crate::mail::{self, Kind};
use crate::one_time::{self, Made, Purpose};

/// The longest wait between two looks: what another instance wrote down and could not do itself is found this late.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// The wait of one that failed, so that it holds up nobody else.
const AGAIN: Duration = Duration::from_secs(10);

/// What is asked for, of an address.
#[derive(Debug)]
pub(crate) enum Asked {
    Register {
        password_hash: String,
    },
    /// Another mail that confirms a registration.
    Verify,
    Reset,
    /// The address is to be that of this account.
    ChangeEmail {
        user: Uuid,
    },
}

impl Asked {
    const fn word(&self) -> &'static str {
        match self {
            Self::Register { .. } => "register",
            Self::Verify => "verify",
            Self::Reset => "reset",
            Self::ChangeEmail { .. } => "change_email",
        }
    }

    /// As it was written down; none if a newer release wrote it.
    fn read(kind: &str, user: Option<Uuid>, password_hash: Option<String>) -> Option<Self> {
        match (kind, user, password_hash) {
            ("register", _, Some(password_hash)) => Some(Self::Register { password_hash }),
            ("verify", ..) => Some(Self::Verify),
            ("reset", ..) => Some(Self::Reset),
            ("change_email", Some(user), _) => Some(Self::ChangeEmail { user }),
            _ => None,
        }
    }
}

/// An account by its address.
struct Found {
    id: Uuid,
    email: String,
    verified: Verified,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verified {
    Yes,
    No,
}

/// Writes a request down.
pub(crate) async fn write(tx: &Tx, asked: &Asked, email: &Email) -> Result<()> {
    let (user, password_hash) = match asked {
        Asked::Register { password_hash } => (None, Some(password_hash)),
        Asked::ChangeEmail { user } => (Some(user), None),
        Asked::Verify | Asked::Reset => (None, None),
    };
    tx.execute(
        "insert into account_requests (id, kind, email, user_id, password_hash) values ($1, $2, $3, $4, $5)",
        &[&Uuid::now_v7(), &asked.word(), &email.as_str(), &user, &password_hash],
    )
    .await?;
    Ok(())
}

/// Does what was asked, until dropped.
pub(crate) async fn run(accounts: Arc<Accounts>, app: App) -> freehold::Result<()> {
    loop {
        while one(&accounts, &app).await? {}
        tokio::select! {
            () = accounts.asked.notified() => {}
            () = tokio::time::sleep(LOOK_MAX) => {}
        }
    }
}

/// Does one; false if there is none. If it fails, what it did is rolled back and it waits.
async fn one(accounts: &Accounts, app: &App) -> Result<bool> {
    let mut tx = app.begin().await?;
    let taken = tx
        .query_opt(
            "delete from account_requests r
             where r.id = (
               select w.id
               from account_requests w
               where w.due_at <= clock_timestamp()
               order by w.due_at
               limit 1
               for update skip locked
             )
             returning r.id, r.kind, r.email, r.user_id, r.password_hash",
            &[],
        )
        .await?;
    let Some(taken) = taken else {
        tx.rollback().await?;
        return Ok(false);
    };
    let (id, kind): (Uuid, &str) = (taken.get(0), taken.get(1));
    let email: &str = taken.get(2);
    let done = match Asked::read(kind, taken.get(3), taken.get(4)) {
        Some(Asked::Register { password_hash }) => register(accounts, &mut tx, email, password_hash).await,
        Some(Asked::Verify) => verify(accounts, &tx, email).await,
        Some(Asked::Reset) => reset(accounts, &tx, email).await,
        Some(Asked::ChangeEmail { user }) => change_email(accounts, &tx, email, user).await,
        // A newer release wrote it, and does it.
        None => Err(freehold::Error::other(format!("a request of kind {kind} is not known here")).into()),
    };
    match done {
        Ok(()) => {
            tx.commit().await?;
            accounts.posted.notify_one();
        }
        Err(error) => {
            tracing::warn!(%error, kind, "what was asked for could not be done and is tried again");
            drop(tx);
            put_off(app, id).await?;
        }
    }
    Ok(true)
}

async fn put_off(app: &App, id: Uuid) -> Result<()> {
    let tx = app.begin().await?;
    tx.execute(
        "update account_requests r set due_at = clock_timestamp() + $2 * interval '1 s' where r.id = $1",
        &[&id, &AGAIN.as_secs_f64()],
    )
    .await?;
    Ok(tx.commit().await?)
}

/// A new account that nobody can use yet; or a mail to whoever has one.
///
/// The password belongs to the link: an address that two register, one of them its owner, gets the password of the one
/// whose link is followed.
async fn register(accounts: &Accounts, tx: &mut Tx, email: &str, password_hash: String) -> Result<()> {
    let made = tx
        .query_opt(
            "insert into users (id, email, password_hash)
             values ($1, $2, $3)
             on conflict (lower(email collate \"C\")) do nothing
             returning id",
            &[&Uuid::new_v4(), &email, &password_hash],
        )
        .await?;
    if let Some(made) = made {
        let user: Uuid = made.get(0);
        tx.publish(user, &Registered { subject: user }).await?;
        let registered = Entry {
            action: Action::Register,
            outcome: Outcome::Done,
            user: Some(user),
            session: None,
            client: None,
        };
        audit::write(tx, registered).await?;
    }
    let Some(found) = find(tx, email).await? else {
        return Ok(());
    };
    if found.verified == Verified::Yes {
        return mail::post(tx, Kind::Exists, &found.email).await;
    }
    let token = mail::post_with_token(accounts, tx, Kind::Verify, &found.email).await?;
    let made = Made {
        user: found.id,
        email: found.email,
        password_hash: Some(password_hash),
    };
    one_time::make(tx, &token, Purpose::Verify, &made).await
}

async fn verify(accounts: &Accounts, tx: &Tx, email: &str) -> Result<()> {
    match find(tx, email).await? {
        Some(found) if found.verified == Verified::No => link(accounts, tx, Kind::Verify, Purpose::Verify, found).await,
        _ => Ok(()),
    }
}

async fn reset(accounts: &Accounts, tx: &Tx, email: &str) -> Result<()> {
    match find(tx, email).await? {
        Some(found) => link(accounts, tx, Kind::Reset, Purpose::Reset, found).await,
        None => Ok(()),
    }
}

async fn change_email(accounts: &Accounts, tx: &Tx, email: &str, user: Uuid) -> Result<()> {
    match find(tx, email).await? {
        Some(other) if other.id != user => mail::post(tx, Kind::Exists, &other.email).await,
        _ => {
            let made = Found {
                id: user,
                email: email.to_owned(),
                verified: Verified::Yes,
            };
            link(accounts, tx, Kind::ChangeEmail, Purpose::ChangeEmail, made).await
        }
    }
}

/// A mail with a token for an account.
async fn link(accounts: &Accounts, tx: &Tx, kind: Kind, purpose: Purpose, to: Found) -> Result<()> {
    let token = mail::post_with_token(accounts, tx, kind, &to.email).await?;
    let made = Made {
        user: to.id,
        email: to.email,
        password_hash: None,
    };
    one_time::make(tx, &token, purpose, &made).await
}

async fn find(tx: &Tx, email: &str) -> Result<Option<Found>> {
    let row = tx
        .query_opt(
            "select u.id, u.email, u.email_verified
             from users u
             where lower(u.email collate \"C\") = lower($1::text collate \"C\")",
            &[&email],
        )
        .await?;
    Ok(row.map(|row| Found {
        id: row.get(0),
        email: row.get(1),
        verified: if row.get(2) { Verified::Yes } else { Verified::No },
    }))
}
