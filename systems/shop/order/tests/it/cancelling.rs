//! Cancelling orders: everything is undone, or the order stands as before.

use anyhow::Result;
use serde_json::json;
use uuid::Uuid;

use crate::shop::{Shop, text};

#[tokio::test]
async fn a_cancelled_order_gives_back_money_and_stock_and_one_that_cannot_be_refunded_stands() -> Result<()> {
    let shop = Shop::open().await?;
    let tea = shop.product("Black Tea", 14.9, 10).await?;
    let told = shop.placed(&[(tea, 4)]).await?;
    let order: Uuid = text(&told, "/order/id").parse()?;
    shop.stock_is(tea, 6, 0).await?;

    let path = format!("orders/{order}/cancel");
    let (status, body) = shop.post("order", &path, &json!({ "reason": "too much tea" })).await?;
    assert_eq!((status, text(&body, "/order/status")), (202, "cancelled"));
    shop.stock_is(tea, 10, 0).await?;
    assert_eq!(shop.provider().refunds().len(), 1);
    assert_eq!(shop.provider().totals().net.to_string(), "0.00");
    let payments = shop
        .rows("order", &format!("order_payments?order_id=eq.{order}"))
        .await?;
    assert_eq!(payments[0]["payment_status"], "refunded");
    let shippings = shop
        .rows("order", &format!("order_shippings?order_id=eq.{order}"))
        .await?;
    assert_eq!(shippings[0]["shipping_status"], "cancelled");
    let history = shop
        .rows("order", &format!("order_history?order_id=eq.{order}&order=id"))
        .await?;
    let last = history.last().expect("a history");
    assert_eq!(
        (text(last, "/to_status"), text(last, "/reason")),
        ("cancelled", "too much tea")
    );
    // Again: it is the same cancellation.
    assert_eq!(shop.post("order", &path, &json!({})).await?.0, 202);
    assert_eq!(shop.provider().refunds().len(), 1);

    // A payment that the provider does not know: it refuses, and the order stands.
    let foreign = Uuid::new_v4();
    let row = json!({
        "id": foreign, "user_id_ref": shop.buyer, "status": "paid",
        "order_items": [{ "product_id_ref": tea, "quantity": 1 }],
        "order_payments": [{
            "payment_method": "card", "payment_status": "paid", "transaction_id": "pay_elsewhere", "amount": 14.9,
            "paid_at": "2026-01-01T00:00:00Z",
        }],
    });
    assert_eq!(shop.post("order", "orders", &row).await?.0, 201);
    assert_eq!(
        shop.post("order", &format!("orders/{foreign}/cancel"), &json!({}))
            .await?
            .0,
        202
    );
    let reopened = shop.order_is(foreign, "paid").await?;
    let reason = text(&reopened, "/status_reason");
    assert!(reason.starts_with("not cancelled: refund: refund_refused"), "{reason}");

    // What cannot be cancelled says so.
    let rejected = shop.placed(&[(tea, 100)]).await?;
    let rejected = text(&rejected, "/order/id");
    let (status, body) = shop
        .post("order", &format!("orders/{rejected}/cancel"), &json!({}))
        .await?;
    assert_eq!((status, text(&body, "/code")), (409, "not_cancellable"));
    let (status, _) = shop
        .post("order", &format!("orders/{}/cancel", Uuid::new_v4()), &json!({}))
        .await?;
    assert_eq!(status, 404);
    Ok(())
}
