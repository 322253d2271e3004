//! One poisoned key among a thousand: what it costs the others, and whether its redrive ends where a clean run does.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio_postgres::Client;

use crate::stage::Stage;
use crate::{PAIRS, report};

/// Keys that something happens to.
const KEYS: i32 = 1_000;

/// Events of each key, all keys in turn.
const EVENTS: i32 = 20;

/// The longest wait for a round.
const ROUND_MAX: Duration = Duration::from_secs(60);

pub(crate) async fn measure() -> Result<()> {
    println!(
        "Poison: {KEYS} keys, {EVENTS} events each, one transaction of a handler per message; one key cannot be handled"
    );
    let stage = Stage::build("sagas").await?;
    let (mut buyer, mut store) = (stage.start("buyer")?, stage.start("store")?);
    stage.ready("buyer", &mut buyer).await?;
    stage.ready("store", &mut store).await?;
    let (speaker, hearer) = (stage.admin("buyer").await?, stage.admin("store").await?);
    let mut pairs = Vec::new();
    round(&speaker, &hearer, 0, KEYS).await?;
    for pair in 0..i32::try_from(PAIRS)? {
        let clean = round(&speaker, &hearer, 2 * pair + 1, KEYS).await?;
        let poisoned = poisoned(&speaker, &hearer, 2 * pair + 2).await?;
        ensure!(
            told(&hearer, 2 * pair + 1).await? == told(&hearer, 2 * pair + 2).await?,
            "the redriven round differs from the clean one"
        );
        pairs.push((poisoned, clean));
    }
    report::pairs("others beside a poisoned key", "events/s", &pairs);
    buyer.kill().await?;
    store.kill().await?;
    stage.close().await
}

/// Events per second of the keys that can be handled, one of them aside; afterwards it is healed, and follows.
async fn poisoned(speaker: &Client, hearer: &Client, number: i32) -> Result<f64> {
    hearer.batch_execute("insert into poison values ('k500')").await?;
    let rate = round(speaker, hearer, number, KEYS - 1).await?;
    wait(hearer, "select count(*) from freehold.parked", i64::from(EVENTS)).await?;
    let keys = hearer
        .query_one("select string_agg(key, ' ') from freehold.parked_key", &[])
        .await?;
    ensure!(
        keys.get::<_, Option<&str>>(0) == Some("k500"),
        "other keys were set aside"
    );
    hearer
        .batch_execute(
            "delete from poison;
             update freehold.parked_key set state = 'retrying', attempts = 0, next_at = now()",
        )
        .await?;
    wait(hearer, "select count(*) from freehold.parked", 0).await?;
    Ok(rate)
}

async fn round(speaker: &Client, hearer: &Client, number: i32, keys: i32) -> Result<f64> {
    let begun = Instant::now();
    speaker
        .execute(
            "select freehold.emit('buyer.bought', 'k' || k, json_build_object('round', $1::int, 'key', 'k' || k, 'number', n))
             from generate_series(1, $3::int) n, generate_series(1, $2::int) k",
            &[&number, &KEYS, &EVENTS],
        )
        .await?;
    let heard = format!("select count(*) from heard where round = {number}");
    wait(hearer, &heard, i64::from(keys * EVENTS)).await?;
    Ok(f64::from(keys * EVENTS) / begun.elapsed().as_secs_f64())
}

/// What was told of a round, in the order of each key.
async fn told(hearer: &Client, number: i32) -> Result<String> {
    let sql = "select md5(string_agg(key || ':' || numbers, ' ' order by key))
               from (select key, string_agg(number::text, ',' order by place) as numbers from heard where round = $1 group by key) k";
    Ok(hearer.query_one(sql, &[&number]).await?.get(0))
}

async fn wait(client: &Client, count: &str, wanted: i64) -> Result<()> {
    let begun = Instant::now();
    loop {
        let found: i64 = client.query_one(count, &[]).await?.get(0);
        if found == wanted {
            return Ok(());
        }
        ensure!(begun.elapsed() < ROUND_MAX, "{count}: {found} of {wanted}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
