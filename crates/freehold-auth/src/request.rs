//! Bodies of requests: JSON, small, with the fields of the route and no others.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use serde::de::DeserializeOwned;

use crate::email::Email;
use crate::error::{Error, Result};

/// An address, two passwords and their JSON escapes.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// The body of a request. A wrong one is refused without repeating any of it: it may hold a password.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        // A page of another origin cannot send this type without asking first.
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case("application/json") {
            return Err(Error::Body);
        }
        let bytes = to_bytes(request.into_body(), BODY_BYTES_MAX)
            .await
            .map_err(|_| Error::Body)?;
        serde_json::from_slice(&bytes).map(Self).map_err(|_| Error::Body)
    }
}

/// Reads an address of a body.
pub(crate) fn email(text: &str) -> Result<Email> {
    Email::read(text).ok_or(Error::Email)
}
