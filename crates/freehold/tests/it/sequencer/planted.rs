//! Defects on purpose: the ways that look right and are not. The checker that passes the sequencer must catch each.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio_postgres::Client;

use super::checker::{self, Findings, Read};
use super::{LEDGER, ledger, log_of, race};
use crate::fixture::{Home, Stage, run, texts};

/// Rounds in which a defect must show itself.
const ROUNDS: u64 = 12;

const COMMITS: usize = 400;

/// Every id behind the last one seen: passes the hole that a slower commit fills later.
const BY_ID: &str = "
select id, txid::text::bigint, topic, key, version, payload ->> 'tag'
from freehold.outbox
where id > $1 and $2::bigint is not null
order by id
limit 200";

/// Only transactions that nothing older can follow, in the order of their ids: a transaction may have its id early and
/// lock the row late.
const BY_TRANSACTION: &str = "
select id, txid::text::bigint, topic, key, version, payload ->> 'tag'
from freehold.outbox
where txid < pg_snapshot_xmin(pg_current_snapshot())
  and (txid::text::bigint, id) > ($2, $1)
order by txid, id
limit 200";

/// Reads the outbox by a cursor, without a sequencer, until the writers have ended and nothing more comes.
async fn follow(client: Client, query: &str, ended: watch::Receiver<bool>) -> Vec<Read> {
    let (mut id, mut transaction) = (0_i64, 0_i64);
    let mut topics: HashMap<String, i64> = HashMap::new();
    let mut read = Vec::new();
    loop {
        let last = *ended.borrow();
        let rows = client
            .query(query, &[&id, &transaction])
            .await
            .expect("the outbox is read");
        for row in &rows {
            (id, transaction) = (row.get(0), row.get(1));
            let place = i64::try_from(read.len()).expect("a number") + 1;
            let topic: String = row.get(2);
            read.push(Read {
                place,
                prev: topics.insert(topic.clone(), place).unwrap_or(0),
                topic,
                key: row.get(3),
                version: row.get(4),
                tag: row.get(5),
                whole: i64::MAX,
            });
        }
        if rows.is_empty() {
            if last {
                return read;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn caught(name: &str, query: &'static str, is_caught: impl Fn(&Findings) -> bool) {
    for seed in 1..=ROUNDS {
        let stage = Stage::open(&[LEDGER]).await;
        let home = stage.home("ledger");
        let ended = watch::Sender::new(false);
        let reader = tokio::spawn(follow(home.superuser().await, query, ended.subscribe()));
        let written = ledger::write(home, seed, COMMITS).await;
        ended.send_replace(true);
        let read = reader.await.expect("the reader ends");
        let findings = checker::check(&written, &read);
        println!(
            "{name}, seed {seed}: {} commits, {} messages: {findings:?}",
            written.len(),
            read.len()
        );
        if is_caught(&findings) {
            return;
        }
    }
    panic!("{name} was not caught in {ROUNDS} rounds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_id_cursor_is_caught() {
    caught("id cursor", BY_ID, |findings| findings.lost > 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_transaction_horizon_is_caught() {
    caught("transaction horizon", BY_TRANSACTION, |findings| {
        findings.lost == 0 && findings.disordered > 0
    })
    .await;
}

/// Puts `freehold.sequence` back with a part of its body replaced.
async fn replace(home: &Home, part: &str, by: &str) {
    let definition = "select pg_get_functiondef('freehold.sequence(integer)'::regprocedure)";
    let right = texts(&home.sql, definition).await.remove(0);
    let wrong = right.replacen(part, by, 1);
    assert_ne!(right, wrong, "the function is written otherwise now");
    run(&home.sql, &wrong).await;
}

const LOCK: &str = "for update";

async fn raced(name: &str, seed: u64, (part, by): (&str, &str), plant: &str) -> Findings {
    let stage = Stage::open(&[LEDGER]).await;
    let home = stage.home("ledger");
    replace(home, part, by).await;
    run(&home.sql, plant).await;
    let (written, calls) = race(home, seed, COMMITS, 50).await;
    let mut findings = checker::check(&written, &log_of(home).await);
    findings.refused = calls.refused;
    println!("{name}, seed {seed}: {} commits: {findings:?}", written.len());
    findings
}

/// The log's key is the second fence: where sequencers do not take turns, one of the two is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sequencer_without_its_lock_is_caught() {
    for seed in 1..=ROUNDS {
        let findings = raced("no lock", seed, (LOCK, ""), "").await;
        if findings.refused > 0 {
            assert_eq!(
                findings,
                Findings {
                    refused: findings.refused,
                    ..Findings::default()
                }
            );
            return;
        }
    }
    panic!("not caught in {ROUNDS} rounds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sequencer_without_lock_and_key_is_caught() {
    for seed in 1..=ROUNDS {
        let unkey = "alter table freehold.log drop constraint log_pkey";
        let findings = raced("no lock, no key", seed, (LOCK, ""), unkey).await;
        if findings.gaps > 0 && findings.wrong_prev > 0 {
            return;
        }
    }
    panic!("not caught in {ROUNDS} rounds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_ends_inside_a_transaction_is_caught() {
    let widened = "where o.txid in (select i.txid from freehold.outbox i where i.id <= cut.id)";
    for seed in 1..=ROUNDS {
        let findings = raced("narrow cut", seed, (widened, "where o.id <= cut.id"), "").await;
        if findings.torn > 0 {
            assert_eq!(
                findings,
                Findings {
                    torn: findings.torn,
                    ..Findings::default()
                }
            );
            return;
        }
    }
    panic!("not caught in {ROUNDS} rounds");
}
