//! Positions of transactions, of replayed answers, and of trials.

use reqwest::{Method, Response};
use serde_json::json;

use super::{Acting, of, shown};

async fn send(acting: &Acting, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Response {
    let mut request = acting
        .http
        .request(method, format!("http://127.0.0.1:{}{path}", acting.ports[0]));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.body(body).send().await.expect("product answers");
    assert!(response.status().is_success(), "{response:?}");
    response
}

fn position(response: &Response) -> Option<String> {
    let position = response.headers().get("freehold-position")?;
    Some(position.to_str().expect("a text").to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_and_what_is_answered_again_have_the_position_of_their_write() {
    let acting = Acting::begin().await;
    let patch = |name: &str| json!({ "name": name }).to_string();
    let key = [("idempotency-key", "k")];
    let first = send(&acting, Method::PATCH, "/products?id=eq.1", &key, patch("once")).await;
    let first = position(&first).expect("a write has a position");
    let again = send(&acting, Method::PATCH, "/products?id=eq.1", &key, patch("once")).await;
    assert_eq!(position(&again), Some(first.clone()));
    assert_eq!(shown(acting.get(&of(1)), &first).await, "once");

    let operations = json!([
        {"method": "PATCH", "path": "/products?id=eq.2", "body": {"name": "together"}},
        {"method": "PATCH", "path": "/products?id=eq.3", "body": {"name": "together"}},
        {"method": "GET", "path": "/products?id=eq.3"},
    ])
    .to_string();
    let trial = [("prefer", "tx=rollback")];
    let trial = send(&acting, Method::POST, "/transaction", &trial, operations.clone()).await;
    assert_eq!(position(&trial), None);
    let whole = send(&acting, Method::POST, "/transaction", &[], operations).await;
    let whole = position(&whole).expect("a transaction has a position");
    for id in [2, 3] {
        assert_eq!(shown(acting.get(&of(id)), &whole).await, "together");
    }
}
