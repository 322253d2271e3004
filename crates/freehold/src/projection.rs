//! Projections: read models folded from streams or from the log, each with a checkpoint that moves in the transaction of the fold.
//!
//! What has a position is committed, and so is everything before it, so a checkpoint passes nothing over. A fold is a function
//! of this program, or one in SQL that the manifest names; which tables it fills, the database's search path says, and a
//! rebuild leads it to others of the same names. What the fold does to anything else it does again then.

mod rebuild;

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use freehold_manifest::model::{Follows, Projection, Timing};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::app::App;
use crate::effect::apart;
use crate::error::{Error, Result};
use crate::pg::{ident, place};
use crate::plant;
use crate::stream::{RecordedEvent, recorded};
use crate::tx::Tx;

/// Positions folded in one transaction while following; a crash repeats all of them.
const BATCH_MAX: i64 = 1_000;

/// The longest a fold of one batch may take: its rows are locked meanwhile.
const FOLD_MAX: Duration = Duration::from_secs(60);

/// The longest wait between two looks: an operator's order is seen this late. New events wake at once.
const POLL: Duration = Duration::from_millis(500);

/// The wait after a failure that may pass, so that a lost database is not asked in a tight loop.
const FAILURE_WAIT: Duration = Duration::from_millis(500);

/// The wait after a fault of the fold: only a new release or an operator helps.
const HALT_WAIT: Duration = Duration::from_secs(5);

/// A fold: `async fn(Vec<RecordedEvent>, &mut Tx) -> Result<()>`.
///
/// It names the projection's tables without their schema, reads and writes nothing but them, and gives the same rows for the same
/// events, however these are cut into batches.
pub trait OnEvents<'t>: Send + Sync {
    /// What it returns.
    type Future: Future<Output = Result<()>> + Send + 't;
    /// Calls it.
    fn call(&self, events: Vec<RecordedEvent>, tx: &'t mut Tx) -> Self::Future;
}

impl<'t, F, Fut> OnEvents<'t> for F
where
    F: Fn(Vec<RecordedEvent>, &'t mut Tx) -> Fut + Send + Sync,
    Fut: Future<Output = Result<()>> + Send + 't,
{
    type Future = Fut;
    fn call(&self, events: Vec<RecordedEvent>, tx: &'t mut Tx) -> Fut {
        self(events, tx)
    }
}

type FoldFn = Box<dyn for<'t> Fn(Vec<RecordedEvent>, &'t mut Tx) -> BoxFuture<'t, Result<()>> + Send + Sync>;

/// The folds of the service's program, by projection.
#[derive(Default)]
pub(crate) struct Projections(HashMap<&'static str, FoldFn>);

impl Projections {
    pub(crate) fn add(&mut self, name: &'static str, fold: impl for<'t> OnEvents<'t> + 'static) -> Option<()> {
        let boxed: FoldFn = Box::new(move |events, tx| Box::pin(fold.call(events, tx)));
        self.0.insert(name, boxed).map(|_| ())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

/// Which rows of a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generation {
    /// Those that readers see.
    Live,
    /// Those of a rebuild.
    Shadow,
}

impl Generation {
    const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Shadow => "shadow",
        }
    }
}

/// Whether there was something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Worked,
    Idle,
}

/// Keeps one projection true until dropped, and rebuilds it when that is ordered.
pub(crate) async fn run(app: App, of: Projection) {
    let mut ordered = match of.follows {
        Follows::Streams(_) => app.signals().ordered.subscribe(),
        Follows::Topics(_) => app.signals().head.subscribe(),
    };
    let mut halted = None;
    loop {
        // What is ordered from here on is seen by this turn, or wakes the next.
        ordered.borrow_and_update();
        match turn(&app, &of).await {
            Ok(Turn::Worked) => halted = None,
            Ok(Turn::Idle) => tokio::select! {
                _ = ordered.changed() => {}
                () = tokio::time::sleep(POLL) => {}
            },
            Err(error) if error.is_transient() => {
                tracing::debug!(projection = of.name, %error, "events cannot be folded and are folded again");
                tokio::time::sleep(FAILURE_WAIT).await;
            }
            Err(error) => {
                halt(&app, &of, error.told(), &mut halted).await;
                tokio::time::sleep(HALT_WAIT).await;
            }
        }
    }
}

/// A batch for readers, then one for a rebuild: neither waits for the other's end.
async fn turn(app: &App, of: &Projection) -> Result<Turn> {
    let (behind, rebuilt) = look(app, of).await?;
    let followed = match behind {
        true => follow(app, of).await,
        false => Ok(Turn::Idle),
    };
    let rebuilt = match rebuilt {
        true => rebuild::step(app, of).await,
        false => Ok(Turn::Idle),
    };
    match (followed, rebuilt?) {
        // A fault of the former rows does not hold up the rebuild that may mend it.
        (followed, Turn::Idle) => followed,
        (_, Turn::Worked) => Ok(Turn::Worked),
    }
}

