//! What can go wrong with an account, and what the client is told of it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use freehold::entity::problem::Problem;

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of accounts. None holds what a client sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is missing or wrong.
    #[error("{name}: {problem}")]
    Setting {
        /// The environment variable.
        name: &'static str,
        /// What is wrong with it; never its value.
        problem: String,
    },
    /// The body is not what the route takes.
    #[error("the body must be a JSON object of the fields that the route takes, and no others")]
    Body,
    /// What was given is no e-mail address.
    #[error("this is no e-mail address")]
    Email,
    /// A new password is not taken.
    #[error("the password {0}")]
    Password(&'static str),
    /// No account has this address and this password. Which of the two is wrong is not told.
    #[error("e-mail address or password is wrong")]
    Credentials,
    /// The password of whoever is signed in is wrong.
    #[error("the password is wrong")]
    OldPassword,
    /// The address of the account was never confirmed.
    #[error("the e-mail address is not confirmed yet: use the link in the mail, or ask for another one")]
    Unverified,
    /// There is no access token, or none that is accepted.
    #[error("the access token is missing, expired or no longer accepted")]
    SignedOut,
    /// A refresh token is unknown, expired, or its session has ended.
    #[error("the refresh token is not accepted: log in again")]
    Refresh,
    /// A token of a mail is unknown, expired or used.
    #[error("the link is not valid any more: ask for another one")]
    Spent,
    /// There is no such session.
    #[error("there is no such session")]
    NoSession,
    /// Too many attempts.
    #[error("too many attempts: try again later")]
    Throttled {
        /// Seconds until the next one.
        after_s: u32,
    },
    /// More passwords are to be checked than can be.
    #[error("too much to do: try again")]
    Busy,
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
    /// A mail could not be made or sent.
    #[error("mail: {0}")]
    Mail(String),
    /// An access token could not be made.
    #[error("an access token cannot be made: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
    /// A password could not be hashed, or a stored hash not be read.
    #[error("a password cannot be hashed: {0}")]
    Hash(argon2::password_hash::Error),
    /// The library or the database failed.
    #[error(transparent)]
    Freehold(#[from] freehold::Error),
}

/// Seconds after which a client that met an overload may come again.
const BUSY_RETRY_S: u32 = 2;

impl From<Error> for freehold::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Freehold(error) => error,
            error => Self::other(error),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let said = self.to_string();
        let problem = |status, kind, code| Problem::new(status, kind, code, said.as_str());
        let problem = match &self {
            Self::Body => problem(StatusCode::BAD_REQUEST, "bad-body", "PGRST102"),
            Self::Email => problem(StatusCode::UNPROCESSABLE_ENTITY, "bad-email", "bad_email"),
            Self::Password(_) => problem(StatusCode::UNPROCESSABLE_ENTITY, "weak-password", "weak_password"),
            Self::Credentials => problem(StatusCode::UNAUTHORIZED, "wrong-credentials", "wrong_credentials"),
            Self::OldPassword => problem(StatusCode::FORBIDDEN, "wrong-password", "wrong_password"),
            Self::Unverified => problem(StatusCode::FORBIDDEN, "email-not-verified", "email_not_verified"),
            Self::SignedOut => problem(StatusCode::UNAUTHORIZED, "invalid-token", "invalid_token").with_header(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer error=\"invalid_token\""),
            ),
            Self::Refresh => problem(
                StatusCode::UNAUTHORIZED,
                "invalid-refresh-token",
                "invalid_refresh_token",
            ),
            Self::Spent => problem(StatusCode::BAD_REQUEST, "spent-token", "spent_token"),
            Self::NoSession => problem(StatusCode::NOT_FOUND, "no-session", "no_session"),
            Self::Throttled { after_s } => problem(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", "throttled")
                .with_header(header::RETRY_AFTER, HeaderValue::from(*after_s)),
            Self::Busy => problem(StatusCode::SERVICE_UNAVAILABLE, "busy", "busy")
                .with_header(header::RETRY_AFTER, HeaderValue::from(BUSY_RETRY_S)),
            Self::Setting { .. }
            | Self::Random(_)
            | Self::Mail(_)
            | Self::Token(_)
            | Self::Hash(_)
            | Self::Freehold(_) => return freehold::Error::from(self).into_response(),
        };
        problem.into_response()
    }
}
