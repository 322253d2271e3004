//! What somebody who is signed in sees of the account, and does to it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use freehold::App;
use serde::Deserialize;
use uuid::Uuid;

use super::account::done;
use crate::Accounts;
use crate::audit::{self, Action, Entry, Outcome};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::events::Deleted;
use crate::hashing::Compared;
use crate::mail::{self, Kind};
use crate::password::Password;
use crate::request::Body;
use crate::session::{self, EndedBy, Which};
use crate::signed_in::SignedIn;
use crate::throttle;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmed {
    password: Password,
}

/// An account whose password was asked again and was right.
pub(super) struct Checked {
    pub(super) email: String,
    /// The hash that it was compared with.
    pub(super) hash: String,
}

impl Checked {
    /// Compares the password of whoever is signed in: a stolen token alone changes nothing that matters.
    ///
    /// # Errors
    /// [`Error::OldPassword`], written down as a refusal of `action`; [`Error::Throttled`], [`Error::Busy`].
    pub(super) async fn password(
        app: &App,
        accounts: &Accounts,
        signed_in: SignedIn,
        action: Action,
        client: &Client,
        password: &Password,
    ) -> Result<Self> {
        let queued = accounts.hashing.queue()?;
        let tx = app.begin().await?;
        throttle::check_begins(&tx, signed_in.user).await?;
        let row = tx
            .query_opt(
                "select u.email, u.password_hash from users u where u.id = $1",
                &[&signed_in.user],
            )
            .await?;
        tx.commit().await?;
        let row = row.ok_or(Error::SignedOut)?;
        let checked = Self {
            email: row.get(0),
            hash: row.get(1),
        };
        let compared = queued.compare(password, Some(checked.hash.clone())).await?;
        let tx = app.begin().await?;
        if compared == Compared::Differs {
            let refused = Entry {
                outcome: Outcome::Refused,
                session: Some(signed_in.session),
                ..done(action, signed_in.user, client)
            };
            audit::write(&tx, refused).await?;
            tx.commit().await?;
            return Err(Error::OldPassword);
        }
        throttle::check_succeeded(&tx, signed_in.user).await?;
        tx.commit().await?;
        Ok(checked)
    }
}

/// JSON that the database made.
fn json(text: String) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ([kind], text).into_response()
}

/// The account.
pub(super) async fn show(State(app): State<App>, signed_in: SignedIn) -> Result<Response> {
    let tx = app.begin().await?;
    let row = tx
        .query_opt(
            "select json_build_object(
                      'id', u.id,
                      'email', u.email,
                      'email_verified', u.email_verified,
                      'created_at', u.created_at,
                      'session', $2::uuid
                    )::text
             from users u
             where u.id = $1",
            &[&signed_in.user, &signed_in.session],
        )
        .await?;
    tx.commit().await?;
    Ok(json(row.ok_or(Error::SignedOut)?.get(0)))
}

/// The sessions that are open, the latest used first.
pub(super) async fn sessions(State(app): State<App>, signed_in: SignedIn) -> Result<Response> {
    let tx = app.begin().await?;
    let row = tx
        .query_one(
            "select coalesce(json_agg(json_build_object(
                      'id', s.id,
                      'device', s.device,
                      'address', host(s.address),
                      'created_at', s.created_at,
                      'last_used_at', s.last_used_at,
                      'expires_at', s.expires_at,
                      'current', s.id = $2
                    ) order by s.last_used_at desc), '[]')::text
             from sessions s
             where s.user_id = $1
               and s.ended_at is null
               and s.expires_at > clock_timestamp()",
            &[&signed_in.user, &signed_in.session],
        )
        .await?;
    tx.commit().await?;
    Ok(json(row.get(0)))
}

/// Ends every session, this one too.
pub(super) async fn end_all(State(app): State<App>, signed_in: SignedIn, client: Client) -> Result<StatusCode> {
    end(&app, signed_in, &client, Which::All).await
}

/// Ends one session of this account.
pub(super) async fn end_one(
    State(app): State<App>,
    signed_in: SignedIn,
    client: Client,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let id: Uuid = id.parse().map_err(|_| Error::NoSession)?;
    end(&app, signed_in, &client, Which::One(id)).await
}

async fn end(app: &App, signed_in: SignedIn, client: &Client, which: Which) -> Result<StatusCode> {
    let mut tx = app.begin().await?;
    session::lock(&tx, signed_in.user).await?;
    if session::end(&mut tx, signed_in.user, which, EndedBy::LogOut).await? == 0 {
        return Err(Error::NoSession);
    }
    let session = match which {
        Which::One(session) => Some(session),
        Which::All | Which::AllBut(_) => None,
    };
    let ended = Entry {
        session,
        ..done(Action::LogOut, signed_in.user, client)
    };
    audit::write(&tx, ended).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes the account with all that is its own here; other services hear of it.
pub(super) async fn delete(
    State(app): State<App>,
    Extension(accounts): Extension<Arc<Accounts>>,
    signed_in: SignedIn,
    client: Client,
    Body(body): Body<Confirmed>,
) -> Result<StatusCode> {
    let user = signed_in.user;
    let checked = Checked::password(
        &app,
        &accounts,
        signed_in,
        Action::DeleteAccount,
        &client,
        &body.password,
    )
    .await?;
    let mut tx = app.begin().await?;
    if !session::lock(&tx, user).await? {
        return Err(Error::SignedOut);
    }
    session::end(&mut tx, user, Which::All, EndedBy::LogOut).await?;
    tx.publish(user, &Deleted { subject: user }).await?;
    tx.execute("delete from users u where u.id = $1", &[&user]).await?;
    mail::post(&tx, Kind::Deleted, &checked.email).await?;
    audit::write(&tx, done(Action::DeleteAccount, user, &client)).await?;
    tx.commit().await?;
    accounts.posted.notify_one();
    Ok(StatusCode::NO_CONTENT)
}
