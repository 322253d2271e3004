//! The generated API over owned tables: every table a path, every row reachable, no code to write.
//!
//! A request passes through, in this order: `http` (which table, which method), [`query`] (the grammar of the query
//! string), `headers` and `guard` (what is preferred, what is demanded), then one of `read`, `insert`, `update`,
//! `upsert`, `remove`, each of which writes a statement with `sql` and runs it with `execute`. What goes wrong becomes
//! a [`problem::Problem`] in `fault`.
//!
//! A request is one prepared statement in autocommit; a transaction is opened only for a write that may have to be taken
//! back when its number of rows is known, or whose rows the service's own triggers may change (`settle`). JSON is built by
//! PostgreSQL and passed on as it is.

// Surface
mod http;
pub mod limits;
pub mod problem;
mod table;

// Request
mod body;
mod csv;
mod fields;
mod guard;
mod headers;
pub mod query;

// Work
mod change;
mod insert;
mod nest;
mod read;
mod remove;
mod returning;
mod settle;
mod show;
mod update;
mod upsert;

// Database
mod answer;
mod execute;
mod fault;
mod sql;

// Proof
#[cfg(test)]
mod never_panic;

use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use deadpool_postgres::Pool;
use freehold_manifest::model::Service;
use tokio::sync::Notify;

use crate::pg::catalog::Catalog;

/// What the API of one service stands on.
#[derive(Debug, Clone)]
pub struct Api {
    /// The manifest: which tables are owned, and how they may change.
    pub service: Service,
    /// The tables as the server has them; load it again after a migration.
    pub catalog: Catalog,
    /// Connections as the role of the service. Give them `statement_timeout` and `lock_timeout`, and read committed.
    pub pool: Pool,
    /// Notified after every write that may have been committed, also when its client has gone: wakes the sequencer.
    pub written: Arc<Notify>,
}

/// What every request shares.
struct Surface {
    tables: table::Tables,
    pool: Pool,
    shapes: execute::Shapes,
    written: Arc<Notify>,
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
    let surface = Surface {
        tables: table::assemble(&api.service, &api.catalog),
        pool: api.pool,
        shapes: execute::Shapes::default(),
        written: api.written,
    };
    Router::new()
        .route("/{table}", any(http::answer))
        .with_state(Arc::new(surface))
}
