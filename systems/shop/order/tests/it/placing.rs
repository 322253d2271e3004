//! Placing orders: all the way, or not at all and with a reason.

use anyhow::{Result, ensure};
use serde_json::json;
use uuid::Uuid;

use crate::shop::{Shop, text};

#[tokio::test]
async fn an_order_goes_all_the_way_or_says_why_it_did_not() -> Result<()> {
    let shop = Shop::open().await?;
    let tea = shop.product("Black Tea", 14.9, 10).await?;
    let pot = shop.product("Teapot", 30.0, 1).await?;

    // All the way; lines of one product are added up.
    let told = shop.placed(&[(tea, 2), (pot, 1), (tea, 1)]).await?;
    assert_eq!(text(&told, "/order/status"), "confirmed", "{told}");
    let order: Uuid = text(&told, "/order/id").parse()?;
    shop.stock_is(tea, 7, 0).await?;
    shop.stock_is(pot, 0, 0).await?;
    let payments = shop
        .rows("order", &format!("order_payments?order_id=eq.{order}"))
        .await?;
    let taken = shop.provider().payments();
    assert_eq!((payments.len(), taken.len()), (1, 1));
    assert_eq!(payments[0]["transaction_id"], taken[0].id);
    assert_eq!(taken[0].amount.to_string(), "79.60");
    assert_eq!(
        shop.rows("order", &format!("order_shippings?order_id=eq.{order}"))
            .await?
            .len(),
        1
    );
    assert_eq!(shop.provider().totals().payments, 1);

    // Out of stock: nothing is promised, not even what there was of the other line.
    let told = shop.placed(&[(tea, 1), (pot, 1)]).await?;
    assert_eq!(text(&told, "/order/status"), "rejected");
    let reason = text(&told, "/order/status_reason");
    assert!(reason.starts_with("reserve_stock: out_of_stock: Teapot"), "{reason}");
    shop.stock_is(tea, 7, 0).await?;

    // Declined: what was promised is given back.
    let declined = Uuid::new_v4();
    let mischief = json!({ "orders": { declined.to_string(): "decline" } });
    shop.provider().set_mischief(mischief.to_string().parse()?)?;
    let (status, _) = shop
        .post("order", "orders/place", &shop.wish(declined, &[(tea, 1)]))
        .await?;
    assert_eq!(status, 202);
    let told = shop.ended(declined).await?;
    assert_eq!(text(&told, "/order/status"), "rejected");
    assert_eq!(
        text(&told, "/order/status_reason"),
        "take_payment: payment_declined: the card was declined"
    );
    shop.stock_is(tea, 7, 0).await?;
    for table in ["order_payments", "order_shippings"] {
        let rows = shop.rows("order", &format!("{table}?order_id=eq.{declined}")).await?;
        assert!(rows.is_empty(), "{table}: {rows:?}");
    }
    let history = shop
        .rows("order", &format!("order_history?order_id=eq.{declined}&order=id"))
        .await?;
    let statuses: Vec<&str> = history.iter().map(|line| text(line, "/to_status")).collect();
    assert_eq!(statuses, ["pending", "rejected"]);
    assert_eq!(history[1]["reason"], told["order"]["status_reason"]);
    Ok(())
}

#[tokio::test]
async fn the_same_request_again_is_answered_and_does_nothing_and_a_wrong_one_is_refused() -> Result<()> {
    let shop = Shop::open().await?;
    let tea = shop.product("Black Tea", 14.9, 10).await?;
    let order = Uuid::new_v4();
    let wish = shop.wish(order, &[(tea, 2)]);

    // Sixteen at once: one opens it, all are told of it.
    let answers =
        futures_util::future::try_join_all((0..16).map(|_| shop.post("order", "orders/place", &wish))).await?;
    assert_eq!(
        answers.iter().filter(|(status, _)| *status == 202).count(),
        1,
        "{answers:?}"
    );
    assert!(
        answers
            .iter()
            .all(|(status, body)| [200, 202].contains(status) && body["saga"] == answers[0].1["saga"])
    );
    shop.order_is(order, "confirmed").await?;
    shop.stock_is(tea, 8, 0).await?;
    assert_eq!(shop.post("order", "orders/place", &wish).await?.0, 200);
    let (status, body) = shop
        .post("order", "orders/place", &shop.wish(order, &[(tea, 3)]))
        .await?;
    assert_eq!((status, text(&body, "/code")), (409, "id_reused"));

    // What the provider tells twice, or somebody else tells.
    let paid = &shop.provider().payments()[0];
    let notice = json!({ "payment": paid.id, "order": paid.order, "key": paid.key, "status": "captured" });
    for _ in 0..2 {
        assert_eq!(shop.post("order", "payments/notifications", &notice).await?.0, 204);
    }
    let mut forged = notice.clone();
    forged["key"] = json!(Uuid::new_v4());
    let (status, body) = shop.post("order", "payments/notifications", &forged).await?;
    assert_eq!((status, text(&body, "/code")), (422, "unknown_payment"));
    forged["order"] = json!(Uuid::new_v4());
    assert_eq!(shop.post("order", "payments/notifications", &forged).await?.0, 404);
    assert_eq!(
        shop.rows("order", &format!("order_payments?order_id=eq.{order}"))
            .await?
            .len(),
        1
    );

    // What cannot be an order starts nothing.
    let before = shop.rows("order", "orders?select=id").await?.len();
    let wish = || shop.wish(Uuid::new_v4(), &[(tea, 1)]);
    let mut unknown = wish();
    unknown["lines"][0]["product_id"] = json!(Uuid::new_v4());
    let mut nobody = wish();
    nobody["user_id"] = json!(Uuid::new_v4());
    let mut none = wish();
    none["lines"] = json!([]);
    let mut extra = wish();
    extra["colour"] = json!("red");
    for (body, expected, named) in [
        (unknown, 422, "product_id_ref"),
        (nobody, 422, "user_id_ref"),
        (none, 422, "lines"),
        (extra, 400, "colour"),
        (json!([]), 400, "object"),
    ] {
        let (status, answer) = shop.post("order", "orders/place", &body).await?;
        assert_eq!(status, expected, "{answer}");
        ensure!(text(&answer, "/detail").contains(named), "{answer}");
    }
    assert_eq!(shop.rows("order", "orders?select=id").await?.len(), before);
    Ok(())
}
