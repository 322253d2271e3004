//! Who is asking: every service verifies the tokens it is shown by itself, with keys that the system's auth service publishes.
//!
//! No request waits for another service. Keys are fetched in the background ([`keys`]), and so are the subjects whose sessions have
//! ended ([`ended`]); a token is checked against both in memory ([`token`]). What comes of it is a [`Subject`], which the
//! transactions of the request are begun with, and which row level security sees as `freehold.subject()`.

mod ended;
mod keys;
pub(crate) mod refusal;
mod subject;
mod token;

use std::sync::Arc;

use axum::http::HeaderMap;
use deadpool_postgres::Pool;
use freehold_manifest::model::sessions_ended;

use crate::entity::problem::Problem;
use crate::error::{Error, Result};
use crate::pg::place;
use crate::settings::Auth;
use ended::Ended;
use keys::{Found, Keys};
use token::Expected;

pub(crate) use ended::end;
pub use subject::Subject;

/// What a service needs to tell who is asking.
#[derive(Clone)]
pub(crate) struct Access(Arc<Inner>);

struct Inner {
    expected: Expected,
    keys: Keys,
    ended: Ended,
    /// The event that ends a subject's sessions.
    event: String,
}

impl Access {
    /// With the sessions that have ended so far; keys come when [`Access::run`] runs.
    ///
    /// # Errors
    /// [`Error::Setting`] when the service was installed for another issuer; [`Error::Postgres`] when the database cannot be asked.
    pub(crate) async fn open(auth: &Auth, pool: &Pool, freehold: &str) -> Result<Self> {
        let access = Self(Arc::new(Inner {
            expected: Expected::of(auth),
            keys: Keys::at(&auth.jwks)?,
            ended: Ended::default(),
            event: sessions_ended(&auth.service),
        }));
        access.0.ended.load(pool, freehold).await?;
        Ok(access)
    }

    /// Keeps keys and ended sessions up to date; runs until dropped.
    pub(crate) async fn run(self, pool: Pool, freehold: String) {
        tokio::join!(self.0.keys.run(), self.0.ended.run(pool, freehold));
    }

    /// Whose token the request came with; none if it came without one.
    ///
    /// # Errors
    /// A 401 for a token that is not valid, for whatever reason; a 503 while no key is known to tell it by.
    pub(crate) async fn subject(&self, headers: &HeaderMap) -> Result<Option<Subject>, Problem> {
        let Some(token) = token::bearer(headers)? else {
            return Ok(None);
        };
        let head = token::head(token)?;
        let key = match self.0.keys.find(&head.kid).await {
            Found::Key(key) => key,
            Found::Unknown => return Err(refusal::invalid("no key of this system has signed the token")),
            Found::NoKeys => return Err(refusal::no_keys()),
        };
        let claims = token::claims(token, &head, &key, &self.0.expected)?;
        if self.0.ended.refuses(claims.subject, claims.issued) {
            return Err(refusal::ended());
        }
        Ok(Some(Subject::of_session(claims.subject, claims.session)))
    }

    /// Whether an event ends sessions: the library hears it itself.
    pub(crate) fn is_end(&self, event: &str) -> bool {
        self.0.event == event
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("expected", &self.0.expected)
            .finish_non_exhaustive()
    }
}

/// Compares what the process was told with what its database was installed for.
///
/// A service that serves without asking what others own is not started by a variable that was forgotten.
///
/// # Errors
/// [`Error::Setting`] when they differ.
pub(crate) async fn check_installed(auth: Option<&Auth>, pool: &Pool, freehold: &str) -> Result<()> {
    let sql = place("select i.issuer from freehold.issuer i", freehold);
    let row = pool.get().await?.query_opt(&*sql, &[]).await?;
    let installed: Option<String> = row.map(|row| row.get(0));
    let told = auth.map(|auth| auth.issuer.as_str());
    let problem = match (installed.as_deref(), told) {
        (installed, told) if installed == told => return Ok(()),
        (Some(installed), None) => {
            format!("is not set, but the service was installed to ask for tokens of {installed}")
        }
        (None, Some(_)) => "is set, but the service was installed to ask nobody; run `freehold migrate`".to_owned(),
        (Some(installed), Some(_)) => format!("is not {installed}, whose tokens the service was installed to ask for"),
        (None, None) => return Ok(()),
    };
    Err(Error::Setting {
        name: "FREEHOLD_AUTH_ISSUER".to_owned(),
        problem,
    })
}