/// One cheap question: whether readers see less than there is, and whether a rebuild is ordered.
async fn look(app: &App, of: &Projection) -> Result<(bool, bool)> {
    let client = app.pool().get().await?;
    let sql = place(
        "select exists (select from freehold.checkpoint c
                        where (c.projection, c.generation) = ($1, 'live') and c.position < freehold.head_of($1)),
                exists (select from freehold.checkpoint c where (c.projection, c.generation) = ($1, 'shadow'))",
        app.freehold(),
    );
    let statement = client.prepare_cached(&sql).await?;
    let row = client.query_one(&statement, &[&of.name]).await?;
    Ok((of.timing == Timing::AfterAppend && row.get::<_, bool>(0), row.get(1)))
}

/// Folds one batch for readers. The checkpoint is taken first, so no other instance is at the same events.
async fn follow(app: &App, of: &Projection) -> Result<Turn> {
    let mut tx = Tx::begin(app, None).await?;
    let Some(at) = take(&tx, of, Generation::Live).await? else {
        tx.rollback().await?;
        return Ok(Turn::Idle);
    };
    let upto = at.head.min(at.position + BATCH_MAX);
    fold(&mut tx, of, at.position, upto).await?;
    if plant::is("checkpoint-outside-transaction") {
        tx = apart(tx).await?;
    }
    advance(&tx, of, Generation::Live, at.position, upto).await?;
    tx.commit().await?;
    Ok(Turn::Worked)
}

/// Where a checkpoint stands, and where the events end.
struct Standing {
    position: i64,
    head: i64,
}

/// Takes a checkpoint to move it; none if there is none, or another instance is at it.
async fn take(tx: &Tx, of: &Projection, generation: Generation) -> Result<Option<Standing>> {
    let sql = tx.place("select t.position, t.head from freehold.take_checkpoint($1, $2) t");
    let row = tx.query_opt(&sql, &[&of.name, &generation.word()]).await?;
    Ok(row.map(|row| Standing {
        position: row.get(0),
        head: row.get(1),
    }))
}

async fn advance(tx: &Tx, of: &Projection, generation: Generation, after: i64, upto: i64) -> Result<()> {
    let sql = tx.place("select freehold.move_checkpoint($1, $2, $3, $4)");
    tx.query_one(&sql, &[&of.name, &generation.word(), &after, &upto])
        .await?;
    Ok(())
}

/// Folds the events after one position and up to another, where there are such.
async fn fold(tx: &mut Tx, of: &Projection, after: i64, upto: i64) -> Result<()> {
    let made = tokio::time::timeout(FOLD_MAX, AssertUnwindSafe(folded(tx, of, after, upto)).catch_unwind()).await;
    match made {
        Ok(Ok(made)) => made,
        Ok(Err(_)) => Err(Error::panicked()),
        Err(_) => {
            tx.cancel().await;
            Err(Error::Abandoned(format!("took longer than {FOLD_MAX:?}")))
        }
    }
}

async fn folded(tx: &mut Tx, of: &Projection, after: i64, upto: i64) -> Result<()> {
    let app = tx.app().clone();
    if let Some(function) = &of.fold {
        // Materialized: the events are written down once.
        let sql = format!(
            "with told as materialized (select freehold.events_between($1, $2, $3) as events)
             select {}(t.events) from told t where t.events is not null",
            ident::qualified(app.schema(), function)
        );
        tx.query(&tx.place(&sql), &[&of.name, &after, &upto]).await?;
        return Ok(());
    }
    let sql = tx.place(
        "select e.position, e.stream, e.key, e.version, e.event, e.schema, e.at, e.data::text
         from freehold.events_of($1, $2, $3) e
         order by e.position",
    );
    let rows = tx.query(&sql, &[&of.name, &after, &upto]).await?;
    let events = rows.iter().map(recorded).collect::<Result<Vec<_>>>()?;
    // Whether the program has it was compared at the start.
    match app.projections().0.get(of.name.as_str()) {
        Some(fold) if !events.is_empty() => fold(events, tx).await,
        _ => Ok(()),
    }
}

/// A fold that fails passes nothing over: the projection stands still, and says why, once for each reason.
async fn halt(app: &App, of: &Projection, error: String, told: &mut Option<String>) {
    if told.as_ref() == Some(&error) {
        return;
    }
    tracing::error!(
        projection = of.name,
        error,
        "a projection stands still: its fold failed, and is tried again"
    );
    match write_halt(app, of, &error).await {
        Ok(()) => *told = Some(error),
        Err(error) => tracing::debug!(%error, "why a projection stands still could not be written down"),
    }
}

async fn write_halt(app: &App, of: &Projection, error: &str) -> Result<()> {
    let client = app.pool().get().await?;
    let sql = place("select freehold.halt_projection($1, $2)", app.freehold());
    client.query_one(&*sql, &[&of.name, &error]).await?;
    Ok(())
}
