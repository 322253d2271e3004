//! Registration, and the address of an account.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use freehold::App;
use serde::Deserialize;

use super::me::Checked;
use crate::Accounts;
use crate::asked::{self, Asked};
use crate::audit::{self, Action, Entry, Outcome};
use crate::client::Client;
use crate::email::Email;
use crate::error::{Error, Result};
use crate::events::{EmailChanged, Verified};
use crate::mail::{self, Kind};
use crate::one_time::{self, Purpose};
use crate::password::Password;
use crate::request::{self, Body};
use crate::secret::Token;
use crate::signed_in::SignedIn;
use crate::throttle::{self, Mailable};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Registration {
    email: String,
    password: Password,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Address {
    pub(super) email: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAddress {
    email: String,
    password: Password,
}

/// Answers alike, and as late, whether or not the address has an account.
pub(super) async fn register(
    State(app): State<App>,
    Extension(accounts): Extension<Arc<Accounts>>,
    client: Client,
    Body(body): Body<Registration>,
) -> Result<StatusCode> {
    let email = request::email(&body.email)?;
    body.password.is_good_for(&email)?;
    let queued = accounts.hashing.queue()?;
    let tx = app.begin().await?;
    throttle::asked(&tx, client.network()).await?;
    let mailable = throttle::mailed(&tx, &email).await?;
    tx.commit().await?;
    let hash = queued.hash(&body.password).await?;
    if mailable == Mailable::Yes {
        let tx = app.begin().await?;
        let asked = Asked::Register { password_hash: hash };
        asked::write(&tx, &asked, &email).await?;
        tx.commit().await?;
        accounts.asked.notify_one();
    }
    Ok(StatusCode::ACCEPTED)
}

/// As [`register`].
pub(super) async fn verify_mail(
    State(app): State<App>,
    Extension(accounts): Extension<Arc<Accounts>>,
    client: Client,
    Body(body): Body<Address>,
) -> Result<StatusCode> {
    let email = request::email(&body.email)?;
    ask(&app, &accounts, &client, Asked::Verify, &email).await
}

/// Writes down what is answered by mail, whoever's address it is.
pub(super) async fn ask(
    app: &App,
    accounts: &Accounts,
    client: &Client,
    asked: Asked,
    email: &Email,
) -> Result<StatusCode> {
    let tx = app.begin().await?;
    throttle::asked(&tx, client.network()).await?;
    if throttle::mailed(&tx, email).await? == Mailable::Yes {
        asked::write(&tx, &asked, email).await?;
    }
    tx.commit().await?;
    accounts.asked.notify_one();
    Ok(StatusCode::ACCEPTED)
}

/// Confirms a registration with the password that it chose.
pub(super) async fn verify(State(app): State<App>, client: Client, Body(body): Body<Shown>) -> Result<StatusCode> {
    let token = Token::read(&body.token).ok_or(Error::Spent)?;
    shown(&app, &client).await?;
    let mut tx = app.begin().await?;
    let made = one_time::take(&tx, &token, Purpose::Verify).await?;
    let confirmed = tx
        .execute(
            "update users u
             set email_verified_at = clock_timestamp(),
                 password_hash = coalesce($3, u.password_hash)
             where u.id = $1
               and u.email = $2
               and u.email_verified_at is null",
            &[&made.user, &made.email, &made.password_hash],
        )
        .await?;
    if confirmed == 0 {
        return Err(Error::Spent);
    }
    one_time::cancel(&tx, made.user).await?;
    tx.publish(made.user, &Verified { subject: made.user }).await?;
    audit::write(&tx, done(Action::Verify, made.user, &client)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks for another address; it takes effect when that is confirmed.
pub(super) async fn ask_email(
    State(app): State<App>,
    Extension(accounts): Extension<Arc<Accounts>>,
    signed_in: SignedIn,
    client: Client,
    Body(body): Body<NewAddress>,
) -> Result<StatusCode> {
    let email = request::email(&body.email)?;
    Checked::password(&app, &accounts, signed_in, Action::AskEmail, &client, &body.password).await?;
    let tx = app.begin().await?;
    throttle::asked(&tx, client.network()).await?;
    if throttle::mailed(&tx, &email).await? == Mailable::Yes {
        let asked = Asked::ChangeEmail { user: signed_in.user };
        asked::write(&tx, &asked, &email).await?;
    }
    audit::write(&tx, done(Action::AskEmail, signed_in.user, &client)).await?;
    tx.commit().await?;
    accounts.asked.notify_one();
    Ok(StatusCode::ACCEPTED)
}

/// Gives the account the address that the token was sent to, and tells the old one.
pub(super) async fn confirm_email(
    State(app): State<App>,
    Extension(accounts): Extension<Arc<Accounts>>,
    client: Client,
    Body(body): Body<Shown>,
) -> Result<StatusCode> {
    let token = Token::read(&body.token).ok_or(Error::Spent)?;
    shown(&app, &client).await?;
    let mut tx = app.begin().await?;
    let made = one_time::take(&tx, &token, Purpose::ChangeEmail).await?;
    let old = tx
        .query_opt("select u.email from users u where u.id = $1", &[&made.user])
        .await?;
    let old: String = old.ok_or(Error::Spent)?.get(0);
    let changed = tx
        .execute(
            "update users u
             set email = $2,
                 email_verified_at = clock_timestamp()
             where u.id = $1",
            &[&made.user, &made.email],
        )
        .await;
    match changed {
        Ok(_) => {}
        // Somebody else took it meanwhile.
        Err(freehold::Error::Postgres(error)) if error.code() == Some(&UNIQUE) => return Err(Error::Spent),
        Err(error) => return Err(error.into()),
    }
    one_time::cancel(&tx, made.user).await?;
    mail::post(&tx, Kind::EmailChanged, &old).await?;
    tx.publish(made.user, &EmailChanged { subject: made.user }).await?;
    audit::write(&tx, done(Action::ChangeEmail, made.user, &client)).await?;
    tx.commit().await?;
    accounts.posted.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

const UNIQUE: tokio_postgres::error::SqlState = tokio_postgres::error::SqlState::UNIQUE_VIOLATION;

/// Counts a token that is shown.
pub(super) async fn shown(app: &App, client: &Client) -> Result<()> {
    let tx = app.begin().await?;
    throttle::shown(&tx, client.network()).await?;
    Ok(tx.commit().await?)
}

/// An entry of something that was done to an account.
pub(super) fn done(action: Action, user: uuid::Uuid, client: &Client) -> Entry<'_> {
    Entry {
        action,
        outcome: Outcome::Done,
        user: Some(user),
        session: None,
        client: Some(client),
    }
}
