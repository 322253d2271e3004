//! A projection folded anew, beside the same fold as one set-based statement and beside COPY of the events.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::StreamExt;
use tokio_postgres::Client;

use crate::report;
use crate::stage::Stage;

/// Events of the history.
const EVENTS: i64 = 200_000;

/// Streams they are about.
const STREAMS: i64 = 1_000;

/// Interleaved pairs; each takes some ten seconds.
const PAIRS: usize = 3;

/// The longest wait for a rebuild.
const REBUILD_MAX: Duration = Duration::from_secs(300);

pub(crate) async fn measure() -> Result<()> {
    println!("Projections: {EVENTS} events of {STREAMS} streams folded anew, {PAIRS} pairs");
    let stage = Stage::build("streams").await?;
    let client = stage.admin("notes").await?;
    let begun = Instant::now();
    client
        .batch_execute(&format!(
            "do $$ begin for i in 1..{EVENTS} loop
               perform freehold.append('note', (i % {STREAMS})::text, null, 'edited', json_build_object('text', repeat('x', i % 200)));
               if i % 100 = 0 then commit; end if;
             end loop; end $$"
        ))
        .await?;
    println!(
        "{:<34} {:>9.0} events/s, a hundred appends a commit",
        "append",
        rate(begun.elapsed())
    );
    let begun = Instant::now();
    while client
        .query_one("select freehold.order_events(10000)", &[])
        .await?
        .get::<_, i32>(0)
        > 0
    {}
    println!("{:<34} {:>9.0} events/s", "order", rate(begun.elapsed()));
    client.batch_execute("vacuum analyze").await?;
    let (mut service, _) = stage.serve("notes").await?;
    let done = "select count(*) from freehold.checkpoint c, freehold.stream_head h where c.position = h.position";
    wait(&client, done, 2).await?;
    for projection in ["by_sql", "by_program"] {
        let (mut beside_set, mut beside_copy) = (Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            let ours = rebuild(&client, projection).await?;
            beside_set.push((ours, set_based(&client, projection).await?));
            beside_copy.push((ours, copied(&client).await?));
        }
        report::pairs(&format!("{projection}, beside one statement"), "events/s", &beside_set);
        report::pairs(&format!("{projection}, beside COPY out"), "events/s", &beside_copy);
    }
    service.kill().await?;
    stage.close().await
}

async fn rebuild(client: &Client, projection: &str) -> Result<f64> {
    let begun = Instant::now();
    client
        .query_one("select freehold.begin_rebuild($1)", &[&projection])
        .await?;
    wait(
        client,
        "select count(*) from freehold.checkpoint where generation = 'shadow'",
        0,
    )
    .await?;
    Ok(rate(begun.elapsed()))
}

/// The fold as someone would write it who needs no checkpoint; its outcome must be ours.
async fn set_based(client: &Client, projection: &str) -> Result<f64> {
    client
        .batch_execute("drop table if exists at_once; create table at_once (like by_sql including all)")
        .await?;
    let begun = Instant::now();
    client
        .batch_execute(
            "insert into at_once
             select e.key, count(*), sum(octet_length(e.body ->> 'text'))
             from freehold.stream_event e
             group by e.key",
        )
        .await?;
    let took = begun.elapsed();
    let sql = format!(
        "select count(*) from ((table at_once except table {projection}) union all (table {projection} except table at_once)) d"
    );
    let differences: i64 = client.query_one(&sql, &[]).await?.get(0);
    ensure!(
        differences == 0,
        "{projection} differs from one statement in {differences} rows"
    );
    Ok(rate(took))
}

/// The events in their order, out of the database.
async fn copied(client: &Client) -> Result<f64> {
    let begun = Instant::now();
    let sql = "copy (select o.position, e.* from freehold.stream_order o join freehold.stream_event e on e.id = o.event order by o.position)
               to stdout (format binary)";
    let mut out = std::pin::pin!(client.copy_out(sql).await?);
    while let Some(chunk) = out.next().await {
        chunk?;
    }
    Ok(rate(begun.elapsed()))
}

async fn wait(client: &Client, count: &str, wanted: i64) -> Result<()> {
    let begun = Instant::now();
    loop {
        let found: i64 = client.query_one(count, &[]).await?.get(0);
        if found == wanted {
            return Ok(());
        }
        ensure!(begun.elapsed() < REBUILD_MAX, "{count}: {found} of {wanted}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn rate(time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count of events")]
    let events = EVENTS as f64;
    events / time.as_secs_f64()
}
