//! A message that cannot be handled sets its key aside; every other key flows.

use super::acting::Acting;
use super::stage;
use crate::fixture::{Stage, number, run, texts, until};

/// Says `buyer.bought` for each key, so often, interleaved.
async fn say(stage: &Stage, keys: &str, times: i64) {
    run(
        &stage.home("buyer").sql,
        &format!(
            "select freehold.emit('buyer.bought', k, json_build_object('purchase', k, 'number', n))
             from generate_series(1, {times}) n, ({keys}) as keys(k)"
        ),
    )
    .await;
}

async fn sold(stage: &Stage, which: &str) -> i64 {
    number(
        &stage.home("store").sql,
        &format!("select count(*) from sold where {which}"),
    )
    .await
}

#[tokio::test]
async fn a_poisoned_key_waits_with_its_followers_while_the_others_flow() {
    let stage = stage().await;
    let store = &stage.home("store").sql;
    run(store, "insert into broken values ('k7')").await;
    let _acting = Acting::both(&stage).await;
    say(&stage, "select 'k' || i from generate_series(1, 200) i", 5).await;
    until("the other keys are handled", || async {
        sold(&stage, "purchase <> 'k7'").await == 199 * 5
    })
    .await;
    until("its followers wait", || async {
        number(store, "select count(*) from freehold.parked").await == 5
    })
    .await;
    assert_eq!(sold(&stage, "purchase = 'k7'").await, 0);
    assert_eq!(texts(store, "select key from freehold.parked_key").await, ["k7"]);

    run(store, "delete from broken").await;
    until("it is tried again by itself", || async {
        sold(&stage, "purchase = 'k7'").await == 5
    })
    .await;
    until("nothing is set aside", || async {
        number(store, "select count(*) from freehold.parked_key").await == 0
    })
    .await;
    let order = "select string_agg(number::text, ' ' order by place) from sold where purchase = 'k7'";
    assert_eq!(texts(store, order).await, ["1 2 3 4 5"]);
    let disorder = "select count(*) from (select number, lag(number) over (partition by purchase order by place) as before from sold) s
                    where before >= number";
    assert_eq!(number(store, disorder).await, 0);
}

#[tokio::test]
async fn after_its_last_attempt_a_key_waits_for_an_operator() {
    let stage = stage().await;
    let store = &stage.home("store").sql;
    run(store, "insert into broken values ('k')").await;
    let _acting = Acting::both(&stage).await;
    say(&stage, "select 'k'", 2).await;
    until("it is set aside", || async {
        number(store, "select count(*) from freehold.parked").await == 2
    })
    .await;
    run(store, "update freehold.parked_key set attempts = 5, next_at = now()").await;
    until("it is parked", || async {
        texts(store, "select state from freehold.parked_key").await == ["parked"]
    })
    .await;
    run(store, "delete from broken").await;
    // What an operator's redrive does.
    run(
        store,
        "update freehold.parked_key set state = 'retrying', attempts = 0, next_at = now()",
    )
    .await;
    until("it is handled", || async { sold(&stage, "purchase = 'k'").await == 2 }).await;
}

#[tokio::test]
async fn a_handler_that_panics_and_a_body_that_cannot_be_read_set_their_keys_aside() {
    let stage = stage().await;
    let store = &stage.home("store").sql;
    let _acting = Acting::both(&stage).await;
    run(
        &stage.home("buyer").sql,
        r#"select freehold.emit('buyer.bought', 'panics', '{"purchase": "panics", "number": -1}');
           select freehold.emit('buyer.bought', 'unread', '{"purchase": 7}');
           select freehold.send('store.commands', 'store.reserve', 'bare', '{"no": "envelope"}');
           select freehold.emit('buyer.bought', 'good', '{"purchase": "good", "number": 1, "a field of later": true}')"#,
    )
    .await;
    until("the good one is handled", || async { sold(&stage, "true").await == 1 }).await;
    let aside = "select key from freehold.parked_key order by key";
    until("the others are set aside", || async {
        texts(store, aside).await == ["bare", "panics", "unread"]
    })
    .await;
}

#[tokio::test]
async fn a_rule_that_waits_for_the_commit_is_held_against_the_message_that_broke_it() {
    let stage = stage().await;
    let store = &stage.home("store").sql;
    let _acting = Acting::both(&stage).await;
    run(
        &stage.home("buyer").sql,
        r#"select freehold.emit('buyer.bought', 'a', '{"purchase": "a", "number": 1}');
           select freehold.emit('buyer.bought', 'b', '{"purchase": "a", "number": 1}');
           select freehold.emit('buyer.bought', 'c', '{"purchase": "c", "number": 1}')"#,
    )
    .await;
    until("the others are handled", || async { sold(&stage, "true").await == 2 }).await;
    assert_eq!(texts(store, "select key from freehold.parked_key").await, ["b"]);
}
