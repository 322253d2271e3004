//! Money given back.

use serde_json::json;
use shop_payment::Amount;

use crate::harness::{IMPATIENT, charge, ground, mischief, until};

#[tokio::test]
async fn a_payment_is_given_back_once_and_whole() {
    let g = ground();
    let paid = g.shop.paid("key-1", &charge("order-1", "29.80")).await;
    let first = g.shop.refunded("back-1", paid.id()).await;
    assert_eq!(first.status, 201);
    for (member, value) in [
        ("payment", paid.id()),
        ("amount", "29.80"),
        ("order", "order-1"),
        ("status", "refunded"),
    ] {
        assert_eq!(first.body[member], value);
    }
    let again = g.shop.refunded("back-1", paid.id()).await;
    assert_eq!(
        (again.status.as_u16(), again.is_replayed(), &again.body),
        (200, true, &first.body)
    );
    g.shop
        .refunded("back-2", paid.id())
        .await
        .assert_problem(409, "already-refunded");

    assert_eq!(g.shop.get("/refunds").await.body, json!([first.body]));
    let totals = json!({
        "captured": "29.80", "refunded": "29.80", "net": "0.00", "payments": 1, "refunds": 1, "declined": 0
    });
    assert_eq!(g.shop.totals().await, totals);
    // The payment's own answer stays what it was.
    assert_eq!(g.shop.paid("key-1", &charge("order-1", "29.80")).await.body, paid.body);
}

#[tokio::test]
async fn only_a_captured_payment_is_given_back() {
    let g = ground();
    let declined = json!({"order": "order-1", "amount": "5.00", "method": "declined-card"});
    let declined = g.shop.paid("key-1", &declined).await;
    g.shop
        .refunded("back-1", declined.id())
        .await
        .assert_problem(409, "not-captured");
    g.shop
        .refunded("back-1", "pay_0")
        .await
        .assert_problem(404, "no-such-payment");
    assert_eq!(g.provider.totals().refunds, 0);
}

#[tokio::test]
async fn a_refund_has_keys_of_its_own_and_each_stands_for_one_payment() {
    let g = ground();
    let one = g.shop.paid("key-1", &charge("order-1", "1")).await;
    let two = g.shop.paid("key-2", &charge("order-2", "2")).await;
    assert_eq!(g.shop.refunded("key-1", one.id()).await.status, 201);
    g.shop
        .refunded("key-1", two.id())
        .await
        .assert_problem(422, "key-reused");
    assert_eq!(g.provider.totals().net, Amount::of_cents(200));
}

#[tokio::test]
async fn of_sixty_four_refunds_of_one_payment_with_as_many_keys_one_gives_money_back() {
    let g = ground();
    let paid = g.shop.paid("key-1", &charge("order-1", "29.80")).await;
    // All of them come while the first is under way.
    let slow = json!({"pending": 100, "pending_ms": 500});
    g.provider.set_mischief(mischief(&slow)).expect("a spec");
    let refunds = (0..64).map(|n| {
        let (shop, id) = (g.shop.clone(), paid.id().to_owned());
        tokio::spawn(async move { shop.refunded(&format!("back-{n}"), &id).await.status.as_u16() })
    });
    let mut created = 0;
    for refund in refunds.collect::<Vec<_>>() {
        match refund.await.expect("an answer") {
            201 => created += 1,
            status => assert_eq!(status, 409),
        }
    }
    assert_eq!(
        (created, g.provider.totals().refunds, g.provider.refunds().len()),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn a_refund_that_hangs_after_it_was_made_is_found_by_its_repeat() {
    let g = ground();
    let paid = g.shop.paid("key-1", &charge("order-1", "29.80")).await;
    g.provider
        .set_mischief(mischief(&json!({"hang_after": 100})))
        .expect("a spec");
    let hanging = g.shop.refund("back-1", paid.id()).timeout(IMPATIENT).send().await;
    assert!(hanging.expect_err("a hanging request").is_timeout());
    until("it is made", || g.provider.totals().refunds == 1).await;
    let again = g.shop.refunded("back-1", paid.id()).await;
    assert_eq!((again.status.as_u16(), again.is_replayed()), (200, true));
    assert_eq!(g.provider.totals().refunded, Amount::of_cents(2_980));
}
