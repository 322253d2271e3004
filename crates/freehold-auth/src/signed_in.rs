//! Who is asking: an access token of this service, whose session is still open.

use std::sync::Arc;

use axum::Extension;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use freehold::App;
use uuid::Uuid;

use crate::Accounts;
use crate::audit::{self, Action, Entry, Outcome};
use crate::client::Client;
use crate::error::{Error, Result};

/// Somebody who is signed in. Unlike other services this one asks its database, so an ended session is refused at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedIn {
    pub(crate) user: Uuid,
    pub(crate) session: Uuid,
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Extension(accounts) = Extension::<Arc<Accounts>>::from_request_parts(parts, app)
            .await
            .map_err(freehold::Error::other)?;
        let Some(token) = bearer(parts) else {
            return Err(Error::SignedOut);
        };
        let claims = accounts.keys.read(app, token).await?;
        let signed_in = Self {
            user: claims.sub,
            session: claims.sid,
        };
        let tx = app.begin().await?;
        let open = tx
            .query_opt(
                "select
                 from sessions s
                 join users u on u.id = s.user_id
                 where s.id = $1
                   and u.id = $2
                   and s.ended_at is null
                   and s.expires_at > clock_timestamp()
                   and u.tokens_from <= to_timestamp($3::bigint)",
                &[&claims.sid, &claims.sub, &claims.iat],
            )
            .await?;
        if open.is_some() {
            tx.commit().await?;
            return Ok(signed_in);
        }
        // A token that was good once is worth a line; what anybody can make up is not.
        let client = Client::from_request_parts(parts, app).await?;
        let refused = Entry {
            action: Action::Access,
            outcome: Outcome::Refused,
            user: Some(claims.sub),
            session: Some(claims.sid),
            client: Some(&client),
        };
        audit::write(&tx, refused).await?;
        tx.commit().await?;
        Err(Error::SignedOut)
    }
}

/// The token of the one `Authorization` header: RFC 6750, 2.1.
fn bearer(parts: &Parts) -> Option<&str> {
    let mut headers = parts.headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (headers.next(), headers.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start_matches(' '))
}
