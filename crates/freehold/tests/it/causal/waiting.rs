//! How a read waits: not longer than allowed, not without need, and without a connection.

use std::time::Instant;

use super::{Acting, WAIT_MS, answer, assert_unavailable, ms, of, rename, shown, write};
use crate::fixture::run;

/// Holds the cursors of order: nothing can be applied.
const HOLD: &str = "begin; select from freehold.cursor for update";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_of_what_is_not_applied_is_refused_in_time_and_answered_later() {
    let acting = Acting::begin().await;
    let writer = acting.stage.home("product").app().await;
    let holder = acting.stage.home("order").superuser().await;
    run(&holder, HOLD).await;
    let position = rename(&writer, 1, "late").await;
    let begun = Instant::now();
    let late = answer(acting.get(&of(1)).header("freehold-at-least", &position)).await;
    assert_unavailable(&late, "not-yet-applied");
    let took = begun.elapsed();
    assert!(took >= ms(WAIT_MS) && took < ms(WAIT_MS + 1_000), "{took:?}");
    run(&holder, "commit").await;
    assert_eq!(shown(acting.get(&of(1)), &position).await, "late");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_wait_hold_no_connection() {
    let acting = Acting::begin().await;
    let writer = acting.stage.home("product").app().await;
    let holder = acting.stage.home("order").superuser().await;
    run(&holder, HOLD).await;
    let position = rename(&writer, 2, "waited for").await;
    // Ten times the connections there are.
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..80 {
        let (request, position) = (acting.get(&of(2)), position.clone());
        waiting.spawn(async move { shown(request, &position).await });
    }
    tokio::time::sleep(ms(300)).await;
    for _ in 0..20 {
        let begun = Instant::now();
        assert_eq!(answer(acting.get(&of(2))).await.0, 200);
        assert!(begun.elapsed() < ms(500), "{:?}", begun.elapsed());
    }
    run(&holder, "commit").await;
    for name in waiting.join_all().await {
        assert_eq!(name, "waited for");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_published_nothing_is_not_waited_for() {
    let acting = Acting::begin().await;
    let writer = acting.stage.home("product").app().await;
    let holder = acting.stage.home("order").superuser().await;
    let before = rename(&writer, 3, "applied").await;
    assert_eq!(shown(acting.get(&of(3)), &before).await, "applied");
    run(&holder, HOLD).await;
    let position = write(&writer, "update products set margin = 7 where id = 3").await;
    let begun = Instant::now();
    assert_eq!(shown(acting.get(&of(3)), &position).await, "applied");
    assert!(begun.elapsed() < ms(500), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_waits_for_a_sequencer_that_stands_still() {
    let acting = Acting::begin().await;
    let product = acting.stage.home("product");
    let (writer, holder) = (product.app().await, product.superuser().await);
    run(&holder, "begin; select from freehold.log_head for update").await;
    let position = rename(&writer, 4, "stood still").await;
    let late = answer(acting.get(&of(4)).header("freehold-at-least", &position)).await;
    assert_unavailable(&late, "not-yet-applied");
    let (request, named) = (acting.get(&of(4)), position.clone());
    let waiting = tokio::spawn(async move { shown(request, &named).await });
    tokio::time::sleep(ms(300)).await;
    assert!(!waiting.is_finished());
    run(&holder, "commit").await;
    assert_eq!(waiting.await.expect("an answer"), "stood still");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_producer_only_positions_known_here_are_answered() {
    let mut acting = Acting::begin().await;
    let writer = acting.stage.home("product").app().await;
    let known = rename(&writer, 5, "known").await;
    assert_eq!(shown(acting.get(&of(5)), &known).await, "known");
    let unknown = rename(&writer, 6, "unknown").await;
    acting.stop_product();
    let begun = Instant::now();
    let refused = answer(acting.get(&of(6)).header("freehold-at-least", &unknown)).await;
    assert_unavailable(&refused, "producer-unreachable");
    assert!(begun.elapsed() < ms(1_000), "{:?}", begun.elapsed());
    assert_eq!(shown(acting.get(&of(5)), &known).await, "known");
    let (status, ..) = answer(acting.get(&of(6))).await;
    assert_eq!(status, 200, "whoever names nothing is answered");
}
