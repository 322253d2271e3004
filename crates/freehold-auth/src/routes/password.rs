//! The password of an account: changed by who knows it, reset by who reads its mail.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use freehold::App;
use serde::Deserialize;

use super::account::{self, Address, done};
use super::me::Checked;
use crate::Accounts;
use crate::asked::Asked;
use crate::audit::{self, Action};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::events::{PasswordChanged, Verified};
use crate::mail::{self, Kind};
use crate::one_time::{self, Purpose};
use crate::password::Password;
use crate::request::{self, Body};
use crate::secret::Token;
use crate::session::{self, EndedBy, Which};
use crate::signed_in::SignedIn;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reset {
    token: String,
    password: Password,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    password: Password,
    new_password: Password,
}

/// Answers alike, and as late, whether or not the address has an account.
pub(super) async fn forgot(
    State(app): State<App>,
    Extension(accounts): Extension<Arc<Accounts>>,
    client: Client,
    Body(body): Body<Address>,
) -> Result<StatusCode> {
    let email = request::email(&body.email)?;
    account::ask(&app, &accounts, &client, Asked::Reset, &email).await
}

/// Sets a password by a mail's token, and ends every session. Who reads the mail has confirmed the address, too.
pub(super) async fn reset(
    State(app): State<App>,
    Extension(accounts): Extension<Arc<Accounts>>,
    client: Client,
    Body(body): Body<Reset>,
) -> Result<StatusCode> {
    let token = Token::read(&body.token).ok_or(Error::Spent)?;
    account::shown(&app, &client).await?;
    let tx = app.begin().await?;
    let email = one_time::look(&tx, &token, Purpose::Reset).await?;
    tx.commit().await?;
    body.password.is_good_for(&request::email(&email)?)?;
    let hash = accounts.hashing.queue()?.hash(&body.password).await?;
    let mut tx = app.begin().await?;
    let made = one_time::take(&tx, &token, Purpose::Reset).await?;
    let user = made.user;
    let before = tx
        .query_opt(
            "select u.email_verified from users u where u.id = $1 and u.email = $2",
            &[&user, &made.email],
        )
        .await?;
    // Sent to an address that the account has no more.
    let verified: bool = before.ok_or(Error::Spent)?.get(0);
    tx.execute(
        "update users u
         set password_hash = $2,
             email_verified_at = coalesce(u.email_verified_at, clock_timestamp())
         where u.id = $1",
        &[&user, &hash],
    )
    .await?;
    if !verified {
        tx.publish(user, &Verified { subject: user }).await?;
    }
    one_time::cancel(&tx, user).await?;
    session::end(&mut tx, user, Which::All, EndedBy::Password).await?;
    tx.publish(user, &PasswordChanged { subject: user }).await?;
    mail::post(&tx, Kind::PasswordChanged, &made.email).await?;
    audit::write(&tx, done(Action::ResetPassword, user, &client)).await?;
    tx.commit().await?;
    accounts.posted.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

/// Sets a password by the old one, and ends every other session.
pub(super) async fn change(
    State(app): State<App>,
    Extension(accounts): Extension<Arc<Accounts>>,
    signed_in: SignedIn,
    client: Client,
    Body(body): Body<Change>,
) -> Result<StatusCode> {
    let user = signed_in.user;
    let checked = Checked::password(
        &app,
        &accounts,
        signed_in,
        Action::ChangePassword,
        &client,
        &body.password,
    )
    .await?;
    body.new_password.is_good_for(&request::email(&checked.email)?)?;
    let hash = accounts.hashing.queue()?.hash(&body.new_password).await?;
    let mut tx = app.begin().await?;
    let changed = tx
        .execute(
            "update users u set password_hash = $3 where u.id = $1 and u.password_hash = $2",
            &[&user, &checked.hash, &hash],
        )
        .await?;
    // Changed or reset meanwhile: what was checked is not the password any more.
    if changed == 0 {
        return Err(Error::OldPassword);
    }
    one_time::cancel(&tx, user).await?;
    session::end(&mut tx, user, Which::AllBut(signed_in.session), EndedBy::Password).await?;
    tx.publish(user, &PasswordChanged { subject: user }).await?;
    mail::post(&tx, Kind::PasswordChanged, &checked.email).await?;
    audit::write(&tx, done(Action::ChangePassword, user, &client)).await?;
    tx.commit().await?;
    accounts.posted.notify_one();
    Ok(StatusCode::NO_CONTENT)
}
