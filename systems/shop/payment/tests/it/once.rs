//! One key, one capture.

use std::collections::BTreeMap;

use serde_json::json;
use shop_payment::Amount;

use crate::harness::{Answer, charge, ground, until, with};

#[tokio::test]
async fn a_payment_is_captured_and_can_be_looked_up() {
    let g = ground();
    let paid = g.shop.paid("key-1", &charge("order-1", "29.80")).await;
    assert_eq!(paid.status, 201);
    assert!(!paid.is_replayed());
    for (member, value) in [
        ("order", "order-1"),
        ("amount", "29.80"),
        ("currency", "EUR"),
        ("status", "captured"),
    ] {
        assert_eq!(paid.body[member], value);
    }
    assert_eq!(g.shop.get("/payments/by-key/key-1").await.body, paid.body);
    assert_eq!(g.shop.get("/payments?order=order-1").await.body, json!([paid.body]));
    assert_eq!(g.shop.get("/payments?order=order-2").await.body, json!([]));
    assert_eq!(g.shop.get("/payments").await.body, json!([paid.body]));
    g.shop
        .get("/payments/by-key/key-2")
        .await
        .assert_problem(404, "no-such-payment");
}

#[tokio::test]
async fn a_key_with_any_printable_character_is_looked_up_by_its_encoded_form() {
    let g = ground();
    let paid = g.shop.paid("a/b?c%20d e", &charge("order-1", "1")).await;
    assert_eq!(g.shop.get("/payments/by-key/a%2Fb%3Fc%2520d%20e").await.body, paid.body);
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer() {
    let g = ground();
    let card = charge("order-1", "29.80");
    let refused = json!({"order": "order-2", "amount": "5.00", "method": "declined-card"});
    let (first, declined) = (g.shop.paid("key-1", &card).await, g.shop.paid("key-2", &refused).await);
    assert_eq!((first.status.as_u16(), declined.status.as_u16()), (201, 402));
    assert_eq!(declined.body["status"], "declined");
    assert!(declined.body["reason"].is_string() && !declined.is_replayed());

    for _ in 0..3 {
        let (again, no_again) = (g.shop.paid("key-1", &card).await, g.shop.paid("key-2", &refused).await);
        assert_eq!((again.status.as_u16(), no_again.status.as_u16()), (200, 402));
        assert!(again.is_replayed() && no_again.is_replayed());
        assert_eq!((&again.body, &no_again.body), (&first.body, &declined.body));
    }
    let totals = json!({
        "captured": "29.80", "refunded": "0.00", "net": "29.80", "payments": 1, "refunds": 0, "declined": 1
    });
    assert_eq!(g.shop.totals().await, totals);
}

#[tokio::test]
async fn the_same_amount_written_another_way_is_the_same_request() {
    let g = ground();
    let first = g.shop.paid("key-1", &charge("order-1", "29.80")).await;
    let again = json!({"order": "order-1", "amount": "29.8", "currency": "EUR", "method": "card"});
    let again = g.shop.paid("key-1", &again).await;
    assert_eq!((again.status.as_u16(), again.id()), (200, first.id()));
}

#[tokio::test]
async fn a_key_is_not_taken_for_another_request() {
    let g = ground();
    g.shop.paid("key-1", &charge("order-1", "29.80")).await;
    for other in [
        charge("order-2", "29.80"),
        charge("order-1", "29.81"),
        json!({"order": "order-1", "amount": "29.80", "method": "cash"}),
    ] {
        g.shop.paid("key-1", &other).await.assert_problem(422, "key-reused");
    }
    assert_eq!(g.provider.totals().payments, 1);
}

#[tokio::test]
async fn another_key_for_the_same_order_charges_twice() {
    let g = ground();
    let (one, two) = (
        g.shop.paid("a", &charge("order-1", "10")).await,
        g.shop.paid("b", &charge("order-1", "10")).await,
    );
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (201, 201));
    assert_ne!(one.id(), two.id());
    assert_eq!(
        g.shop.get("/payments?order=order-1").await.body,
        json!([one.body, two.body])
    );
    assert_eq!(g.provider.totals().captured, Amount::of_cents(2_000));
}

#[tokio::test]
async fn of_sixty_four_clients_with_one_key_one_is_charged() {
    const CLIENTS: usize = 64;
    const KEYS: usize = 10;
    let g = ground();
    for key in 0..KEYS {
        let (key, body) = (format!("key-{key}"), charge(&format!("order-{key}"), "29.80"));
        let clients = (0..CLIENTS).map(|_| {
            let (shop, key, body) = (g.shop.clone(), key.clone(), body.clone());
            tokio::spawn(async move {
                loop {
                    let answer = shop.paid(&key, &body).await;
                    match answer.status.as_u16() {
                        409 => assert_eq!(answer.headers["retry-after"], "1"),
                        _ => return answer,
                    }
                }
            })
        });
        let mut statuses = BTreeMap::new();
        let mut ids = Vec::new();
        for client in clients.collect::<Vec<_>>() {
            let answer = client.await.expect("an answer");
            *statuses.entry(answer.status.as_u16()).or_insert(0) += 1;
            ids.push(answer.id().to_owned());
        }
        ids.dedup();
        assert_eq!(ids.len(), 1);
        assert_eq!(statuses, BTreeMap::from([(201, 1), (200, CLIENTS - 1)]));
    }
    let totals = g.provider.totals();
    assert_eq!(
        (totals.payments, totals.captured),
        (KEYS as u64, Amount::of_cents(2_980 * KEYS as u64))
    );
}

#[tokio::test]
async fn a_repeat_during_the_capture_is_told_to_come_back() {
    let g = with(&json!({"orders": {"order-1": "pending"}, "pending_ms": 2_000}));
    let body = charge("order-1", "29.80");
    // The client leaves while the capture is under way.
    g.shop.times_out("key-1", &body).await;
    let again = g.shop.paid("key-1", &body).await;
    again.assert_problem(409, "in-progress");
    assert_eq!(again.headers["retry-after"], "1");
    assert_eq!(g.shop.get("/payments").await.body, json!([]));

    until("the capture goes on without its client", || {
        g.provider.totals().payments == 1
    })
    .await;
    let again = Answer::of(g.shop.pay("key-1", &body)).await.expect("an answer");
    assert_eq!((again.status.as_u16(), again.is_replayed()), (200, true));
    assert_eq!(g.provider.totals().payments, 1);
}
