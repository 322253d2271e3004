//! Changing and deleting rows over HTTP, guarded and not.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::entity::{Shop, send};

#[tokio::test]
async fn a_guarded_change_needs_the_current_version() {
    let shop = Shop::open().await;
    shop.send(Method::POST, "/counters", r#"{"id":1}"#).await;
    let patch = |tag: &'static str, body: &str| {
        send(
            shop.write(Method::PATCH, "/counters?id=eq.1", body)
                .header("if-match", tag),
        )
    };
    let reply = patch("\"1\"", r#"{"value":5}"#).await;
    assert_eq!(
        (reply.status, reply.header("etag"), reply.header("content-range")),
        (200, "\"2\"", "0-0/*")
    );
    let reply = patch("\"1\"", r#"{"value":6}"#).await;
    reply.problem(412, "FH412");
    assert_eq!(
        (reply.json()["current_version"].clone(), reply.header("etag")),
        (json!(2), "\"2\"")
    );
    assert_eq!(patch("\"1\", \"2\"", r#"{"value":7}"#).await.status, 200);
    assert_eq!(patch("*", r#"{"value":8}"#).await.status, 200);
    patch("W/\"4\"", r#"{"value":9}"#).await.problem(400, "FH400");
    let body = |body| shop.send(Method::PATCH, "/counters?id=eq.1", body);
    body(r#"{"value":9,"version":3}"#).await.problem(412, "FH412");
    let reply = body(r#"{"value":9,"version":4}"#).await;
    assert_eq!(reply.json()[0]["version"], 5);
    let reply = shop.write(Method::PATCH, "/counters?id=eq.2", r#"{"value":1}"#);
    send(reply.header("if-match", "\"1\"")).await.problem(404, "PGRST116");
    let wide = shop.write(Method::PATCH, "/counters?value=gt.0", r#"{"value":1}"#);
    send(wide.header("if-match", "\"1\"")).await.problem(400, "FH400");
    let delete = |tag| {
        send(
            shop.request(Method::DELETE, "/counters?id=eq.1")
                .header("if-match", tag),
        )
    };
    delete("\"4\"").await.problem(412, "FH412");
    assert_eq!(delete("\"5\"").await.status, 204);
    delete("\"5\"").await.problem(404, "PGRST116");
    shop.send(Method::POST, "/counters", r#"{"id":1,"version":4}"#)
        .await
        .problem(400, "PGRST102");
}

#[tokio::test]
async fn a_table_that_wants_a_guard_is_not_changed_without_one() {
    let shop = Shop::open().await;
    shop.send(Method::POST, "/guarded", r#"{"id":1,"version":null}"#).await;
    let change = |method, body| shop.send(method, "/guarded?id=eq.1", body);
    change(Method::PATCH, r#"{"value":"x"}"#).await.problem(428, "FH428");
    change(Method::PUT, r#"{"id":1,"value":"x"}"#)
        .await
        .problem(428, "FH428");
    change(Method::DELETE, "").await.problem(428, "FH428");
    assert_eq!(change(Method::PATCH, r#"{"value":"x","version":1}"#).await.status, 200);
    let reply = change(Method::PUT, r#"{"id":1,"value":"y","version":2}"#).await;
    assert_eq!(reply.json(), json!([{"id":1,"value":"y","version":3}]));
    let create = |id| {
        let path = format!("/guarded?id=eq.{id}");
        send(
            shop.write(Method::PUT, &path, r#"{"value":"n"}"#)
                .header("if-none-match", "*"),
        )
    };
    assert_eq!(create(2).await.status, 201);
    create(2).await.problem(412, "FH412");
}

#[tokio::test]
async fn put_makes_or_replaces_one_row() {
    let shop = Shop::open().await;
    let put = |body| shop.send(Method::PUT, "/counters?id=eq.7", body);
    let reply = put(r#"{"id":7,"value":1}"#).await;
    assert_eq!((reply.status, reply.header("etag")), (201, "\"1\""));
    let reply = put(r#"{"id":7,"value":2}"#).await;
    assert_eq!((reply.status, reply.header("etag")), (200, "\"2\""));
    assert_eq!(reply.json(), json!([{"id":7,"value":2,"version":2}]));
    let minimal = shop.request(Method::PUT, "/counters?id=eq.7").body("{\"value\":3}");
    assert_eq!(send(minimal).await.status, 204);
    put(r#"{"id":8,"value":2}"#).await.problem(400, "PGRST115");
    let wide = shop.send(Method::PUT, "/counters?id=eq.7&value=eq.1", "{}").await;
    wide.problem(405, "PGRST105");
    assert_eq!(put("{}").await.status, 200);
}

#[tokio::test]
async fn nothing_is_changed_without_a_filter() {
    let shop = Shop::open().await;
    shop.send(Method::POST, "/counters", r#"[{"id":1},{"id":2},{"id":3}]"#)
        .await;
    shop.send(Method::PATCH, "/counters", r#"{"value":1}"#)
        .await
        .problem(400, "21000");
    shop.send(Method::DELETE, "/counters", "").await.problem(400, "21000");
    let one = |method, body| {
        let request = shop.write(method, "/counters?id=gt.1", body);
        send(request.header("accept", "application/vnd.pgrst.object+json"))
    };
    let reply = one(Method::PATCH, r#"{"value":1}"#).await;
    reply.problem(406, "PGRST116");
    assert_eq!(reply.json()["details"], "The result contains 2 rows");
    one(Method::DELETE, "").await.problem(406, "PGRST116");
    let reply = shop.get("/counters?select=value&order=id").await;
    assert_eq!(reply.json(), json!([{"value":0},{"value":0},{"value":0}]), "taken back");
    let reply = shop.send(Method::PATCH, "/counters?id=gt.1", r#"{"value":1}"#).await;
    assert_eq!((reply.status, reply.header("content-range")), (200, "0-1/*"));
    let reply = shop.send(Method::PATCH, "/counters?id=eq.9", r#"{"value":1}"#).await;
    assert_eq!(
        (reply.status, reply.text.as_str(), reply.header("content-range")),
        (200, "[]", "*/*")
    );
    let reply = send(shop.request(Method::PATCH, "/counters?id=eq.9").body("{\"value\":1}")).await;
    assert_eq!(reply.status, 204);
    let reply = shop.send(Method::DELETE, "/counters?id=gt.1&select=id", "").await;
    assert_eq!(reply.json().as_array().map(Vec::len), Some(2));
    assert_eq!(shop.count("counters").await, 1);
}

#[tokio::test]
async fn an_append_only_table_is_only_appended_to() {
    let shop = Shop::open().await;
    assert_eq!(shop.send(Method::POST, "/history", r#"{"what":"x"}"#).await.status, 201);
    for method in [Method::PATCH, Method::PUT, Method::DELETE] {
        let reply = shop.send(method, "/history?id=eq.1", r#"{"what":"y"}"#).await;
        reply.problem(405, "PGRST117");
        assert_eq!(reply.header("allow"), "OPTIONS, GET, HEAD, POST");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_clients_that_count_none_loses_a_count() {
    const CLIENTS: usize = 64;
    const COUNTS: usize = 50;
    let shop = Arc::new(Shop::open_with(16).await);
    shop.send(Method::POST, "/counters", r#"{"id":1}"#).await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let shop = shop.clone();
        clients.spawn(async move { count(&shop, COUNTS).await });
    }
    let mut refused = 0;
    while let Some(end) = clients.join_next().await {
        refused += end.expect("a client counts to its end");
    }
    assert!(refused > 0, "nobody was in anybody's way");
    let expected = (CLIENTS * COUNTS) as i64;
    let row = shop.get("/counters?id=eq.1").await.json();
    assert_eq!(
        (row[0]["value"].as_i64(), row[0]["version"].as_i64()),
        (Some(expected), Some(expected + 1))
    );
}

/// Counts one client's share under guards, and returns how often it was refused.
///
/// The answer to a change is what the next one starts from; a refused client waits the longer the more often it was.
async fn count(shop: &Shop, counts: usize) -> usize {
    let mut known = shop.get("/counters?id=eq.1").await;
    let (mut accepted, mut refused, mut in_a_row) = (0, 0, 0_u32);
    while accepted < counts {
        let value = known.json()[0]["value"].as_i64().unwrap_or_default() + 1;
        let body = json!({ "value": value }).to_string();
        let change = shop.write(Method::PATCH, "/counters?id=eq.1", &body);
        let reply = send(change.header("if-match", known.header("etag"))).await;
        match reply.status {
            200 => (known, accepted, in_a_row) = (reply, accepted + 1, 0),
            412 => {
                (refused, in_a_row) = (refused + 1, in_a_row + 1);
                let pause = fastrand::u64(0..=32 << in_a_row.min(6));
                tokio::time::sleep(Duration::from_millis(pause)).await;
                known = shop.get("/counters?id=eq.1").await;
            }
            status => panic!("{status}: {reply:?}"),
        }
    }
    refused
}
