//! What is told to those who may not: 401 with `WWW-Authenticate` (RFC 6750) and PostgREST's codes, and a line in the log.

use axum::http::{HeaderValue, Method, StatusCode, header};

use crate::entity::execute::Who;
use crate::entity::problem::Problem;

/// A token is needed, and there is none.
pub(crate) fn no_token() -> Problem {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "no-token", "PGRST302", "this is not public");
    problem
        .with_hint("send a token: Authorization: Bearer …")
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// What was sent is no token of this system.
pub(super) fn invalid(message: &'static str) -> Problem {
    unauthorized("bad-token", "PGRST301", message)
}

/// It is one, but says what it must not.
pub(super) fn bad_claims(message: &'static str) -> Problem {
    unauthorized("bad-token", "PGRST303", message)
}

/// Its time is over.
pub(super) fn expired() -> Problem {
    unauthorized("expired-token", "PGRST303", "the token has expired")
}

/// Its session has ended before its time.
pub(super) fn ended() -> Problem {
    unauthorized("ended-session", "PGRST303", "the session of the token has ended")
}

/// The service that publishes the keys has not been heard: whether the token is valid cannot be told.
pub(super) fn no_keys() -> Problem {
    Problem::unavailable("no-keys", "FH503", "tokens cannot be verified at the moment")
}

/// The message is fixed text: a header that quoted the token would be the client's to write.
fn unauthorized(kind: &'static str, code: &str, message: &'static str) -> Problem {
    let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{message}\"");
    let problem = Problem::new(StatusCode::UNAUTHORIZED, kind, code, message);
    match HeaderValue::try_from(challenge) {
        Ok(challenge) => problem.with_header(header::WWW_AUTHENTICATE, challenge),
        Err(_) => problem,
    }
}

/// Logs a refusal of permission, with who was refused what; other problems are logged where they are handled.
pub(crate) fn note(problem: &Problem, who: Who<'_>, method: &Method, path: &str) {
    let (code, status) = (problem.code(), problem.status());
    let reason = problem.message();
    let subject = match who {
        Who::Subject(subject) => subject.to_string(),
        Who::Unasked | Who::Nobody => "nobody".to_owned(),
    };
    match status {
        StatusCode::FORBIDDEN => tracing::warn!(subject, %method, path, code, reason, "access was refused"),
        // Without a token: every crawler does that.
        StatusCode::UNAUTHORIZED if code == "PGRST302" => {
            tracing::debug!(subject, %method, path, code, reason, "access was refused");
        }
        StatusCode::UNAUTHORIZED => tracing::warn!(subject, %method, path, code, reason, "a token was refused"),
        _ => {}
    }
}
