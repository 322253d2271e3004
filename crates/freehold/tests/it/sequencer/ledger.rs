//! Writers that do what makes ordering hard, and the ledger of what they committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use fastrand::Rng;
use tokio::task::JoinSet;
use tokio_postgres::{Client, Error, Statement};

use crate::fixture::Home;

const WRITERS: u64 = 8;

/// Rows, and keys of events, over which the writers meet.
const KEYS: i32 = 12;

/// A transaction that was committed.
#[derive(Debug)]
pub(super) struct Commit {
    /// In the payload of each of its messages.
    pub(super) tag: String,
    /// Before `begin` was sent.
    pub(super) began: Instant,
    /// After `commit` was answered.
    pub(super) ended: Instant,
    pub(super) said: Vec<Said>,
}

/// A message as its writer knows it.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) topic: &'static str,
    pub(super) key: String,
    pub(super) version: i64,
}

/// Runs the writers until so many transactions are committed; returns the ledger.
pub(super) async fn write(home: &Home, seed: u64, commits: usize) -> Vec<Commit> {
    let committed = Arc::new(AtomicUsize::new(0));
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let writer = Writer::new(home.app().await, number, seed).await;
        let committed = Arc::clone(&committed);
        writers.spawn(async move {
            let mut writer = writer;
            let mut ledger = Vec::new();
            while committed.load(Ordering::Relaxed) < commits {
                if let Some(commit) = writer.transaction().await.expect("a transaction ends") {
                    ledger.push(commit);
                    committed.fetch_add(1, Ordering::Relaxed);
                }
            }
            ledger
        });
    }
    let mut all = Vec::new();
    while let Some(ledger) = writers.join_next().await {
        all.extend(ledger.expect("a writer ends"));
    }
    all
}

struct Writer {
    client: Client,
    rng: Rng,
    name: String,
    transactions: u64,
    change: Statement,
    change_several: Statement,
    emit: Statement,
    sleep: Statement,
}

impl Writer {
    async fn new(client: Client, number: u64, seed: u64) -> Self {
        let prepare = async |sql| client.prepare(sql).await.expect("prepared");
        let change = prepare(
            "update accounts set tag = $1, value = value + 1
             where id = $2
             returning id, version",
        )
        .await;
        let change_several = prepare(
            "with wanted as (select id from accounts where id = any ($2::int[]) order by id for update)
             update accounts a set tag = $1, value = value + 1
             from wanted
             where a.id = wanted.id
             returning a.id, a.version",
        )
        .await;
        let emit = prepare("select freehold.emit('ledger.noted', $1, json_build_object('tag', $2::text))").await;
        let sleep = prepare("select pg_sleep($1)").await;
        Self {
            client,
            rng: Rng::with_seed(seed * 1_000 + number),
            name: format!("writer {number} of seed {seed}"),
            transactions: 0,
            change,
            change_several,
            emit,
            sleep,
        }
    }

    /// One transaction; nothing when it was rolled back, as one in ten is.
    async fn transaction(&mut self) -> Result<Option<Commit>, Error> {
        self.transactions += 1;
        let tag = format!("{}, transaction {}", self.name, self.transactions);
        let began = Instant::now();
        self.client.batch_execute("begin").await?;
        if self.rng.u8(..4) == 0 {
            // A transaction id long before the lock.
            self.client
                .batch_execute("insert into notes (body) values ('early')")
                .await?;
            self.pause(8).await?;
        }
        if self.rng.u8(..6) == 0 {
            self.client
                .batch_execute(
                    "savepoint undone; update accounts set tag = 'undone' where id = 1; rollback to savepoint undone",
                )
                .await?;
        }
        let mut keys: Vec<i32> = (0..self.rng.i32(1..=3)).map(|_| self.rng.i32(1..=KEYS)).collect();
        // In one order everywhere, so that writers wait for each other and none is a deadlock's victim.
        keys.sort_unstable();
        keys.dedup();
        let mut said = Vec::new();
        match self.rng.u8(..4) {
            0 => self.change_each(&tag, &keys, &mut said).await?,
            1 => self.change_at_once(&tag, &keys, &mut said).await?,
            2 => self.note(&tag, &keys, &mut said).await?,
            _ => {
                self.change_at_once(&tag, &keys, &mut said).await?;
                self.note(&tag, &keys, &mut said).await?;
            }
        }
        // The commit is slow: locks are held, and ids drawn, long before it.
        self.pause(6).await?;
        if self.rng.u8(..10) == 0 {
            self.client.batch_execute("rollback").await?;
            return Ok(None);
        }
        self.client.batch_execute("commit").await?;
        let ended = Instant::now();
        Ok(Some(Commit {
            tag,
            began,
            ended,
            said,
        }))
    }

    async fn change_each(&mut self, tag: &str, keys: &[i32], said: &mut Vec<Said>) -> Result<(), Error> {
        for key in keys {
            let row = self.client.query_one(&self.change, &[&tag, key]).await?;
            said.push(Said::row(&row));
            self.pause(3).await?;
        }
        Ok(())
    }

    async fn change_at_once(&mut self, tag: &str, keys: &[i32], said: &mut Vec<Said>) -> Result<(), Error> {
        let rows = self.client.query(&self.change_several, &[&tag, &keys]).await?;
        said.extend(rows.iter().map(Said::row));
        Ok(())
    }

    async fn note(&mut self, tag: &str, keys: &[i32], said: &mut Vec<Said>) -> Result<(), Error> {
        for key in keys {
            let key = format!("note {key}");
            let row = self.client.query_one(&self.emit, &[&key, &tag]).await?;
            said.push(Said {
                topic: "ledger.noted",
                key,
                version: row.get(0),
            });
        }
        Ok(())
    }

    /// Sleeps in the transaction: usually not, else up to so many milliseconds.
    async fn pause(&mut self, max_ms: u32) -> Result<(), Error> {
        if self.rng.bool() {
            let seconds = f64::from(self.rng.u32(0..=max_ms)) / 1_000.0;
            self.client.query_one(&self.sleep, &[&seconds]).await?;
        }
        Ok(())
    }
}

impl Said {
    fn row(row: &tokio_postgres::Row) -> Self {
        Self {
            topic: "ledger.accounts",
            key: row.get::<_, i32>(0).to_string(),
            version: row.get(1),
        }
    }
}
