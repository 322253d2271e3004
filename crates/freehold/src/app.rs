//! A running service as its own code sees it: routes begin transactions on it, tasks share it.

use std::collections::HashMap;
use std::sync::Arc;

use deadpool_postgres::Pool;
use freehold_manifest::model;

use crate::access::{Access, Subject};
use crate::error::Result;
use crate::handler::Handlers;
use crate::projection::Projections;
use crate::saga::Runnable;
use crate::sequencer::Signals;
use crate::trace;
use crate::tx::{Behalf, Tx};

/// The service, for its own routes: `State(app): State<App>`.
#[derive(Clone)]
pub struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) service: model::Service,
    pub(crate) pool: Pool,
    pub(crate) schema: String,
    pub(crate) freehold: String,
    pub(crate) signals: Signals,
    pub(crate) handlers: Handlers,
    pub(crate) projections: Projections,
    pub(crate) sagas: HashMap<&'static str, Box<dyn Runnable>>,
    pub(crate) constraints: Constraints,
    /// Who verifies tokens; none where nobody is asked.
    pub(crate) access: Option<Access>,
}

/// Whether a table of the service has a constraint that may wait for the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Constraints {
    /// One has: each message's part of a transaction asks them at its end, to answer for its own violations.
    Wait,
    /// None has.
    Immediate,
}

impl App {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Begins a transaction on nobody's behalf: of tables with row level security it sees and writes what the policies allow everybody.
    /// It belongs to the request's trace, if there is a request.
    ///
    /// # Errors
    /// [`Error::Pool`](crate::Error::Pool) when no connection comes free in time, [`Error::Postgres`](crate::Error::Postgres)
    /// when the database does not answer.
    pub async fn begin(&self) -> Result<Tx> {
        Tx::begin_for(self, trace::current(), Behalf::Nobody).await
    }

    /// Begins a transaction on behalf of who is asking: policies see it as `freehold.subject()`.
    ///
    /// # Errors
    /// As [`begin`](App::begin).
    pub async fn begin_as(&self, subject: &Subject) -> Result<Tx> {
        Tx::begin_for(self, trace::current(), Behalf::Subject(subject)).await
    }

    /// Begins a transaction of the service itself, as handlers, sagas and what is due have it: policies do not hold it.
    ///
    /// # Errors
    /// As [`begin`](App::begin).
    pub async fn begin_as_service(&self) -> Result<Tx> {
        Tx::begin_for(self, trace::current(), Behalf::Service).await
    }

    /// The service's manifest.
    #[must_use]
    pub fn service(&self) -> &model::Service {
        &self.0.service
    }

    pub(crate) fn access(&self) -> Option<&Access> {
        self.0.access.as_ref()
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// The schema of the service's own tables.
    pub(crate) fn schema(&self) -> &str {
        &self.0.schema
    }

    pub(crate) fn freehold(&self) -> &str {
        &self.0.freehold
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.0.signals
    }

    pub(crate) fn handlers(&self) -> &Handlers {
        &self.0.handlers
    }

    pub(crate) fn projections(&self) -> &Projections {
        &self.0.projections
    }

    pub(crate) fn constraints(&self) -> Constraints {
        self.0.constraints
    }

    pub(crate) fn saga(&self, name: &str) -> Option<&dyn Runnable> {
        self.0.sagas.get(name).map(|saga| &**saga)
    }

    pub(crate) fn sagas(&self) -> impl Iterator<Item = &dyn Runnable> {
        self.0.sagas.values().map(|saga| &**saga)
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("service", &self.0.service.name)
            .finish_non_exhaustive()
    }
}
