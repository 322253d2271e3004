//! Copies: filled from the owner's rows, then kept true by its events; rebuilt on request.

mod apply;
#[cfg(feature = "plant")]
mod late;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::install::derived;
use crate::pg::{ident, place};
use crate::subscription::Subscription;
use crate::transport::reader::Lines;

/// The name under which copies' cursors are kept.
pub(crate) const COPIES: &str = "copies";

/// Rows staged by one statement.
const STAGE_ROWS: usize = 2_000;

/// A copy and where its rows come from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The table here.
    pub name: String,
    /// The owner's table.
    pub table: String,
    /// Its topic.
    pub topic: String,
    /// The columns copied, the key included.
    pub columns: Vec<String>,
}

/// The copies that one producer feeds.
#[derive(Debug, Clone)]
pub struct Copies {
    /// Each of them.
    pub sources: Vec<Source>,
}

impl Copies {
    pub(crate) fn topics(&self) -> Vec<String> {
        self.sources.iter().map(|source| source.topic.clone()).collect()
    }

    /// Fills those that are empty, telling which.
    pub(crate) async fn fill(&self, of: &Subscription, tell: impl Fn(&str)) -> Result<(), Error> {
        for source in &self.sources {
            if !is_live(of, source).await? {
                tell(&source.name);
                fill(of, source).await?;
            }
        }
        Ok(())
    }

    /// False if one waits to be filled anew.
    pub(crate) async fn are_live(&self, of: &Subscription) -> Result<bool, Error> {
        for source in &self.sources {
            if !is_live(of, source).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[derive(Deserialize)]
struct Header {
    epoch: i32,
    position: i64,
    seen: i64,
    hash: String,
}

#[derive(Deserialize)]
struct Row<'a> {
    version: i64,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct End {
    rows: u64,
}

/// Whether the copy holds its owner's rows already.
async fn is_live(subscription: &Subscription, copy: &Source) -> Result<bool, Error> {
    let client = subscription.pool.get().await?;
    let statement = client
        .prepare_cached(&place(
            "select c.state = 'live'
                    and exists (select from freehold.cursor u
                                where (u.subscription, u.producer, u.topic) = ($2, c.producer, c.topic))
             from freehold.copy c
             where c.name = $1",
            &subscription.freehold,
        ))
        .await?;
    let row = client.query_opt(&statement, &[&copy.name, &COPIES]).await?;
    Ok(row.is_some_and(|row| row.get(0)))
}

/// Fills the copy, or fills it anew: afterwards it equals the owner's rows at a position of its log, and its cursor
/// stands there. Only rows that differ are touched, so readers of the copy never see it empty.
///
/// One transaction: until it commits, the copy is as it was; if it dies, nothing happened. Changes made at the owner
/// meanwhile have later positions, or older versions than what was read: the version gate absorbs the overlap.
async fn fill(subscription: &Subscription, copy: &Source) -> Result<(), Error> {
    let broken = |problem: String| Error::Feed {
        producer: subscription.peer.service.clone(),
        problem,
    };
    let sql = |text: &str| place(text, &subscription.freehold).into_owned();
    let function = |what: &str| format!("freehold.{}", ident::quote(&derived(what, &copy.name)));

    let mut client = subscription.pool.get().await?;
    let transaction = client.transaction().await?;
    transaction
        .batch_execute("set local statement_timeout = 0; set local idle_in_transaction_session_timeout = '60s'")
        .await?;
    // Two instances filling one staging table would mix their rows.
    transaction
        .execute(
            "select pg_advisory_xact_lock(hashtextextended($1, 0))",
            &[&format!("freehold:fill:{}:{}", subscription.freehold, copy.name)],
        )
        .await?;
    let mut lines = Lines::snapshot(&subscription.http, &subscription.peer, &copy.table, &copy.columns).await?;
    let Some(header) = lines.next().await? else {
        return Err(broken("an empty snapshot".to_owned()));
    };
    let header: Header = serde_json::from_slice(&header).map_err(|e| broken(e.to_string()))?;
    let hash = hex::decode(&header.hash).map_err(|e| broken(e.to_string()))?;

    let stage = transaction
        .prepare(&sql(&format!("select {}($1::text::json, $2)", function("stage"))))
        .await?;
    let mut staged = 0_u64;
    let mut data = String::from("[");
    let mut versions: Vec<i64> = Vec::with_capacity(STAGE_ROWS);
    loop {
        let Some(line) = lines.next().await? else {
            return Err(broken(format!("a snapshot cut short after {staged} rows")));
        };
        if let Ok(row) = serde_json::from_slice::<Row<'_>>(&line) {
            if versions.is_empty() {
                data.truncate(1);
            } else {
                data.push(',');
            }
            data.push_str(row.data.get());
            versions.push(row.version);
            staged += 1;
            if versions.len() < STAGE_ROWS {
                continue;
            }
        }
        if !versions.is_empty() {
            data.push(']');
            transaction.query_one(&stage, &[&data, &versions]).await?;
        }
        if versions.len() == STAGE_ROWS {
            versions.clear();
            continue;
        }
        let end: End = serde_json::from_slice(&line).map_err(|e| broken(e.to_string()))?;
        if end.rows != staged {
            return Err(broken(format!("a snapshot of {} rows brought {staged}", end.rows)));
        }
        break;
    }
    transaction
        .execute(&sql(&format!("select {}()", function("rebuild"))), &[])
        .await?;
    transaction
        .execute(
            &sql("select freehold.place_cursor($1, $2, $3, $4, $5, $6, $7)"),
            &[
                &COPIES,
                &subscription.peer.service,
                &copy.topic,
                &header.epoch,
                &header.position,
                &header.seen,
                &hash,
            ],
        )
        .await?;
    transaction.commit().await?;
    tracing::info!(
        copy = copy.name,
        rows = staged,
        position = header.position,
        "a copy was filled"
    );
    Ok(())
}
