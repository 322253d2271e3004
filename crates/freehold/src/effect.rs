//! Messages take effect: the cursor moves, handlers run, consequences are written, all in one transaction.
//!
//! A fault is the message's own: what its handler did is undone, its key is set aside in `parked`, and the others of the batch
//! go on. A transient failure is nobody's: the whole batch is done again.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use crate::access;
use crate::app::App;
use crate::error::{Error, Result};
use crate::interfere;
use crate::message::{Message, Received};
use crate::parked;
use crate::pg::place;
use crate::plant;
use crate::saga::{orchestrator, participant};
use crate::subscription::{Cursors, Heard};
use crate::tx::Tx;

/// Messages handled in one transaction; a crash repeats all of them. Each is a subtransaction, and a saga's
/// step in it another; PostgreSQL keeps 64 of them in the place where every snapshot looks.
const BATCH_MAX: usize = 30;

/// The longest a handler may take: it holds locks, and the messages behind it wait.
pub(crate) const HANDLER_MAX: Duration = Duration::from_secs(30);

/// Attempts of one batch that lost a deadlock or a serialization conflict, before the stream is opened anew.
const CONFLICTS_MAX: u32 = 20;

/// The name under which handlers' cursors are kept.
pub(crate) const HANDLERS: &str = "handlers";

/// What one producer's messages do here.
#[derive(Debug, Clone)]
pub struct Handling {
    pub(crate) app: App,
    pub(crate) producer: String,
    pub(crate) topics: Vec<String>,
}

impl Handling {
    /// Handles what was heard, batch by batch, moving the cursors with each.
    pub(crate) async fn take(&self, heard: &Heard<'_>, cursors: &mut Cursors) -> Result<()> {
        let mut rest = heard.messages.as_slice();
        loop {
            let (batch, behind) = rest.split_at(rest.len().min(BATCH_MAX));
            let upto = match (behind.is_empty(), batch.last()) {
                (false, Some(last)) => last.position,
                _ => heard.upto,
            };
            self.batch_until_it_holds(batch, upto, cursors).await?;
            cursors.advance(upto, batch);
            rest = behind;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    async fn batch_until_it_holds(&self, batch: &[&Message<'_>], upto: i64, cursors: &Cursors) -> Result<()> {
        let mut attempt = 0;
        loop {
            match self.batch(batch, upto, cursors).await {
                Err(error) if error.is_conflict() && attempt < CONFLICTS_MAX => {
                    attempt += 1;
                    let pause = Duration::from_millis(2 << attempt.min(7));
                    tokio::time::sleep(pause.mul_f64(fastrand::f64())).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn batch(&self, batch: &[&Message<'_>], upto: i64, cursors: &Cursors) -> Result<()> {
        let mut tx = Tx::begin(&self.app, None).await?;
        let cursor_last = plant::is("cursor-outside-transaction");
        // First of all: it locks the cursors, so no other instance can be at the same messages.
        if !cursor_last {
            cursors.write(&tx, HANDLERS, &self.producer, upto, batch).await?;
        }
        if plant::is("acknowledge-before-effect") {
            tx = apart(tx).await?;
        }
        for [topic, kind, key, body] in plant::kept() {
            let sql = tx.place("select freehold.send($1, $2, $3, $4::text::json)");
            tx.query_one(&sql, &[&topic, &kind, &key, &body]).await?;
        }
        let keys: HashSet<(&str, &str)> = batch.iter().map(|m| (&*m.topic, &*m.subject)).collect();
        let mut aside = parked::among(&tx, &self.producer, &keys).await?;
        for message in batch {
            let received = Arc::new(Received::of(&self.producer, message));
            let key = (received.topic.clone(), received.subject.clone());
            if aside.contains(&key) {
                parked::follow(&tx, &received).await?;
            } else if let Err(fault) = handled(&mut tx, &received).await? {
                tracing::warn!(
                    producer = self.producer,
                    topic = received.topic,
                    key = received.subject,
                    position = received.position,
                    error = %fault,
                    "a message could not be handled: its key is set aside and tried again"
                );
                parked::set_aside(&tx, &received, &fault).await?;
                aside.insert(key);
            }
        }
        if cursor_last {
            tx = apart(tx).await?;
            cursors.write(&tx, HANDLERS, &self.producer, upto, batch).await?;
        }
        tx.commit().await
    }

    /// Where a topic begins that was never heard before: at the first position, so nothing is missed.
    pub(crate) async fn begin(&self, epoch: i32) -> Result<()> {
        let client = self.app.pool().get().await?;
        let sql = place(
            "select freehold.begin_cursor($1, $2, t.topic, $3)
             from unnest($4::text[]) as t(topic)",
            self.app.freehold(),
        );
        client
            .query(&*sql, &[&HANDLERS, &self.producer, &epoch, &self.topics])
            .await?;
        Ok(())
    }
}

/// A planted defect: two transactions where one should be.
pub(crate) async fn apart(tx: Tx) -> Result<Tx> {
    let app = tx.app().clone();
    tx.commit().await?;
    plant::gap().await;
    Tx::begin(&app, None).await
}

/// Handles one message in a part of the transaction of its own. The outer error is transient: nothing of the transaction may
/// stand. The inner one is the message's fault, and undone.
pub(crate) async fn handled(tx: &mut Tx, received: &Arc<Received>) -> Result<Result<()>> {
    tx.enter(Arc::clone(received)).await?;
    let made = tokio::time::timeout(HANDLER_MAX, AssertUnwindSafe(dispatch(tx, received)).catch_unwind()).await;
    let made = match made {
        Ok(Ok(Ok(()))) => tx.leave().await,
        Ok(Ok(Err(error))) => Err(error),
        Ok(Err(_)) => Err(Error::panicked()),
        Err(_) => {
            tx.cancel().await;
            Err(Error::Abandoned(format!("took longer than {HANDLER_MAX:?}")))
        }
    };
    match made {
        Ok(()) => Ok(Ok(())),
        Err(error) if error.is_transient() => Err(error),
        Err(error) => {
            tx.undo().await?;
            Ok(Err(error))
        }
    }
}

async fn dispatch(tx: &mut Tx, received: &Arc<Received>) -> Result<()> {
    let app = tx.app().clone();
    let name = &app.service().name;
    match received.topic.strip_prefix(name.as_str()) {
        Some(".commands") => participant::obey(tx, received).await,
        Some(".replies") => orchestrator::replied(tx, received).await,
        _ => {
            interfere::heard(&received.kind);
            if app.access().is_some_and(|access| access.is_end(&received.kind)) {
                access::end(tx, received.data.get()).await?;
            }
            app.handlers().event(received, tx).await
        }
    }
}
