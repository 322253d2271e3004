//! The proof of the sequencer: writers at full speed, sequencers that race, and a ledger of what was committed.
//! The same checker must turn red on planted defects ([`planted`]).

mod checker;
mod ledger;
mod log;
mod planted;

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use crate::fixture::{Folder, Home, Stage, number, until};
use checker::{Findings, Read};
use ledger::Commit;

const LEDGER: Folder<'_> = Folder {
    name: "ledger",
    manifest: r#"
publishes = ["ledger.noted"]
[owns.accounts]
summary   = "Rows that everyone wants."
publishes = ["id", "tag", "value"]
[owns.notes]
summary = "Rows of nobody else's business."
"#,
    migration: "
create table accounts (id int primary key, tag text, value bigint not null default 0);
create table notes (id bigint generated always as identity primary key, body text);
insert into accounts select n from generate_series(1, 12) n;
",
};

/// How long a proof is.
struct Length {
    commits: usize,
    seeds: std::ops::Range<u64>,
}

fn length() -> Length {
    if std::env::var_os("FREEHOLD_PROVE").is_some() {
        Length {
            commits: 5_000,
            seeds: 1..4,
        }
    } else {
        Length {
            commits: 1_500,
            seeds: 1..2,
        }
    }
}

/// What sequencers that race did.
#[derive(Debug, Default)]
struct Calls {
    moved: i64,
    /// Calls that met more messages than a batch holds.
    full: usize,
    /// Calls that failed.
    refused: usize,
}

/// Calls the sequencer until told to stop, with pauses in which a backlog grows.
async fn sequence(client: Client, batch: i32, seed: u64, mut stop: watch::Receiver<bool>) -> Calls {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut calls = Calls::default();
    let statement = client.prepare("select freehold.sequence($1)").await.expect("prepared");
    while !*stop.borrow_and_update() {
        match client.query_one(&statement, &[&batch]).await {
            Ok(row) => {
                let moved: i32 = row.get(0);
                calls.moved += i64::from(moved);
                calls.full += usize::from(moved >= batch);
            }
            Err(_) => calls.refused += 1,
        }
        if rng.u8(..20) == 0 {
            let pause = tokio::time::sleep(Duration::from_millis(rng.u64(20..120)));
            tokio::select! {
                () = pause => {}
                _ = stop.changed() => {}
            }
        }
    }
    calls
}

/// A batch of this size or less is full when the sequencers begin: they are behind, as after an outage.
const BACKLOG_MAX: i32 = 1_000;

/// Writers and two racing sequencers; at the end nothing is left in the outbox.
async fn race(home: &Home, seed: u64, commits: usize, batch: i32) -> (Vec<Commit>, Calls) {
    let stop = watch::Sender::new(false);
    let sequencers = async {
        if batch <= BACKLOG_MAX {
            until("there is more than a batch", || async {
                number(&home.sql, "select count(*) from freehold.outbox").await > i64::from(batch)
            })
            .await;
        }
        let mut sequencers = JoinSet::new();
        for n in 0..2 {
            sequencers.spawn(sequence(home.superuser().await, batch, seed * 10 + n, stop.subscribe()));
        }
        sequencers
    };
    let (written, mut sequencers) = tokio::join!(ledger::write(home, seed, commits), sequencers);
    stop.send_replace(true);
    let mut all = Calls::default();
    while let Some(calls) = sequencers.join_next().await {
        let calls = calls.expect("a sequencer ends");
        all.moved += calls.moved;
        all.full += calls.full;
        all.refused += calls.refused;
    }
    loop {
        let moved = number(&home.sql, &format!("select freehold.sequence({batch})::bigint")).await;
        all.moved += moved;
        if moved == 0 {
            return (written, all);
        }
    }
}

async fn log_of(home: &Home) -> Vec<Read> {
    let rows = home
        .sql
        .query(
            "select position, topic, key, version, payload ->> 'tag', prev, whole
             from freehold.log
             order by position",
            &[],
        )
        .await
        .expect("the log is read");
    rows.iter()
        .map(|row| Read {
            place: row.get(0),
            topic: row.get(1),
            key: row.get(2),
            version: row.get(3),
            tag: row.get::<_, Option<String>>(4).unwrap_or_default(),
            prev: row.get(5),
            whole: row.get(6),
        })
        .collect()
}

async fn prove(batch: i32) {
    let Length { commits, seeds } = length();
    for seed in seeds {
        let stage = Stage::open(&[LEDGER]).await;
        let home = stage.home("ledger");
        let begun = Instant::now();
        let (written, calls) = race(home, seed, commits, batch).await;
        let took = begun.elapsed();
        let read = log_of(home).await;
        let mut findings = checker::check(&written, &read);
        findings.refused = calls.refused;
        println!(
            "seed {seed}, batches of {batch}: {} commits, {} messages, {} full batches, {:.1} s: {findings:?}",
            written.len(),
            read.len(),
            calls.full,
            took.as_secs_f64()
        );
        assert_eq!(findings, Findings::default(), "seed {seed}");
        assert_eq!(
            calls.moved,
            i64::try_from(read.len()).expect("a number"),
            "every call told what it moved"
        );
        assert!(batch > BACKLOG_MAX || calls.full > 0, "no backlog came about");
        let broken = "select freehold.broken_link(0, (select position from freehold.log_head))";
        let broken: Option<i64> = home.sql.query_one(broken, &[]).await.expect("the chain is read").get(0);
        assert_eq!(broken, None, "the chain holds");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_disordered_in_small_batches() {
    prove(50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_disordered_in_large_batches() {
    prove(10_000).await;
}
