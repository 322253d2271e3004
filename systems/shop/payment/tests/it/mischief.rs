//! Everything that goes wrong on purpose.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Answer, charge, ground, mischief, until, with};

#[tokio::test]
async fn a_share_of_keys_is_declined_and_stays_declined() {
    let g = with(&json!({"decline": 50}));
    let mut statuses = Vec::new();
    for n in 0..100 {
        statuses.push(
            g.shop
                .paid(&format!("key-{n}"), &charge(&format!("order-{n}"), "1"))
                .await
                .status
                .as_u16(),
        );
    }
    let declined = statuses.iter().filter(|&&status| status == 402).count();
    assert!((30..70).contains(&declined), "{declined}");
    assert_eq!(g.provider.totals().declined, declined as u64);

    g.provider.set_mischief(mischief(&json!({}))).expect("a spec");
    for (n, status) in statuses.iter().enumerate() {
        let again = g
            .shop
            .paid(&format!("key-{n}"), &charge(&format!("order-{n}"), "1"))
            .await;
        assert_eq!(again.status, if *status == 201 { 200 } else { 402 });
    }
    assert_eq!(g.provider.totals().declined, declined as u64);
}

#[tokio::test]
async fn two_providers_with_one_seed_decline_the_same_keys() {
    let (a, b) = (with(&json!({"decline": 50})), with(&json!({"decline": 50})));
    for n in 0..50 {
        let (key, body) = (format!("key-{n}"), charge("order", "1"));
        assert_eq!(
            a.shop.paid(&key, &body).await.status,
            b.shop.paid(&key, &body).await.status
        );
    }
}

#[tokio::test]
async fn after_a_hang_before_the_capture_nothing_was_taken_and_a_repeat_works() {
    let g = with(&json!({"hang_before": 100}));
    let body = charge("order-1", "29.80");
    g.shop.times_out("key-1", &body).await;
    assert_eq!(g.provider.totals().payments, 0);
    g.shop
        .get("/payments/by-key/key-1")
        .await
        .assert_problem(404, "no-such-payment");
    let again = g.shop.paid("key-1", &body).await;
    assert_eq!((again.status.as_u16(), again.is_replayed()), (201, false));
    assert_eq!(g.provider.totals().payments, 1);
}

#[tokio::test]
async fn after_a_hang_after_the_capture_a_repeat_gets_the_stored_answer() {
    let g = with(&json!({"hang_after": 100}));
    let body = charge("order-1", "29.80");
    g.shop.times_out("key-1", &body).await;
    until("it is captured", || g.provider.totals().payments == 1).await;
    let again = g.shop.paid("key-1", &body).await;
    assert_eq!((again.status.as_u16(), again.is_replayed()), (200, true));
    assert_eq!(g.provider.totals().payments, 1);
}

#[tokio::test]
async fn who_waits_for_a_hanging_request_gets_504_at_last() {
    let g = with(&json!({"hang_before": 100, "hang_ms": 50}));
    g.shop
        .paid("key-1", &charge("order-1", "1"))
        .await
        .assert_problem(504, "mischief");
    assert_eq!(g.provider.totals().payments, 0);
}

#[tokio::test]
async fn a_late_answer_is_the_true_one_and_a_repeat_need_not_wait_for_it() {
    let g = with(&json!({"orders": {"order-1": "late"}, "late_ms": 1_500}));
    let (begun, body) = (Instant::now(), charge("order-1", "29.80"));
    let (shop, late) = (g.shop.clone(), body.clone());
    let late = tokio::spawn(async move { shop.paid("key-1", &late).await });
    until("it is captured", || g.provider.totals().payments == 1).await;
    let again = g.shop.paid("key-1", &body).await;
    assert_eq!((again.status.as_u16(), late.is_finished()), (200, false));

    let late = late.await.expect("an answer");
    assert!(begun.elapsed() >= Duration::from_millis(1_500));
    assert_eq!((late.status.as_u16(), late.id()), (201, again.id()));
}

