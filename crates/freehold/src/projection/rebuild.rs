//! A projection folded anew from the first event, while writes go on and readers see the former rows.
//!
//! Shadows of its tables are filled batch by batch, each with the shadow's checkpoint in one transaction: a process that dies
//! goes on where it stopped. The last batch, the comparison row by row and the live checkpoint are one transaction, so readers see
//! the projection as it was at one position or as it is at a later one.

use std::time::Duration;

use freehold_manifest::model::{Projection, Timing};
use freehold_manifest::names::shadow_of;

use super::{Generation, Standing, Turn, advance, fold, take};
use crate::app::App;
use crate::error::Result;
use crate::pg::{ident, place};
use crate::plant;
use crate::tx::Tx;

/// Positions folded in one transaction of a rebuild; nobody waits for its rows, and a crash repeats all of it. Also what may be
/// left to the last one, for which appends to a projection of `with_append` wait.
const BATCH_MAX: i64 = 5_000;

/// The longest that the end of a rebuild waits for appends that are under way; others wait behind it meanwhile.
const APPENDS_WAIT: Duration = Duration::from_secs(2);

/// Events ordered at a time.
const ORDER_MAX: i32 = 10_000;

/// One batch of a rebuild, or its end.
pub(super) async fn step(app: &App, of: &Projection) -> Result<Turn> {
    let mut tx = Tx::begin(app, None).await?;
    let Some(at) = take(&tx, of, Generation::Shadow).await? else {
        tx.rollback().await?;
        return Ok(Turn::Idle);
    };
    lead_to_shadow(&tx).await?;
    if at.head - at.position > BATCH_MAX {
        let upto = at.position + BATCH_MAX;
        fold(&mut tx, of, at.position, upto).await?;
        advance(&tx, of, Generation::Shadow, at.position, upto).await?;
        tx.commit().await?;
        return Ok(Turn::Worked);
    }
    finish(tx, of, at).await
}

/// From here on the fold finds the shadows where the tables were.
async fn lead_to_shadow(tx: &Tx) -> Result<()> {
    let (shadow, schema) = (shadow_of(tx.app().freehold()), tx.app().schema());
    let path = format!(
        "set local search_path = {}, {}",
        ident::quote(&shadow),
        ident::quote(schema)
    );
    tx.client()?.batch_execute(&path).await?;
    Ok(())
}

async fn finish(mut tx: Tx, of: &Projection, at: Standing) -> Result<Turn> {
    let head = match of.timing {
        Timing::AfterAppend => {
            // Locked until the end: nothing is folded for readers meanwhile.
            let Some(live) = take(&tx, of, Generation::Live).await? else {
                tx.rollback().await?;
                return Ok(Turn::Worked);
            };
            live.head
        }
        Timing::WithAppend => hold_appends(&tx, of).await?,
    };
    let mut after = at.position;
    while after < head && !plant::is("swap-before-catch-up") {
        let upto = head.min(after + BATCH_MAX);
        fold(&mut tx, of, after, upto).await?;
        after = upto;
    }
    // The comparison takes as long as the tables are large.
    tx.client()?.batch_execute("set local statement_timeout = 0").await?;
    let sql = tx.place("select freehold.end_rebuild($1, $2)");
    let touched: i64 = tx.query_one(&sql, &[&of.name, &head]).await?.get(0);
    tx.commit().await?;
    tracing::info!(
        projection = of.name,
        position = head,
        rows = touched,
        "a projection was rebuilt"
    );
    Ok(Turn::Worked)
}

/// Waits for the appends to the projection's streams that are under way, holds later ones back until this transaction ends, and
/// gives the former their positions; returns the last.
async fn hold_appends(tx: &Tx, of: &Projection) -> Result<i64> {
    let limit = format!("set local lock_timeout = {}", APPENDS_WAIT.as_millis());
    tx.client()?.batch_execute(&limit).await?;
    let sql = tx.place("select pg_advisory_xact_lock(freehold.projection_lock($1))");
    tx.query_one(&sql, &[&of.name]).await?;
    // In a transaction of their own: the order's lock is not held until this one ends.
    let app = tx.app();
    let client = app.pool().get().await?;
    let sql = place("select freehold.order_events($1)", app.freehold());
    while client.query_one(&*sql, &[&ORDER_MAX]).await?.get::<_, i32>(0) == ORDER_MAX {}
    let sql = tx.place("select position from freehold.stream_head");
    Ok(tx.query_one(&sql, &[]).await?.get(0))
}
