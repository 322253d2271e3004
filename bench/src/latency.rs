//! Commit at the owner to visible at the copy, at a steady rate of writes. Both moments are commit timestamps of one
//! server, so there is one clock.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use crate::report;
use crate::stage::Stage;

/// Writes per second, past the service: plain SQL that the sequencer must find by itself.
const RATE: u32 = 500;

/// How long.
const SECONDS: u32 = 20;

/// The longest wait for the last copy.
const SETTLE_MAX: Duration = Duration::from_secs(30);

pub(crate) async fn measure(stage: &mut Stage) -> Result<()> {
    println!("Latency: {RATE} writes/s by plain SQL for {SECONDS} s, commit → visible in the other database");
    let (mut source, _) = stage.serve("source").await?;
    let (mut sink, _) = stage.serve("sink").await?;
    let client = stage.client("source").await?;
    let insert = client
        .prepare("insert into things (name, price) values ('latency', 1.5)")
        .await?;
    settle(stage).await?;
    let begun = Instant::now();
    for n in 0..RATE * SECONDS {
        tokio::time::sleep_until(begun + Duration::from_secs(1) * n / RATE).await;
        client.execute(&insert, &[]).await?;
    }
    let (owner, copy) = (stage.admin("source").await?, stage.admin("sink").await?);
    let sent = owner
        .query(
            "select id::text, extract(epoch from pg_xact_commit_timestamp(xmin))::float8
             from things where name = 'latency'",
            &[],
        )
        .await?;
    let settle = Instant::now();
    let seen = loop {
        let rows = copy
            .query(
                "select id::text, extract(epoch from pg_xact_commit_timestamp(xmin))::float8
                 from things where name = 'latency'",
                &[],
            )
            .await?;
        if rows.len() == sent.len() {
            break rows;
        }
        anyhow::ensure!(
            settle.elapsed() < SETTLE_MAX,
            "the copy has {} of {} rows",
            rows.len(),
            sent.len()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let at: std::collections::HashMap<String, f64> = seen.iter().map(|r| (r.get(0), r.get(1))).collect();
    let mut waits: Vec<f64> = sent
        .iter()
        .filter_map(|r| Some((at.get(&r.get::<_, String>(0))? - r.get::<_, f64>(1)) * 1000.0))
        .collect();
    waits.sort_by(f64::total_cmp);
    println!(
        "{:<34} p50 {:.1} ms   p99 {:.1} ms   max {:.1} ms   ({} rows)",
        "commit → visible",
        report::quantile(&waits, 0.5),
        report::quantile(&waits, 0.99),
        report::quantile(&waits, 1.0),
        waits.len()
    );
    source.kill().await?;
    sink.kill().await?;
    Ok(())
}

/// Waits until the copy has all that was written before: a backlog is another figure.
async fn settle(stage: &Stage) -> Result<()> {
    let (owner, copy) = (stage.admin("source").await?, stage.admin("sink").await?);
    let begun = Instant::now();
    loop {
        let head = owner.query_one("select position from freehold.log_head", &[]).await?;
        let waiting = owner.query_one("select count(*) from freehold.outbox", &[]).await?;
        let seen = copy
            .query_one("select coalesce(min(position), -1) from freehold.cursor", &[])
            .await?;
        if waiting.get::<_, i64>(0) == 0 && seen.get::<_, i64>(0) >= head.get::<_, i64>(0) {
            return Ok(());
        }
        anyhow::ensure!(begun.elapsed() < SETTLE_MAX, "the copy does not catch up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
