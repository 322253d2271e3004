//! The wire: what a producer refuses, and what a subscriber refuses of a producer.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::routing::get;
use freehold::subscription::State;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::shop;
use crate::fixture::{Followed, Home, TOKEN, listen, number, run, texts, until};

async fn ask(url: &str, path: &str, token: Option<&str>) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut request = client.get(format!("{url}{path}"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.expect("the feed answers");
    let status = answer.status().as_u16();
    if status == 200 {
        return (status, Value::Null);
    }
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    (status, answer.json().await.expect("a problem"))
}

#[tokio::test]
async fn the_feed_refuses_strangers_unknown_names_and_readers_from_the_future() {
    let stage = shop().await;
    let served = stage.home("product").serve().await;
    let feed = "/freehold/feed?topics=product.products&after=0";
    for (path, token, status, code) in [
        (feed, None, 401, "feed_token"),
        (feed, Some("another-token-of-tests"), 401, "feed_token"),
        (feed, Some(""), 401, "feed_token"),
        ("/freehold/snapshot/products?columns=id", None, 401, "feed_token"),
        ("/freehold/feed", None, 401, "feed_token"),
        ("/freehold/feed", Some(TOKEN), 400, "bad_query"),
        (
            "/freehold/feed?topics=product.products&after=x",
            Some(TOKEN),
            400,
            "bad_query",
        ),
        ("/freehold/snapshot/products", Some(TOKEN), 400, "bad_query"),
        (
            "/freehold/feed?topics=product.products,product.secrets&after=0",
            Some(TOKEN),
            404,
            "unknown_topic",
        ),
        ("/freehold/feed?topics=&after=0", Some(TOKEN), 404, "unknown_topic"),
        (
            "/freehold/feed?topics=product.products&after=1",
            Some(TOKEN),
            409,
            "reader_ahead",
        ),
        (
            "/freehold/snapshot/secrets?columns=id",
            Some(TOKEN),
            404,
            "unknown_table",
        ),
        (
            "/freehold/snapshot/products?columns=id,margin",
            Some(TOKEN),
            404,
            "unknown_column",
        ),
        (
            "/freehold/snapshot/products?columns=id,updated_at",
            Some(TOKEN),
            404,
            "unknown_column",
        ),
    ] {
        let (found, problem) = ask(&served.url, path, token).await;
        assert_eq!(
            (found, problem["code"].as_str()),
            (status, Some(code)),
            "{path} {token:?}: {problem}"
        );
    }
    assert_eq!(ask(&served.url, feed, Some(TOKEN)).await.0, 200);
    assert_eq!(
        ask(
            &served.url,
            "/freehold/feed?topics=product.counted&after=0",
            Some(TOKEN)
        )
        .await
        .0,
        200
    );
    assert_eq!(
        ask(&served.url, "/freehold/snapshot/products?columns=id,name", Some(TOKEN))
            .await
            .0,
        200
    );
}

#[derive(Deserialize)]
struct Asked {
    after: i64,
}

/// A producer of our own making: an empty snapshot at position 0, and these lines to a reader at 0.
async fn pretend(lines: Vec<Value>, tasks: &mut JoinSet<()>) -> String {
    let snapshot = || async { "{\"epoch\":1,\"position\":0,\"seen\":0,\"hash\":\"00\"}\n{\"rows\":0}\n" };
    let feed = move |Query(asked): Query<Asked>| {
        let lines = if asked.after == 0 { lines.clone() } else { Vec::new() };
        async move {
            use futures_util::StreamExt;
            let lines = lines
                .into_iter()
                .map(|line| Ok::<_, Infallible>(Bytes::from(format!("{line}\n"))));
            Body::from_stream(futures_util::stream::iter(lines).chain(futures_util::stream::pending()))
        }
    };
    let router = axum::Router::new()
        .route("/freehold/snapshot/{table}", get(snapshot))
        .route("/freehold/feed", get(feed));
    listen(router, tasks).await
}

fn message(position: i64, prev: i64, id: i64, version: i64) -> Value {
    json!({
        "id": position.to_string(), "time": "2026-01-01T00:00:00Z",
        "type": "product.products.changed", "topic": "product.products", "subject": id.to_string(),
        "position": position, "prev": prev, "version": version, "hash": "00",
        "data": { "id": id, "name": format!("at {position}"), "price": null }
    })
}

fn line(after: i64, upto: i64, messages: &[Value]) -> Value {
    json!({ "epoch": 1, "after": after, "upto": upto, "messages": messages })
}

async fn waits(followed: &Followed, because: &str) {
    until(because, || async {
        matches!(followed.state(), State::Waiting(problem) | State::Halted(problem) if problem.contains(because))
    })
    .await;
}

const NAMES: &str = "select name from products order by id";

async fn stands(order: &Home) -> i64 {
    number(
        &order.sql,
        "select coalesce(max(position), -1) from freehold.cursor where topic = 'product.products'",
    )
    .await
}

#[tokio::test]
async fn a_feed_that_misses_a_message_is_refused() {
    let stage = shop().await;
    let order = stage.home("order");
    let mut tasks = JoinSet::new();
    let lines = vec![line(0, 1, &[message(1, 0, 1, 1)]), line(1, 4, &[message(4, 3, 1, 2)])];
    let url = pretend(lines, &mut tasks).await;
    let followed = order.follow("product", &url);
    until("the first line takes effect", || async {
        texts(&order.sql, NAMES).await == ["at 1"]
    })
    .await;
    waits(&followed, "misses a message: position 4 follows 3, 1 was seen").await;
    assert_eq!(texts(&order.sql, NAMES).await, ["at 1"]);
    assert_eq!(stands(order).await, 1);
}

#[tokio::test]
async fn a_hole_inside_a_line_is_refused_with_all_of_it() {
    let stage = shop().await;
    let order = stage.home("order");
    let mut tasks = JoinSet::new();
    let url = pretend(
        vec![line(0, 3, &[message(1, 0, 1, 1), message(3, 2, 2, 1)])],
        &mut tasks,
    )
    .await;
    let followed = order.follow("product", &url);
    waits(&followed, "misses a message: position 3 follows 2, 1 was seen").await;
    assert!(texts(&order.sql, NAMES).await.is_empty());
    assert_eq!(stands(order).await, 0);
}

#[tokio::test]
async fn a_line_that_begins_behind_the_cursor_is_refused() {
    let stage = shop().await;
    let order = stage.home("order");
    let mut tasks = JoinSet::new();
    let url = pretend(vec![line(5, 6, &[message(6, 0, 1, 1)])], &mut tasks).await;
    let followed = order.follow("product", &url);
    waits(&followed, "a batch behind 5 where 0 was due").await;
    assert!(texts(&order.sql, NAMES).await.is_empty());
}

#[tokio::test]
async fn repeated_lines_take_effect_once() {
    let stage = shop().await;
    let order = stage.home("order");
    let mut tasks = JoinSet::new();
    let first = line(0, 2, &[message(1, 0, 1, 1), message(2, 1, 2, 1)]);
    let overlap = line(0, 3, &[message(1, 0, 1, 1), message(2, 1, 2, 1), message(3, 2, 1, 2)]);
    let url = pretend(
        vec![first.clone(), first.clone(), overlap, first, line(3, 9, &[])],
        &mut tasks,
    )
    .await;
    let _followed = order.follow("product", &url);
    until("the cursor stands at 9", || async { stands(order).await == 9 }).await;
    assert_eq!(texts(&order.sql, NAMES).await, ["at 3", "at 2"]);
}

/// A producer that is faster sends many small lines; its subscriber must not stay at a transaction for each.
#[tokio::test]
async fn lines_that_wait_are_applied_together() {
    let stage = shop().await;
    let order = stage.home("order");
    run(
        &order.owner().await,
        "create table steps (step int);
         create function step() returns trigger language plpgsql as
           $$ begin insert into public.steps values (1); perform pg_sleep(0.01); return new; end $$;
         create trigger step after update on freehold.cursor for each statement execute function step()",
    )
    .await;
    let mut tasks = JoinSet::new();
    let lines = (0..2_000).map(|n| line(n, n + 1, &[message(n + 1, n, n % 10, n + 1)]));
    let url = pretend(lines.collect(), &mut tasks).await;
    let _followed = order.follow("product", &url);
    until("the cursor stands at 2000", || async { stands(order).await == 2_000 }).await;
    let steps = number(&order.sql, "select count(*) from steps").await;
    println!("2000 lines in {steps} steps");
    assert!(steps < 500, "2000 lines took {steps} steps");
    assert_eq!(
        number(&order.sql, "select sum(version)::bigint from products").await,
        1_991 * 10 + 45
    );
}

#[tokio::test]
async fn another_epoch_halts_the_subscription() {
    let stage = shop().await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    let served = product.serve().await;
    let followed = order.follow("product", &served.url);
    order.caught_up(product).await;
    run(&product.sql, "insert into products (id, name) values (1, 'of epoch 1')").await;
    order.caught_up(product).await;
    drop(followed);
    run(
        &product.sql,
        "update freehold.log_head set epoch = 2; insert into products (id, name) values (2, 'of epoch 2')",
    )
    .await;
    let followed = order.follow("product", &served.url);
    let halted =
        || async { matches!(followed.state(), State::Halted(why) if why.contains("epoch 2 where 1 was followed")) };
    until("the subscription halts", halted).await;
    // It tries again and again, and stays halted while it does.
    for _ in 0..100 {
        assert!(halted().await, "{:?}", followed.state());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(texts(&order.sql, NAMES).await, ["of epoch 1"]);
}

#[tokio::test]
async fn a_producer_behind_its_subscriber_halts_it() {
    let stage = shop().await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    let served = product.serve().await;
    let followed = order.follow("product", &served.url);
    order.caught_up(product).await;
    drop(followed);
    run(&order.sql, "update freehold.cursor set position = 7, seen = 7").await;
    let followed = order.follow("product", &served.url);
    until("the subscription halts", || async {
        matches!(followed.state(), State::Halted(why) if why.contains("was restored to an earlier state"))
    })
    .await;
}

/// What other topics say moves the cursor too, so that nobody reads it again.
#[tokio::test]
async fn messages_of_other_topics_are_passed_over() {
    let stage = shop().await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    let served = product.serve().await;
    let _followed = order.follow("product", &served.url);
    order.caught_up(product).await;
    run(
        &product.sql,
        "select freehold.emit('product.counted', n::text, '{}') from generate_series(1, 12000) n",
    )
    .await;
    until("the cursor passes them", || async { stands(order).await >= 12_000 }).await;
    run(&product.sql, "insert into products (id, name) values (1, 'heard')").await;
    order.caught_up(product).await;
    assert_eq!(texts(&order.sql, NAMES).await, ["heard"]);
}
