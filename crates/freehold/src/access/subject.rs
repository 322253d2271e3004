//! The one who is asking, in a service's own routes: `async fn list(subject: Subject, State(app): State<App>) -> …`.

use std::fmt;

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::response::Response;
use uuid::Uuid;

use super::refusal;
use crate::app::App;
use crate::entity::execute::Who;
use crate::entity::problem::Problem;
use crate::pg::ident;

/// Who is asking: the subject of a token that this service has verified.
///
/// A route that takes one answers 401 without a valid token; one that takes `Option<Subject>` answers 401 for an invalid one only.
/// [`App::begin_as`] begins a transaction in which policies see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    id: Uuid,
    session: Option<String>,
}

impl Subject {
    /// A subject that the service vouches for itself: it has just checked a password, say.
    #[must_use]
    pub fn of(id: Uuid) -> Self {
        Self { id, session: None }
    }

    pub(super) fn of_session(id: Uuid, session: String) -> Self {
        Self {
            id,
            session: Some(session),
        }
    }

    /// The claim `sub`: the id of the account.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The claim `sid`: the session that the token belongs to; none without a token.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// What tells policies, until the transaction ends.
    pub(crate) fn set(&self) -> String {
        format!("set local fh.subject = {}", ident::literal(&self.id.to_string()))
    }
}

/// The id, as `freehold.subject()` gives it.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

impl<S> FromRequestParts<S> for Subject
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let asked = asked(parts, &App::from_ref(state)).await;
        let asked = asked.and_then(|subject| subject.ok_or_else(refusal::no_token));
        asked.map_err(|problem| refuse(problem, parts))
    }
}

impl<S> OptionalFromRequestParts<S> for Subject
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Response> {
        let asked = asked(parts, &App::from_ref(state)).await;
        asked.map_err(|problem| refuse(problem, parts))
    }
}

async fn asked(parts: &Parts, app: &App) -> Result<Option<Subject>, Problem> {
    match app.access() {
        Some(access) => access.subject(&parts.headers).await,
        None => Ok(None),
    }
}

fn refuse(problem: Problem, parts: &Parts) -> Response {
    refusal::note(&problem, Who::Nobody, &parts.method, parts.uri.path());
    problem.into_response()
}
