//! `Prefer: tx=rollback`.

use reqwest::Method;
use serde_json::json;

use super::DEFERRED;
use crate::entity::{Reply, Shop, send};

async fn write(shop: &Shop, method: Method, path: &str, body: &str, prefer: &str) -> Reply {
    send(
        shop.request(method, path)
            .header("prefer", prefer)
            .body(body.to_owned()),
    )
    .await
}

#[tokio::test]
async fn what_is_rolled_back_is_answered_as_if() {
    let shop = Shop::open().await;
    let trial = "return=representation, tx=rollback";
    let made = write(&shop, Method::POST, "/counters", r#"{"id":1,"value":5}"#, trial).await;
    assert_eq!((made.status, made.header("etag")), (201, "\"1\""), "{made:?}");
    assert_eq!(made.header("preference-applied"), trial);
    assert_eq!(made.json(), json!([{"id": 1, "value": 5, "version": 1}]));
    assert_eq!(shop.count("counters").await, 0);

    let made = write(&shop, Method::POST, "/counters", r#"{"id":1,"value":5}"#, "tx=commit").await;
    assert_eq!((made.status, made.header("preference-applied")), (201, "tx=commit"));
    let change = write(&shop, Method::PATCH, "/counters?id=eq.1", r#"{"value":6}"#, trial).await;
    assert_eq!((change.status, change.header("etag")), (200, "\"2\""));
    let put = write(&shop, Method::PUT, "/counters?id=eq.2", r#"{"value":6}"#, "tx=rollback").await;
    assert_eq!((put.status, put.header("preference-applied")), (201, "tx=rollback"));
    let gone = write(&shop, Method::DELETE, "/counters?id=gt.0", "", trial).await;
    assert_eq!(gone.json(), json!([{"id": 1, "value": 5, "version": 1}]));
    let refused = write(&shop, Method::POST, "/counters", r#"{"id":1}"#, trial).await;
    refused.problem(409, "23505");
    let there = shop.get("/counters").await;
    assert_eq!(there.json(), json!([{"id": 1, "value": 5, "version": 1}]));
}

#[tokio::test]
async fn what_is_rolled_back_is_checked_like_a_commit() {
    let shop = Shop::open_after(DEFERRED).await;
    for prefer in ["tx=rollback", "tx=commit"] {
        let reply = write(&shop, Method::POST, "/orders", r#"{"status":"paid"}"#, prefer).await;
        assert_eq!(reply.problem(400, "23514"), "an order that is paid needs a line");
        assert_eq!(reply.json()["constraint"], "orders_are_complete");
    }
    let whole = r#"{"status":"paid","order_items":[{"quantity":1}]}"#;
    let reply = write(&shop, Method::POST, "/orders", whole, "tx=rollback").await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(shop.count("orders").await, 0);
}

#[tokio::test]
async fn a_trial_is_not_kept_under_a_key() {
    let shop = Shop::open().await;
    let request = shop.request(Method::POST, "/counters").header("prefer", "tx=rollback");
    let reply = send(request.header("idempotency-key", "k").body(r#"{"id":1}"#)).await;
    reply.problem(400, "FH400");
}
