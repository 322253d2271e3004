//! In and out: log-in, refresh, log-out.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use freehold::App;
use serde::Deserialize;
use uuid::Uuid;

use crate::Accounts;
use crate::audit::{self, Action, Entry, Outcome};
use crate::client::Client;
use crate::email::Email;
use crate::error::{Error, Result};
use crate::hashing::Compared;
use crate::password::Password;
use crate::request::{self, Body};
use crate::secret::Token;
use crate::session::{self, EndedBy, Granted, Refreshed, Which};
use crate::throttle;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIn {
    email: String,
    password: Password,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Presented {
    refresh_token: String,
}

/// An account as a log-in finds it.
struct Found {
    id: Uuid,
    hash: String,
}

/// Gives tokens for the password. An unknown account, and a wrong password, are answered alike and as late: the same
/// statements are run, and a password is hashed.
pub(super) async fn log_in(
    State(app): State<App>,
    Extension(accounts): Extension<Arc<Accounts>>,
    client: Client,
    Body(body): Body<LogIn>,
) -> Result<Json<Granted>> {
    let email = request::email(&body.email)?;
    let queued = accounts.hashing.queue()?;
    let tx = app.begin().await?;
    throttle::log_in_begins(&tx, &email, client.network()).await?;
    let found = tx
        .query_opt(
            "select u.id, u.password_hash from users u where lower(u.email collate \"C\") = $1",
            &[&email.folded()],
        )
        .await?;
    // Whatever comes of it, the attempt is counted.
    tx.commit().await?;
    let found = found.map(|row| Found {
        id: row.get(0),
        hash: row.get(1),
    });
    let hash = found.as_ref().map(|found| found.hash.clone());
    let compared = queued.compare(&body.password, hash).await?;
    match found {
        Some(found) if compared != Compared::Differs => enter(&app, &accounts, &client, &email, found, compared).await,
        found => refuse(&app, &client, found.map(|found| found.id)).await,
    }
}

async fn enter(
    app: &App,
    accounts: &Accounts,
    client: &Client,
    email: &Email,
    found: Found,
    compared: Compared,
) -> Result<Json<Granted>> {
    let tx = app.begin().await?;
    // Of the account as it is now: the password may have been changed while this one was compared.
    let now = tx
        .query_opt(
            "select u.email_verified
             from users u
             where u.id = $1 and u.password_hash = $2
             for no key update",
            &[&found.id, &found.hash],
        )
        .await?;
    let Some(now) = now else {
        drop(tx);
        return refuse(app, client, Some(found.id)).await;
    };
    throttle::log_in_succeeded(&tx, email, client.network()).await?;
    if !now.get::<_, bool>(0) {
        audit::write(&tx, entry(Outcome::Refused, Some(found.id), client)).await?;
        tx.commit().await?;
        return Err(Error::Unverified);
    }
    if let Compared::Rehashed(hash) = compared {
        tx.execute(
            "update users u set password_hash = $2 where u.id = $1",
            &[&found.id, &hash],
        )
        .await?;
    }
    let (session, granted) = session::open(accounts, app, &tx, found.id, client).await?;
    let entered = Entry {
        session: Some(session),
        ..entry(Outcome::Done, Some(found.id), client)
    };
    audit::write(&tx, entered).await?;
    tx.commit().await?;
    Ok(Json(granted))
}

async fn refuse(app: &App, client: &Client, user: Option<Uuid>) -> Result<Json<Granted>> {
    let tx = app.begin().await?;
    audit::write(&tx, entry(Outcome::Refused, user, client)).await?;
    tx.commit().await?;
    Err(Error::Credentials)
}

fn entry(outcome: Outcome, user: Option<Uuid>, client: &Client) -> Entry<'_> {
    Entry {
        action: Action::LogIn,
        outcome,
        user,
        session: None,
        client: Some(client),
    }
}

/// Gives new tokens for a refresh token, which is used up by it.
pub(super) async fn refresh(
    State(app): State<App>,
    Extension(accounts): Extension<Arc<Accounts>>,
    client: Client,
    Body(body): Body<Presented>,
) -> Result<Json<Granted>> {
    let token = Token::read(&body.refresh_token).ok_or(Error::Refresh)?;
    let mut tx = app.begin().await?;
    let refreshed = session::refresh(&accounts, &app, &mut tx, &token, &client).await?;
    // What a replay ended stays ended.
    tx.commit().await?;
    match refreshed {
        Refreshed::Granted(granted) => Ok(Json(granted)),
        Refreshed::Refused | Refreshed::Replayed => Err(Error::Refresh),
    }
}

/// Ends the session of a refresh token, used or not. A token of no session is answered alike: it is out, too.
pub(super) async fn log_out(State(app): State<App>, client: Client, Body(body): Body<Presented>) -> Result<StatusCode> {
    let Some(token) = Token::read(&body.refresh_token) else {
        return Ok(StatusCode::NO_CONTENT);
    };
    let mut tx = app.begin().await?;
    let found = tx
        .query_opt(
            "select s.user_id, s.id
             from refresh_tokens t
             join sessions s on s.id = t.session_id
             where t.digest = $1 and s.ended_at is null",
            &[&token.digest()],
        )
        .await?;
    let Some(found) = found else {
        tx.rollback().await?;
        return Ok(StatusCode::NO_CONTENT);
    };
    let (user, id): (Uuid, Uuid) = (found.get(0), found.get(1));
    session::lock(&tx, user).await?;
    session::end(&mut tx, user, Which::One(id), EndedBy::LogOut).await?;
    let ended = Entry {
        action: Action::LogOut,
        session: Some(id),
        ..entry(Outcome::Done, Some(user), &client)
    };
    audit::write(&tx, ended).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
