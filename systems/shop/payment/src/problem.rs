//! What a client is told when something is wrong: `application/problem+json` (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::books::Refusal;
use crate::journal::NotWritten;

/// When to repeat a request that met its twin in progress, in seconds; the least that the header can say.
const RETRY_AFTER_S: u16 = 1;

/// One refusal.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Problem {
    /// A problem of this status, code (`bad-amount`: for programs) and sentence (for people).
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match &refusal {
            Refusal::OtherRequest => (StatusCode::UNPROCESSABLE_ENTITY, "key-reused"),
            Refusal::InProgress => (StatusCode::CONFLICT, "in-progress"),
            Refusal::NoSuchPayment(_) => (StatusCode::NOT_FOUND, "no-such-payment"),
            Refusal::NotCaptured(_) => (StatusCode::CONFLICT, "not-captured"),
            Refusal::AlreadyRefunded(_) => (StatusCode::CONFLICT, "already-refunded"),
        };
        Self::new(status, code, refusal.to_string())
    }
}

impl From<NotWritten> for Problem {
    fn from(failure: NotWritten) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "journal-failed", failure.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.code == "in-progress" {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        response
    }
}
