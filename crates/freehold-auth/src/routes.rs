//! What clients call. Bodies are JSON; what is wrong is answered as a problem document (RFC 9457).
//!
//! | Route | Takes | Answers |
//! | --- | --- | --- |
//! | `POST /register` | `email`, `password` | 202: look into your mail |
//! | `POST /verify` | `token` | 204: the address is confirmed |
//! | `POST /verify/mail` | `email` | 202: another mail |
//! | `POST /login` | `email`, `password` | 200: tokens |
//! | `POST /refresh` | `refresh_token` | 200: tokens |
//! | `POST /logout` | `refresh_token` | 204: its session has ended |
//! | `POST /password/forgot` | `email` | 202: look into your mail |
//! | `POST /password/reset` | `token`, `password` | 204: all sessions have ended |
//! | `POST /password` | signed in; `password`, `new_password` | 204: all other sessions have ended |
//! | `POST /email` | signed in; `password`, `email` | 202: a mail to the new address |
//! | `POST /email/confirm` | `token` | 204: the account has this address |
//! | `GET /me` | signed in | 200: the account |
//! | `POST /me/delete` | signed in; `password` | 204: it is gone |
//! | `GET /me/sessions` | signed in | 200: the sessions that are open |
//! | `DELETE /me/sessions` | signed in | 204: all have ended |
//! | `DELETE /me/sessions/{id}` | signed in | 204: it has ended |
//! | `GET /.well-known/jwks.json` | | 200: the keys that access tokens are signed with |

mod account;
mod door;
mod me;
mod password;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router};
use freehold::App;

use crate::Accounts;
use crate::error::Result;

/// All routes; [`accounts`](crate::accounts) adds them to a service.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/register", post(account::register))
        .route("/verify", post(account::verify))
        .route("/verify/mail", post(account::verify_mail))
        .route("/login", post(door::log_in))
        .route("/refresh", post(door::refresh))
        .route("/logout", post(door::log_out))
        .route("/password/forgot", post(password::forgot))
        .route("/password/reset", post(password::reset))
        .route("/password", post(password::change))
        .route("/email", post(account::ask_email))
        .route("/email/confirm", post(account::confirm_email))
        .route("/me", get(me::show))
        .route("/me/delete", post(me::delete))
        .route("/me/sessions", get(me::sessions).delete(me::end_all))
        .route("/me/sessions/{id}", delete(me::end_one))
        .layer(from_fn(unstored))
        .route("/.well-known/jwks.json", get(key_set))
}

/// Tokens and what is somebody's own stay in no cache: RFC 6749, 5.1.
async fn unstored(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    answer
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

async fn key_set(State(app): State<App>, Extension(accounts): Extension<Arc<Accounts>>) -> Result<Response> {
    let set = accounts.keys.set(&app).await?;
    // A new key is published for longer than this before it signs.
    let lasting = (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    Ok(([lasting], Json(set)).into_response())
}
