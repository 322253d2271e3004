//! The second way to hear of a payment.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::harness::{Ground, charge, until, with};

/// A client that is told: what it heard and when, and how many notices it fails to take first.
#[derive(Debug, Clone, Default)]
struct Ear {
    heard: Arc<Mutex<Vec<(Instant, Value)>>>,
    deaf: Arc<Mutex<u32>>,
}

impl Ear {
    fn heard(&self) -> Vec<Value> {
        self.heard
            .lock()
            .expect("a lock")
            .iter()
            .map(|(_, notice)| notice.clone())
            .collect()
    }
}

async fn hear(State(ear): State<Ear>, Json(notice): Json<Value>) -> StatusCode {
    let mut deaf = ear.deaf.lock().expect("a lock");
    if *deaf > 0 {
        *deaf -= 1;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    ear.heard.lock().expect("a lock").push((Instant::now(), notice));
    StatusCode::NO_CONTENT
}

async fn told(spec: &Value) -> (Ground, Ear) {
    let (g, ear) = (with(spec), Ear::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/told", listener.local_addr().expect("an address"));
    g.provider.set_webhook(Some(url.parse().expect("a url")));
    let app = Router::new().route("/told", post(hear)).with_state(ear.clone());
    tokio::spawn(axum::serve(listener, app).into_future());
    (g, ear)
}

#[tokio::test]
async fn payments_declines_and_refunds_are_told_once_each_and_replays_are_not() {
    let (g, ear) = told(&json!({"orders": {"order-2": "decline"}})).await;
    let paid = g.shop.paid("key-1", &charge("order-1", "29.80")).await;
    until("the payment is told", || ear.heard().len() == 1).await;
    g.shop.paid("key-1", &charge("order-1", "29.80")).await;
    let declined = g.shop.paid("key-2", &charge("order-2", "1")).await;
    until("the decline is told", || ear.heard().len() == 2).await;
    g.shop.refunded("back-1", paid.id()).await;
    until("the refund is told", || ear.heard().len() == 3).await;
    let notice =
        |payment: &str, order, key, status| json!({"payment": payment, "order": order, "key": key, "status": status});
    let expected = [
        notice(paid.id(), "order-1", "key-1", "captured"),
        notice(declined.id(), "order-2", "key-2", "declined"),
        notice(paid.id(), "order-1", "back-1", "refunded"),
    ];
    assert_eq!(ear.heard(), expected);
}

#[tokio::test]
async fn a_payment_may_be_told_twice() {
    let (g, ear) = told(&json!({"webhook_twice": 100})).await;
    g.shop.paid("key-1", &charge("order-1", "29.80")).await;
    until("both are told", || ear.heard().len() == 2).await;
    assert_eq!(ear.heard()[0], ear.heard()[1]);
}

#[tokio::test]
async fn a_payment_may_be_told_before_it_is_answered() {
    let (g, ear) = told(&json!({"webhook_first": 100, "webhook_twice": 100})).await;
    for n in 0..10 {
        g.shop.paid(&format!("key-{n}"), &charge("order-1", "1")).await;
        assert_eq!(ear.heard().len(), 2 * (n + 1));
    }
}

#[tokio::test]
async fn a_payment_may_be_told_late() {
    let (g, ear) = told(&json!({"webhook_late": 100, "late_ms": 2_000})).await;
    let begun = Instant::now();
    for n in 0..10 {
        g.shop.paid(&format!("key-{n}"), &charge("order-1", "1")).await;
    }
    until("all are told", || ear.heard().len() == 10).await;
    let last = ear
        .heard
        .lock()
        .expect("a lock")
        .last()
        .map(|(at, _)| at.duration_since(begun));
    assert!(last.is_some_and(|last| last > Duration::from_millis(500)), "{last:?}");
}

#[tokio::test]
async fn a_client_that_fails_to_hear_is_told_again() {
    let (g, ear) = told(&json!({})).await;
    *ear.deaf.lock().expect("a lock") = 2;
    g.shop.paid("key-1", &charge("order-1", "29.80")).await;
    until("it is told at the third attempt", || ear.heard().len() == 1).await;
}

#[tokio::test]
async fn nobody_listening_costs_no_answer_even_if_he_should_hear_first() {
    let (g, _) = told(&json!({"webhook_first": 100})).await;
    g.provider
        .set_webhook(Some("http://127.0.0.1:1/nobody".parse().expect("a url")));
    assert_eq!(g.shop.paid("key-1", &charge("order-1", "29.80")).await.status, 201);
}

#[tokio::test]
async fn with_a_rate_of_nothing_nothing_is_told() {
    let (g, ear) = told(&json!({"webhook": 0, "webhook_first": 100})).await;
    g.shop.paid("key-1", &charge("order-1", "29.80")).await;
    assert_eq!(ear.heard().len(), 0);
}
