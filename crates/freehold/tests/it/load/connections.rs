//! More requests than connections to the database.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Desk, reply};
use crate::fixture::{number, run, until};

/// The pool of the tests, and what may wait behind it.
const CONNECTIONS: usize = 8;
const QUEUE: usize = 16 * CONNECTIONS;

/// A request that was not answered within this stands in the queue; letting it go empties its place again.
const REFUSED_WITHIN: Duration = Duration::from_millis(500);

/// Nobody has left the queue by then: its members wait for 5 s.
const STILL_FULL: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_too_long_is_not_joined() {
    let desk = Desk::open(|api| api.limits.client_requests = 1_000_000).await;
    let home = desk.stage.home("desk");
    let holder = home.superuser().await;
    run(&holder, "begin; select from notes for update").await;
    let mut inside = JoinSet::new();
    let sent = Instant::now();
    for n in 0..CONNECTIONS + QUEUE {
        let change = desk.http.patch(format!("{}/notes?id=eq.{}", desk.root, n % 20 + 1));
        inside.spawn(reply(change.json(&serde_json::json!({ "note": "changed" }))));
    }
    let locked = format!(
        "select count(*) from pg_stat_activity where usename = '{}' and datname = current_database() and wait_event_type = 'Lock'",
        home.names.app
    );
    until("every connection is busy", || async {
        number(&home.sql, &locked).await == CONNECTIONS as i64
    })
    .await;
    until("the queue is full", || async {
        let probe = desk.get("/notes?id=eq.1").timeout(REFUSED_WITHIN).send().await;
        probe.is_ok_and(|answer| answer.status() == 503)
    })
    .await;
    let mut refused = 0;
    while refused < 20 && sent.elapsed() < STILL_FULL {
        let begun = Instant::now();
        let message = reply(desk.get("/notes?id=eq.1")).await.refusal(503, "FH503");
        assert_eq!(message, "too many requests wait for a connection to the database");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        refused += 1;
    }
    if sent.elapsed() < STILL_FULL {
        let own = reply(desk.get("/own")).await;
        assert_eq!(own.status, 503, "a route of the service's own may need one too");
    }
    assert_eq!(reply(desk.get("/health/live")).await.status, 200);
    run(&holder, "commit").await;
    let let_go = sent.elapsed();
    let mut carried_out = 0;
    for answer in inside.join_all().await {
        // Tasks of the service stand in the queue too: the last requests may have found it full.
        match answer.status {
            204 => carried_out += 1,
            _ => drop(answer.refusal(503, "FH503")),
        }
    }
    if let_go < STILL_FULL {
        assert!(carried_out > QUEUE, "{carried_out} of {}", CONNECTIONS + QUEUE);
    }
    assert_eq!(reply(desk.get("/notes?id=eq.1")).await.status, 200);
}
