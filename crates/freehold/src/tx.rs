//! A transaction of the service's database, with what must be atomic as its methods.
//!
//! Who began it commits. Dropped without a commit, its connection is closed and PostgreSQL rolls back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::Object;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::access::{self, Subject};
use crate::app::{App, Constraints};
use crate::error::{Error, Result};
use crate::interfere::{self, statement};
use crate::message::Received;
use crate::pg::{ident, place};
use crate::position::Position;

/// A transaction: queries as in `tokio-postgres`, and [`publish`](Tx::publish), [`start`](Tx::start), [`after`](Tx::after).
pub struct Tx {
    client: Option<Object>,
    app: App,
    received: Option<Arc<Received>>,
    trace: Option<String>,
    reason: Option<String>,
    /// Whether a saga could not be started: what was begun of it must not stand.
    doomed: bool,
    /// Whether something was written that is due at once.
    due: AtomicBool,
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx")
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

/// On whose behalf a transaction is made, as policies see it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Behalf<'s> {
    /// Nobody's: a route that says nothing else.
    Nobody,
    /// Of who is asking.
    Subject(&'s Subject),
    /// The service's own: policies do not hold it.
    Service,
}

impl Behalf<'_> {
    /// For this transaction only.
    fn set(self) -> String {
        match self {
            Self::Nobody => String::new(),
            Self::Subject(subject) => format!("; {}", subject.set()),
            Self::Service => "; set local fh.service = 'on'".to_owned(),
        }
    }
}

impl Tx {
    /// Begins a transaction of the service itself.
    pub(crate) async fn begin(app: &App, trace: Option<String>) -> Result<Self> {
        Self::begin_for(app, trace, Behalf::Service).await
    }

    pub(crate) async fn begin_for(app: &App, trace: Option<String>, behalf: Behalf<'_>) -> Result<Self> {
        let client = app.pool().get().await?;
        let tx = Self {
            client: Some(client),
            app: app.clone(),
            received: None,
            trace,
            reason: None,
            doomed: false,
            due: AtomicBool::new(false),
        };
        interfere::begins();
        tx.run(&format!("begin{}{}", behalf.set(), tx.set_trace())).await?;
        Ok(tx)
    }

    /// The message being handled; none outside a handler.
    #[must_use]
    pub fn received(&self) -> Option<&Received> {
        self.received.as_deref()
    }

