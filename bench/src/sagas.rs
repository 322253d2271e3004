//! Sagas over two databases beside the same rows written by hand in the same number of durable commits.
//!
//! A saga of three steps is five commits one after the other: it is started and asks; its command is sequenced; the store obeys
//! and answers; the reply is sequenced; it is confirmed. The limit makes these five for every saga, each in one statement.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use tokio_postgres::{Client, NoTls};

use crate::stage::Stage;
use crate::{PAIRS, report};

/// Sagas that are under way at the same time.
const IN_FLIGHT: usize = 64;

/// Sagas of one measurement.
const SAGAS: usize = 3_000;

/// Sagas measured one after the other.
const ALONE: usize = 200;

/// The longest wait for sagas to end.
const END_MAX: Duration = Duration::from_secs(60);

pub(crate) async fn measure() -> Result<()> {
    println!("Sagas: three steps over two databases, {IN_FLIGHT} in flight, five durable commits each by hand");
    let stage = Stage::build("sagas").await?;
    let (mut buyer, mut store) = (stage.start("buyer")?, stage.start("store")?);
    stage.ready("buyer", &mut buyer).await?;
    stage.ready("store", &mut store).await?;
    let bare = Bare::build(&stage).await?;
    let watch = stage.admin("buyer").await?;
    let url = format!("http://127.0.0.1:{}/buy", stage.service("buyer")?.port);
    let mut number = 0;
    many(&url, &watch, &mut number).await?;
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        let limit = bare.many().await?;
        let ours = many(&url, &watch, &mut number).await?;
        pairs.push((ours, limit));
    }
    report::pairs("sagas, 64 in flight", "sagas/s", &pairs);
    let hand = bare.alone().await?;
    let ours = alone(&url, &watch, &mut number).await?;
    println!(
        "{:<34} p50 {:.1} ms   p99 {:.1} ms   (five commits by hand: p50 {:.1} ms)",
        "one saga alone",
        report::quantile(&ours, 0.5),
        report::quantile(&ours, 0.99),
        report::quantile(&hand, 0.5),
    );
    buyer.kill().await?;
    store.kill().await?;
    stage.close().await
}

/// Sagas per second, as many under way as asked for.
async fn many(url: &str, watch: &Client, number: &mut usize) -> Result<f64> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let permits = Arc::new(tokio::sync::Semaphore::new(IN_FLIGHT));
    let (told, mut started) = tokio::sync::mpsc::unbounded_channel();
    let first = *number;
    *number += SAGAS;
    let begun = Instant::now();
    let posting = {
        let (client, url, permits) = (client.clone(), url.to_owned(), Arc::clone(&permits));
        tokio::spawn(async move {
            let mut tasks = tokio::task::JoinSet::new();
            for n in first..first + SAGAS {
                let permit = Arc::clone(&permits).acquire_owned().await?;
                let (client, url, told) = (client.clone(), url.clone(), told.clone());
                tasks.spawn(async move {
                    let id = post(&client, &url, n).await?;
                    told.send((id, permit)).map_err(|_| anyhow::anyhow!("nobody watches"))
                });
                while let Some(done) = tasks.try_join_next() {
                    done??;
                }
            }
            while let Some(done) = tasks.join_next().await {
                done??;
            }
            anyhow::Ok(())
        })
    };
    let ended = watch
        .prepare("select id from freehold.saga where id = any ($1::text[]::uuid[]) and state = 'completed'")
        .await?;
    let mut under_way: HashMap<String, tokio::sync::OwnedSemaphorePermit> = HashMap::new();
    let mut completed = 0;
    while completed < SAGAS {
        while let Ok((id, permit)) = started.try_recv() {
            under_way.insert(id, permit);
        }
        let ids: Vec<String> = under_way.keys().cloned().collect();
        for row in watch.query(&ended, &[&ids]).await? {
            under_way.remove(&row.get::<_, uuid::Uuid>(0).to_string());
            completed += 1;
        }
        anyhow::ensure!(begun.elapsed() < END_MAX, "{completed} of {SAGAS} sagas ended");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    posting.await??;
    #[expect(clippy::cast_precision_loss)]
    Ok(SAGAS as f64 / seconds)
}

async fn post(client: &reqwest::Client, url: &str, n: usize) -> Result<String> {
    let body = serde_json::json!({ "purchase": format!("p{n}"), "item": n % 1000 });
    let answer = client.post(url).json(&body).send().await?.error_for_status()?;
    let started: serde_json::Value = answer.json().await?;
    Ok(started["id"].as_str().context("a saga's id")?.to_owned())
}

/// Milliseconds from the request to the saga's end, one after the other.
async fn alone(url: &str, watch: &Client, number: &mut usize) -> Result<Vec<f64>> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let ended = watch
        .prepare("select from freehold.saga where id = $1::text::uuid and state = 'completed'")
        .await?;
    let mut waits = Vec::new();
    for _ in 0..ALONE {
        *number += 1;
        let begun = Instant::now();
        let id = post(&client, url, *number).await?;
        while watch.query_opt(&ended, &[&id]).await?.is_none() {
            anyhow::ensure!(begun.elapsed() < END_MAX, "a saga did not end");
        }
        waits.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    waits.sort_by(f64::total_cmp);
    Ok(waits)
}

/// The same rows by hand.
struct Bare {
    buyers: Vec<Client>,
    stores: Vec<Client>,
    number: AtomicUsize,
}

