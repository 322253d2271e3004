//! What was written there is seen here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use super::{Acting, Running, answer, of, rename, shown};
use crate::behaviour::acting::port;
use crate::fixture::{number, run, until};

/// Clients at once, each with products of its own.
const CLIENTS: i64 = 4;

fn rounds() -> i64 {
    if std::env::var_os("FREEHOLD_PROVE").is_some() {
        1_000
    } else {
        200
    }
}

/// Reads that did not see the write before them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Stale {
    named: u64,
    plain: u64,
}

/// Writes and reads, in turns with and without the position, while others write on.
async fn race(acting: &Acting, order: u16) -> Stale {
    let product = acting.stage.home("product");
    let stop = Arc::new(AtomicBool::new(false));
    let mut load = JoinSet::new();
    for writer in 0..2 {
        let (client, stop) = (product.app().await, Arc::clone(&stop));
        load.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let sql =
                    format!("update products set name = name || '.' where id between 21 and 30 and id % 2 = {writer}");
                run(&client, &sql).await;
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                run(
                    &client,
                    "update products set name = 'short' where id between 31 and 40 and length(name) > 9",
                )
                .await;
            }
        });
    }
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let writer = product.app().await;
        let http = acting.http.clone();
        clients.spawn(async move {
            let mut stale = Stale::default();
            for round in 0..rounds() / CLIENTS {
                let id = client * 5 + round % 5 + 1;
                let get = || http.get(format!("http://127.0.0.1:{order}{}", of(id)));
                let name = format!("named {round}");
                let position = rename(&writer, id, &name).await;
                stale.named += u64::from(shown(get(), &position).await != name);
                let name = format!("plain {round}");
                rename(&writer, id, &name).await;
                let (_, _, body) = answer(get()).await;
                stale.plain += u64::from(body[0]["product_name"] != name.as_str());
            }
            stale
        });
    }
    let mut all = Stale::default();
    while let Some(stale) = clients.join_next().await {
        let stale = stale.expect("a client ends");
        all.named += stale.named;
        all.plain += stale.plain;
    }
    stop.store(true, Ordering::Relaxed);
    load.join_all().await;
    println!("{} reads each: {all:?}", rounds());
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_names_a_write_of_another_service_sees_it() {
    let acting = Acting::begin().await;
    let stale = race(&acting, acting.ports[1]).await;
    assert_eq!(stale.named, 0, "{STALE}");
    assert!(
        stale.plain > 0,
        "without a position nothing was stale: the race is none"
    );
}

const STALE: &str = "a read did not see the write that it named";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_does_not_follow_waits_for_the_one_that_does() {
    let acting = Acting::begin().await;
    let second = port().await;
    let service = Acting::order(&acting.stage, second, acting.ports[0], "two");
    let _second = Running::start(service);
    let standby = format!("http://127.0.0.1:{second}/health/ready");
    until("the second instance stands by", || async {
        let Ok(answer) = acting.http.get(&standby).send().await else {
            return false;
        };
        let health: serde_json::Value = answer.json().await.expect("JSON");
        health["subscriptions"]["product"]["state"] == "standby"
    })
    .await;
    let stale = race(&acting, second).await;
    assert_eq!(stale.named, 0, "{STALE}");
    assert!(
        stale.plain > 0,
        "without a position nothing was stale: the race is none"
    );
}

#[tokio::test]
async fn what_a_handler_did_is_seen_by_whoever_names_the_fact() {
    let acting = Acting::begin().await;
    let url = format!("http://127.0.0.1:{}/count", acting.ports[0]);
    for id in 1..=20 {
        let counted = acting
            .http
            .post(&url)
            .json(&serde_json::json!({ "id": id }))
            .send()
            .await;
        let counted = counted.expect("product answers");
        assert_eq!(counted.status(), 200);
        let position = counted.headers()["freehold-position"]
            .to_str()
            .expect("ASCII")
            .to_owned();
        let written = format!("select xmin::text::bigint from products where id = {id}");
        let written = number(&acting.stage.home("product").sql, &written).await;
        assert_eq!(position, format!("product@1.{written}"));
        let row = acting
            .get(&format!("/counts?id=eq.{id}"))
            .header("freehold-at-least", &position);
        assert_eq!(answer(row).await.2.as_array().map(Vec::len), Some(1), "{position}");
        let own = acting.get("/how-many").header("freehold-at-least", &position);
        assert_eq!(answer(own).await.2, id);
    }
}

/// The test of the tests: this very binary, with the defect planted.
#[cfg(feature = "plant")]
#[tokio::test]
async fn a_position_taken_before_the_write_is_sequenced_is_found() {
    let test = "causal::seen::a_read_that_names_a_write_of_another_service_sees_it";
    let this = std::env::current_exe().expect("this binary");
    let mut red = tokio::process::Command::new(this);
    red.args(["--exact", test])
        .env("FREEHOLD_PLANT", "position-before-sequenced")
        .env_remove("FREEHOLD_PROVE");
    let red = red.output().await.expect("the test runs");
    let said = String::from_utf8_lossy(&red.stdout) + String::from_utf8_lossy(&red.stderr);
    assert!(!red.status.success() && said.contains(STALE), "{said}");
}