    /// Why the saga turned round whose step is being undone; none outside a compensation.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    pub(crate) fn set_reason(&mut self, reason: Option<String>) {
        self.reason = reason;
    }

    /// The trace this work belongs to, as a W3C `traceparent`; what is published carries it on.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.trace.as_deref()
    }

    /// Runs a query and returns its rows. The statement is prepared once per connection.
    ///
    /// # Errors
    /// [`Error::Postgres`]; the transaction can then only be rolled back, which the library does for a handler.
    pub async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let client = self.client()?;
        let prepared = client.prepare_cached(sql).await?;
        Ok(statement(client.query(&prepared, parameters)).await?)
    }

    /// Runs a query that gives exactly one row.
    ///
    /// # Errors
    /// [`Error::Postgres`], also for no row or several.
    pub async fn query_one(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        let client = self.client()?;
        let prepared = client.prepare_cached(sql).await?;
        Ok(statement(client.query_one(&prepared, parameters)).await?)
    }

    /// Runs a query that gives one row or none.
    ///
    /// # Errors
    /// [`Error::Postgres`], also for several rows.
    pub async fn query_opt(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        let client = self.client()?;
        let prepared = client.prepare_cached(sql).await?;
        Ok(statement(client.query_opt(&prepared, parameters)).await?)
    }

    /// Runs a statement and returns how many rows it touched.
    ///
    /// # Errors
    /// [`Error::Postgres`].
    pub async fn execute(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        let client = self.client()?;
        let prepared = client.prepare_cached(sql).await?;
        Ok(statement(client.execute(&prepared, parameters)).await?)
    }

    /// The connection itself, for what the methods here do not offer. It is inside the transaction: do not end that.
    ///
    /// # Errors
    /// [`Error::Gone`] when the connection was given up.
    pub fn client(&self) -> Result<&Object> {
        self.client.as_ref().ok_or(Error::Gone)
    }

    /// Makes everything of this transaction take effect, and wakes what carries it on.
    ///
    /// # Errors
    /// [`Error::Postgres`]: nothing took effect, unless the connection was lost in the very commit; then it is not known.
    pub async fn commit(mut self) -> Result<()> {
        self.stands()?;
        // The connection goes back to the pool only when it is known to be outside the transaction: whatever else ends this,
        // an error or the caller's own end, drops it.
        let client = self.client()?;
        // A failed transaction would answer COMMIT with a rollback and no error.
        let commit = async { tokio::join!(client.batch_execute("select"), client.batch_execute("commit")) };
        let (sound, committed) = statement(commit).await;
        sound.and(committed)?;
        drop(self.client.take());
        interfere::committed()?;
        self.app.signals().written.notify_one();
        if self.due.load(Ordering::Relaxed) {
            self.app.signals().due.notify_one();
        }
        Ok(())
    }

    /// As [`commit`](Tx::commit), and names what the transaction published. A route answers it (it is a part of an axum answer), and
    /// a client that sends it to another service as `Freehold-At-Least` reads there what followed from it.
    ///
    /// # Errors
    /// As [`commit`](Tx::commit).
    pub async fn commit_at(self) -> Result<Position> {
        let sql = self.place("select pg_current_xact_id()::text, epoch from freehold.log_head");
        let row = self.query_one(&sql, &[]).await?;
        let transaction: String = row.get(0);
        let transaction = transaction.parse().map_err(Error::other)?;
        let position = Position::new(&self.app.service().name, row.get(1), transaction);
        self.commit().await?;
        Ok(position)
    }

    /// Gives everything of this transaction up.
    ///
    /// # Errors
    /// [`Error::Postgres`] when the connection was lost, which gives it up too.
    pub async fn rollback(mut self) -> Result<()> {
        self.run("rollback").await?;
        drop(self.client.take());
        Ok(())
    }

    /// Publishes a fact under its key, in this transaction; returns the key's new version.
    ///
    /// Facts of one key are heard in the order of their transactions. The manifest must list the event in `publishes`.
    ///
    /// # Errors
    /// [`Error::Postgres`] with FH005 when it does not; what a constraint of the outbox says when it is too large.
    pub async fn publish<E: crate::handler::Event>(&mut self, key: impl std::fmt::Display, event: &E) -> Result<i64> {
        let sql = self.place("select freehold.emit($1, $2, $3::text::json)");
        let payload = serde_json::to_string(event)?;
        let row = self.query_one(&sql, &[&E::NAME, &key.to_string(), &payload]).await?;
        // The service that ends sessions hears of it from nobody.
        if self.app.access().is_some_and(|access| access.is_end(E::NAME)) {
            access::end(self, &payload).await?;
        }
        Ok(row.get(0))
    }

    /// What follows belongs to this trace.
    pub(crate) async fn follow(&mut self, trace: Option<String>) -> Result<()> {
        self.trace = trace;
        let sql = self.set_trace();
        self.run(sql.trim_start_matches("; ")).await
    }

    /// Something was written that is due as soon as this is committed.
    pub(crate) fn due_at_once(&self) {
        self.due.store(true, Ordering::Relaxed);
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// A statement of the library's own in the service's placement.
    pub(crate) fn place<'s>(&self, sql: &'s str) -> std::borrow::Cow<'s, str> {
        place(sql, self.app.freehold())
    }

    /// Opens the part of this transaction that handles one message, under that message's trace.
    pub(crate) async fn enter(&mut self, received: Arc<Received>) -> Result<()> {
        self.trace.clone_from(&received.traceparent);
        self.received = Some(received);
        let sql = format!("savepoint message{}", self.set_trace());
        self.run(&sql).await
    }

    /// Closes that part: what it did stands or falls with the transaction. Constraints that wait for the commit are asked
    /// now, so that this message answers for its own violations.
    pub(crate) async fn leave(&mut self) -> Result<()> {
        self.stands()?;
        self.received = None;
        let sql = match self.app.constraints() {
            Constraints::Wait => {
                "set constraints all immediate; release savepoint message; set constraints all deferred"
            }
            Constraints::Immediate => "release savepoint message",
        };
        self.run(sql).await
    }

    /// A saga could not be started, and something of it may have been written: this transaction cannot be committed.
    pub(crate) fn doom(&mut self) {
        self.doomed = true;
    }

    fn stands(&self) -> Result<()> {
        match self.doomed {
            false => Ok(()),
            true => Err(Error::other(
                "a saga could not be started in this transaction: it can only be rolled back",
            )),
        }
    }

    /// Undoes what that part did so far, and stays in it.
    pub(crate) async fn rewind(&mut self) -> Result<()> {
        self.doomed = false;
        let sql = format!("rollback to savepoint message{}", self.set_trace());
        self.run(&sql).await
    }

    /// Undoes that part, whatever state it is in.
    pub(crate) async fn undo(&mut self) -> Result<()> {
        self.received = None;
        self.reason = None;
        self.doomed = false;
        let sql = "rollback to savepoint message; release savepoint message";
        self.run(sql).await
    }

    /// Runs something in a part of its own, which is undone when it fails.
    pub(crate) async fn part(&mut self, name: Part) -> Result<()> {
        self.run(name.statement(self.app.constraints())).await
    }

    /// Asks the server to give up the statement that an abandoned function was waiting for.
    pub(crate) async fn cancel(&self) {
        if let Ok(client) = self.client() {
            let asked = client.cancel_token().cancel_query(tokio_postgres::NoTls).await;
            if let Err(error) = asked {
                tracing::debug!(%error, "a statement could not be cancelled");
            }
        }
    }

    /// Runs a statement of the transaction's own frame.
    async fn run(&self, sql: &str) -> Result<()> {
        Ok(statement(self.client()?.batch_execute(sql)).await?)
    }

    fn set_trace(&self) -> String {
        match &self.trace {
            Some(trace) => format!("; set local fh.traceparent = {}", ident::literal(trace)),
            None => "; set local fh.traceparent = ''".to_owned(),
        }
    }
}

/// The part of a transaction in which a saga's step is made.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// Before it.
    Begin,
    /// It stands.
    Keep,
    /// It is undone.
    Undo,
}

impl Part {
    fn statement(self, constraints: Constraints) -> &'static str {
        match (self, constraints) {
            (Self::Begin, _) => "savepoint step",
            (Self::Keep, Constraints::Wait) => {
                "set constraints all immediate; release savepoint step; set constraints all deferred"
            }
            (Self::Keep, Constraints::Immediate) => "release savepoint step",
            (Self::Undo, _) => "rollback to savepoint step; release savepoint step",
        }
    }
}

impl Drop for Tx {
    /// A connection inside a transaction does not go back to the pool.
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}