impl Bare {
    async fn build(stage: &Stage) -> Result<Self> {
        let mut bare = Self {
            buyers: Vec::new(),
            stores: Vec::new(),
            number: AtomicUsize::new(0),
        };
        for (name, clients) in [("buyer", &mut bare.buyers), ("store", &mut bare.stores)] {
            stage.admin(name).await?.batch_execute(TABLES).await?;
            for _ in 0..IN_FLIGHT {
                let config = stage.ground.clusters.of(name)?.admin(&stage.database(name)?);
                let (client, connection) = config.connect(NoTls).await?;
                tokio::spawn(connection);
                clients.push(client);
            }
        }
        Ok(bare)
    }

    async fn many(&self) -> Result<f64> {
        let left = AtomicUsize::new(SAGAS);
        let begun = Instant::now();
        try_join_all(self.buyers.iter().zip(&self.stores).map(|(buyer, store)| async {
            let hand = Hand::of(buyer, store).await?;
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_ok()
            {
                hand.saga(self.number.fetch_add(1, Ordering::Relaxed)).await?;
            }
            anyhow::Ok(())
        }))
        .await?;
        #[expect(clippy::cast_precision_loss)]
        Ok(SAGAS as f64 / begun.elapsed().as_secs_f64())
    }

    async fn alone(&self) -> Result<Vec<f64>> {
        let hand = Hand::of(&self.buyers[0], &self.stores[0]).await?;
        let mut waits = Vec::new();
        for _ in 0..ALONE {
            let begun = Instant::now();
            hand.saga(self.number.fetch_add(1, Ordering::Relaxed)).await?;
            waits.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        waits.sort_by(f64::total_cmp);
        Ok(waits)
    }
}

/// Five statements, prepared.
struct Hand<'c> {
    buyer: &'c Client,
    store: &'c Client,
    start: tokio_postgres::Statement,
    move_buyer: tokio_postgres::Statement,
    obey: tokio_postgres::Statement,
    move_store: tokio_postgres::Statement,
    confirm: tokio_postgres::Statement,
}

impl<'c> Hand<'c> {
    async fn of(buyer: &'c Client, store: &'c Client) -> Result<Self> {
        Ok(Self {
            buyer,
            store,
            start: buyer.prepare(START).await?,
            move_buyer: buyer.prepare(MOVE).await?,
            obey: store.prepare(OBEY).await?,
            move_store: store.prepare(MOVE).await?,
            confirm: buyer.prepare(CONFIRM).await?,
        })
    }

    async fn saga(&self, n: usize) -> Result<()> {
        let (key, item) = (format!("b{n}"), i32::try_from(n % 1000)?);
        self.buyer.execute(&self.start, &[&key, &item]).await?;
        self.buyer.execute(&self.move_buyer, &[&key]).await?;
        self.store.execute(&self.obey, &[&key, &item]).await?;
        self.store.execute(&self.move_store, &[&key]).await?;
        self.buyer.execute(&self.confirm, &[&key]).await?;
        Ok(())
    }
}

/// The tables of a saga as the library has them, their indexes too, in both databases.
const TABLES: &str = "
create schema bare;
create table bare.purchases (id text primary key, item integer not null, status text not null default 'open');
create table bare.saga (id uuid primary key default gen_random_uuid(), key text not null unique, state text not null,
  data json not null, progress json not null) with (fillfactor = 60);
create table bare.history (id bigint generated always as identity primary key, key text not null, at timestamptz default now(),
  step text, event text not null);
create index on bare.history (key, id);
create table bare.due (id bigint generated always as identity primary key, due_at timestamptz not null, key text not null unique);
create index on bare.due (due_at);
create table bare.key_version (topic text, key text, version bigint not null, primary key (topic, key));
create table bare.outbox (id bigint generated always as identity primary key, key text not null, payload json not null);
create index on bare.outbox (key);
create table bare.log (position bigint generated always as identity primary key, key text not null, payload json not null, hash bytea);
create table bare.shelf (item integer primary key, pieces integer not null);
insert into bare.shelf select i, 1000000 from generate_series(0, 999) i;
create table bare.reserved (purchase text primary key, item integer not null);
create table bare.obeyed (command uuid primary key default gen_random_uuid(), key text not null, outcome text not null)";

const START: &str = r#"
with purchase as (insert into bare.purchases (id, item) values ($1, $2)),
saga as (insert into bare.saga (key, state, data, progress) values ($1, 'running', '{"purchase": "b1", "item": 1}', '{"stage": 1, "steps": {}}')),
story as (insert into bare.history (key, step, event) values ($1, null, 'started'), ($1, 'open', 'done'), ($1, 'reserve', 'asked')),
wait as (insert into bare.due (due_at, key) values (now() + interval '60 s', $1)),
version as (insert into bare.key_version values ('store.commands', $1, 1))
insert into bare.outbox (key, payload) values ($1, '{"id": "00000000-0000-0000-0000-000000000000", "data": {"purchase": "b1", "item": 1}}')"#;

const MOVE: &str = "
with moved as (delete from bare.outbox where key = $1 returning key, payload)
insert into bare.log (key, payload, hash) select key, payload, sha256(payload::text::bytea) from moved";

const OBEY: &str = r#"
with taken as (update bare.shelf set pieces = pieces - 1 where item = $2),
reserved as (insert into bare.reserved values ($1, $2)),
obeyed as (insert into bare.obeyed (key, outcome) values ($1, 'done')),
version as (insert into bare.key_version values ('buyer.replies', $1, 1))
insert into bare.outbox (key, payload) values ($1, '{"command": "00000000-0000-0000-0000-000000000000", "outcome": "done"}')"#;

const CONFIRM: &str = r#"
with purchase as (update bare.purchases set status = 'confirmed' where id = $1),
saga as (update bare.saga set state = 'completed', progress = '{"stage": 2, "steps": {}}' where key = $1),
story as (insert into bare.history (key, step, event) values ($1, 'reserve', 'done'), ($1, 'confirm', 'done'), ($1, null, 'completed'))
delete from bare.due where key = $1"#;
