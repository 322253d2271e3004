//! The generated API over owned tables: every table a path, every row reachable, no code to write.
//!
//! A request passes through, in this order: `receive` (all of it, within its limits), `manner` (by itself, with others,
//! on trial, or once for a key), `http` (which table, which method), [`query`] (the grammar of the query string),
//! `headers` and `guard` (what is preferred, what is demanded), then one of `read`, `insert`, `update`,
//! `upsert`, `remove`, each of which writes a statement with `sql` and runs it with `execute`. What goes wrong becomes
//! a [`problem::Problem`] in `fault`.
//!
//! A request is one prepared statement in autocommit; a transaction is opened only for a write that may have to be taken
//! back when its number of rows is known, or whose rows the service's own triggers may change (`settle`), or that `manner`
//! carries out together with something else (`session`). JSON is built by PostgreSQL and passed on as it is.

// Surface
pub(crate) mod cors;
pub(crate) mod gate;
mod http;
mod idempotency;
pub mod limits;
mod manner;
mod operations;
pub mod problem;
mod receive;
mod table;

// Request
mod body;
mod csv;
mod fields;
mod guard;
mod headers;
mod pairs;
mod percent;
pub mod query;

// Meaning
mod filter;
mod order;
mod plan;
mod relate;
mod select;
mod types;

// Work
mod change;
mod count;
mod form;
mod insert;
mod nest;
mod read;
mod remove;
mod returning;
mod rpc;
mod settle;
mod show;
mod update;
mod upsert;

// Database
mod answer;
mod attempts;
mod connection;
pub(crate) mod execute;
mod fault;
mod session;
mod shapes;
mod sql;

// Proof
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
#[cfg(test)]
mod never_panic;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::any;
use deadpool_postgres::Pool;
use freehold_manifest::model::{Limits, Service};
use tokio::sync::Notify;

use crate::access::{Access, Subject};
use crate::pg::catalog::Catalog;
use execute::Who;
use problem::Problem;
use table::Audience;

pub use idempotency::forget;

/// What the API of one service stands on.
#[derive(Debug, Clone)]
pub struct Api {
    /// The manifest: which tables are owned, and how they may change.
    pub service: Service,
    /// The tables as the server has them; load it again after a migration.
    pub catalog: Catalog,
    /// Connections as the role of the service. Give them `statement_timeout` and `lock_timeout`, and read committed.
    pub pool: Pool,
    /// The schema of the library's own tables.
    pub freehold: String,
    /// Notified after every write that may have been committed, also when its client has gone: wakes the sequencer.
    pub written: Arc<Notify>,
}

/// What every request of an audience shares.
struct Surface {
    tables: table::Tables,
    functions: rpc::Functions,
    limits: Limits,
    pool: Pool,
    shapes: Arc<shapes::Shapes>,
    keys: idempotency::Keys,
    written: Arc<Notify>,
}

/// Where a request comes in, and is told apart by who sent it.
struct Entrance {
    /// All that is served to anybody at all.
    whole: Surface,
    /// Who verifies tokens, and what is there without one; none where nobody is asked.
    asks: Option<(Access, Surface)>,
}

/// Who sent a request.
enum Asker {
    Unasked,
    Nobody,
    Subject(Subject),
}

impl Entrance {
    /// Finds out who is asking.
    ///
    /// # Errors
    /// A 401 for a token that is not valid, a 503 while that cannot be told.
    async fn ask(&self, headers: &HeaderMap) -> Result<Asker, Problem> {
        let Some((access, _)) = &self.asks else {
            return Ok(Asker::Unasked);
        };
        Ok(match access.subject(headers).await? {
            Some(subject) => Asker::Subject(subject),
            None => Asker::Nobody,
        })
    }

    /// What they may ask for. Nobody does not know of what is not public: it cannot be embedded, or named, either.
    fn admit<'e>(&'e self, asker: &'e Asker) -> (&'e Surface, Who<'e>) {
        match (asker, &self.asks) {
            (Asker::Subject(subject), _) => (&self.whole, Who::Subject(subject)),
            (Asker::Nobody, Some((_, public))) => (public, Who::Nobody),
            (Asker::Nobody | Asker::Unasked, _) => (&self.whole, Who::Unasked),
        }
    }
}

/// Wakes the sequencer when a write is over, however it ended: a wake-up too many costs a look, one too few a delay.
struct Wake<'s>(&'s Notify);

impl Drop for Wake<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// Serves every owned table under `/<table>`.
///
/// Paths of one segment that are no table answer 404 with the nearest name; a fixed path beside it (`/metrics`) in the
/// router this one is merged into goes first. An owned table that the catalog does not have is not served, and logged.
pub fn router(api: Api) -> Router {
    let whole = surface(&api, Audience::SignedIn, Arc::default());
    routes(Entrance { whole, asks: None })
}

/// As [`router`], for a service that asks who is asking.
pub(crate) fn asking(api: Api, access: Access) -> Router {
    let whole = surface(&api, Audience::SignedIn, Arc::default());
    let public = surface(&api, Audience::Anybody, Arc::clone(&whole.shapes));
    routes(Entrance {
        whole,
        asks: Some((access, public)),
    })
}

fn surface(api: &Api, audience: Audience, shapes: Arc<shapes::Shapes>) -> Surface {
    Surface {
        tables: table::assemble(&api.service, &api.catalog, audience),
        functions: rpc::assemble(&api.service, &api.catalog, audience),
        limits: api.service.api.limits.clone(),
        pool: api.pool.clone(),
        shapes,
        keys: idempotency::Keys::of(&api.freehold),
        written: Arc::clone(&api.written),
    }
}

fn routes(entrance: Entrance) -> Router {
    Router::new()
        .route("/{table}", any(http::answer))
        .route("/rpc/{function}", any(http::answer))
        .with_state(Arc::new(entrance))
}
