//! Writes the sample rows that are not there yet.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::api::{Api, Call, SHOW_NOTHING};

/// Rows per request. A request is one transaction, and fifty ids fit well into a URL.
const BATCH: usize = 50;
/// How long a row may be refused because the service has not heard of what it refers to. Copies normally arrive within
/// milliseconds; past this the feed between the services is not running.
pub const COPY_WAIT_MAX: Duration = Duration::from_secs(30);
/// First pause before a refused request is sent again; doubled each time up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_millis(50);
/// Longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Unprocessable: what a service answers to a row that refers to something it has no copy of.
pub const UNKNOWN_REFERENCE: u16 = 422;
/// Service unavailable: what a service answers while a copy is still being filled.
const NOT_FILLED: u16 = 503;
/// Conflict: another row has this mail address, SKU or order number.
const ALREADY_THERE: u16 = 409;

/// Writes those of `rows` whose id the table does not have, and tells `progress` how many are done.
///
/// Returns how many were written. Stopping half way does no harm: each batch is one transaction, and the next run
/// goes on with what is missing.
///
/// # Errors
/// When the service cannot be reached, refuses a row for another reason, or has not heard of what a row refers to
/// within [`COPY_WAIT_MAX`].
pub async fn write_missing(api: &Api, table: &str, rows: &[Value], mut progress: impl FnMut(usize)) -> Result<usize> {
    let mut written = 0;
    for (number, batch) in rows.chunks(BATCH).enumerate() {
        let there = existing(api, table, batch).await?;
        let missing: Vec<_> = batch
            .iter()
            .filter(|row| row["id"].as_str().is_none_or(|id| !there.contains(id)))
            .cloned()
            .collect();
        if !missing.is_empty() {
            written += missing.len();
            write(api, table, missing).await?;
        }
        progress(number * BATCH + batch.len());
    }
    Ok(written)
}

/// Posts rows, again and again while the service has no copy of what they refer to.
async fn write(api: &Api, table: &str, rows: Vec<Value>) -> Result<()> {
    let call = Call::post(table, Value::Array(rows)).with(SHOW_NOTHING);
    let begun = Instant::now();
    let mut pause = PAUSE_FIRST;
    loop {
        let answer = api.send(&call).await?;
        if answer.is_success() {
            return Ok(());
        }
        if answer.status == ALREADY_THERE {
            bail!(
                "{table} refused a row, {}; was the shop filled with another --seed or other amounts before?",
                answer.summary()
            );
        }
        if !is_early(answer.status) {
            bail!("{table} refused a row, {}", answer.summary());
        }
        if begun.elapsed() > COPY_WAIT_MAX {
            bail!(
                "{table} still refuses a row after {} s, {}; /health/ready of each service says which copies are behind",
                COPY_WAIT_MAX.as_secs(),
                answer.summary()
            );
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// The ids of `rows` that the table has.
async fn existing(api: &Api, table: &str, rows: &[Value]) -> Result<HashSet<String>> {
    let ids: Vec<_> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    let answer = api
        .send(&Call::get(format!("{table}?id=in.({})&select=id", ids.join(","))))
        .await?;
    match &answer.body {
        Value::Array(found) if answer.is_success() => Ok(found
            .iter()
            .filter_map(|row| row["id"].as_str())
            .map(str::to_owned)
            .collect()),
        _ => bail!("{table} could not be read, {}", answer.summary()),
    }
}

/// Whether a refusal may only mean that a copy has not caught up yet.
#[must_use]
pub fn is_early(status: u16) -> bool {
    status == UNKNOWN_REFERENCE || status == NOT_FILLED
}
