//! A backlog of events drained into a copy, beside the same rows moved by a COPY pipe and a set-based upsert.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::{SinkExt, StreamExt};

use crate::report;
use crate::stage::Stage;

/// Events in the backlog.
const EVENTS: i64 = 200_000;

/// Rows inserted by one transaction of the backlog.
const PER_TRANSACTION: i64 = 10;

/// Interleaved pairs; each takes some ten seconds.
const PAIRS: usize = 3;

/// The longest wait for a drain.
const DRAIN_MAX: Duration = Duration::from_secs(300);

pub(crate) async fn measure(stage: &mut Stage) -> Result<()> {
    println!("Drain: {EVENTS} events of {PER_TRANSACTION}-row transactions, {PAIRS} pairs");
    // The sink knows the copy already; what follows is backlog.
    let (mut source, _) = stage.serve("source").await?;
    let (mut sink, _) = stage.serve("sink").await?;
    sink.kill().await?;
    source.kill().await?;
    let (owner, copy) = (stage.admin("source").await?, stage.admin("sink").await?);
    let (mut drained, mut sequenced) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let batch = EVENTS / PER_TRANSACTION;
        owner
            .batch_execute(&format!(
                "do $$ begin for i in 1..{batch} loop
                   insert into things (name, price) select 'drain ' || n, n from generate_series(1, {PER_TRANSACTION}) n;
                   commit;
                 end loop; end $$"
            ))
            .await?;
        let begun = Instant::now();
        let mut moved = 0;
        while moved < EVENTS {
            moved += i64::from(
                owner
                    .query_one("select freehold.sequence(10000)", &[])
                    .await?
                    .get::<_, i32>(0),
            );
        }
        sequenced.push(rate(begun.elapsed()));
        let head: i64 = owner
            .query_one("select position from freehold.log_head", &[])
            .await?
            .get(0);

        let (mut source, _) = stage.serve("source").await?;
        let (mut sink, ready) = stage.serve("sink").await?;
        let begun = Instant::now();
        loop {
            let row = copy.query_one("select min(position) from freehold.cursor", &[]).await?;
            if row.get::<_, i64>(0) >= head {
                break;
            }
            anyhow::ensure!(
                begun.elapsed() < DRAIN_MAX,
                "the copy is at {} of {head}",
                row.get::<_, i64>(0)
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // What ran before the service said that it is ready counts too.
        let ours = rate(begun.elapsed() + ready);
        sink.kill().await?;
        source.kill().await?;
        drained.push((ours, limit(&owner, &copy).await?));
    }
    report::pairs("drain of a backlog", "events/s", &drained);
    let spread = report::spread(sequenced);
    println!(
        "{:<34} {:>9.0} events/s ({:.0}–{:.0})",
        "sequencing alone", spread.median, spread.least, spread.greatest
    );
    Ok(())
}

/// The newest `EVENTS` rows once more, as plain as it can be done.
async fn limit(owner: &tokio_postgres::Client, copy: &tokio_postgres::Client) -> Result<f64> {
    copy.batch_execute(
        "drop table if exists limit_rows, limit_staging;
         create table limit_rows (id uuid primary key, name text, price numeric, sent_at timestamptz, version bigint not null);
         create unlogged table limit_staging (like limit_rows)",
    )
    .await?;
    let begun = Instant::now();
    let out = owner
        .copy_out(&*format!(
            "copy (select id, name, price, sent_at, version from things order by sent_at desc limit {EVENTS}) to stdout (format binary)"
        ))
        .await?;
    let into = copy.copy_in("copy limit_staging from stdin (format binary)").await?;
    let mut out = std::pin::pin!(out);
    let mut into = std::pin::pin!(into);
    while let Some(chunk) = out.next().await {
        into.as_mut().feed(chunk?).await?;
    }
    into.finish().await.context("copy")?;
    copy.batch_execute(
        "insert into limit_rows as c select * from limit_staging
         on conflict (id) do update set name = excluded.name, price = excluded.price, sent_at = excluded.sent_at,
                                        version = excluded.version
         where c.version < excluded.version",
    )
    .await?;
    Ok(rate(begun.elapsed()))
}

fn rate(time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count of events")]
    let events = EVENTS as f64;
    events / time.as_secs_f64()
}