#[tokio::test]
async fn the_first_attempts_fail_before_the_capture() {
    let g = with(&json!({"error_before": 100, "attempts": 3}));
    let body = charge("order-1", "29.80");
    for _ in 0..3 {
        let answer = g.shop.paid("key-1", &body).await;
        assert!(matches!(answer.status.as_u16(), 500 | 503));
        assert_eq!(g.provider.totals().payments, 0);
    }
    assert_eq!(g.shop.paid("key-1", &body).await.status, 201);
}

#[tokio::test]
async fn the_first_attempts_fail_after_the_capture() {
    let g = with(&json!({"error_after": 100, "attempts": 3}));
    let body = charge("order-1", "29.80");
    for _ in 0..3 {
        let answer = g.shop.paid("key-1", &body).await;
        answer.assert_problem(answer.status.as_u16(), "mischief");
        assert!(matches!(answer.status.as_u16(), 500 | 503));
        assert_eq!(g.provider.totals().payments, 1);
    }
    let again = g.shop.paid("key-1", &body).await;
    assert_eq!((again.status.as_u16(), again.is_replayed()), (200, true));
    assert_eq!(g.provider.totals().payments, 1);
}

#[tokio::test]
async fn some_keys_get_500_and_others_503() {
    let g = with(&json!({"error_before": 100}));
    let mut statuses = std::collections::BTreeSet::new();
    for n in 0..40 {
        statuses.insert(
            g.shop
                .paid(&format!("key-{n}"), &charge("order", "1"))
                .await
                .status
                .as_u16(),
        );
    }
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), [500, 503]);
}

#[tokio::test]
async fn a_method_by_name_misbehaves_without_any_mischief() {
    let g = with(&json!({"late_ms": 50}));
    let by = |method: &str| json!({"order": format!("by-{method}"), "amount": "1", "method": method});
    assert_eq!(g.shop.paid("a", &by("declined-card")).await.status, 402);
    assert_eq!(g.shop.paid("b", &by("late-card")).await.status, 201);
    g.shop.times_out("c", &by("slow-card")).await;
    until("it is captured", || g.provider.totals().payments == 2).await;
    assert_eq!(g.shop.paid("c", &by("slow-card")).await.status, 200);
    assert_eq!((g.provider.totals().payments, g.provider.totals().declined), (2, 1));
}

#[tokio::test]
async fn an_order_by_name_is_stronger_than_rates_and_methods() {
    let g = with(&json!({"decline": 100, "orders": {"lucky": "none"}}));
    let body = json!({"order": "lucky", "amount": "1", "method": "declined-card"});
    assert_eq!(g.shop.paid("a", &body).await.status, 201);
    assert_eq!(g.shop.paid("b", &charge("other", "1")).await.status, 402);
}

#[tokio::test]
async fn mischief_is_switched_while_it_runs() {
    let g = ground();
    let url = format!("{}/mischief", g.shop.url);
    let put = |spec| Answer::of(g.shop.http.put(&url).json(&spec));
    let set = put(json!({"orders": {"order-1": "decline"}})).await.expect("an answer");
    assert_eq!(
        (set.status.as_u16(), &set.body["orders"]["order-1"]),
        (200, &json!("decline"))
    );
    assert_eq!(g.shop.paid("a", &charge("order-1", "1")).await.status, 402);
    assert_eq!(g.shop.get("/mischief").await.body, set.body);

    put(json!({"decline": 101}))
        .await
        .expect("an answer")
        .assert_problem(422, "bad-mischief");
    put(json!({"declin": 1}))
        .await
        .expect("an answer")
        .assert_problem(422, "bad-mischief");
    assert_eq!(
        g.shop.get("/mischief").await.body,
        set.body,
        "a refused mischief changes nothing"
    );
    put(json!({})).await.expect("an answer");
    assert_eq!(g.shop.paid("b", &charge("order-1", "1")).await.status, 201);
}
