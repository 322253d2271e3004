//! A provider that is away for a while.

use anyhow::Result;
use serde_json::json;
use uuid::Uuid;

use crate::shop::{Shop, text};

#[tokio::test]
async fn an_order_waits_for_a_provider_that_is_away_and_cannot_be_cancelled_meanwhile() -> Result<()> {
    let mut shop = Shop::open().await?;
    let tea = shop.product("Black Tea", 14.9, 10).await?;
    let at = shop.provider().url();
    shop.provider_dies();
    let order = Uuid::new_v4();
    let (status, _) = shop
        .post("order", "orders/place", &shop.wish(order, &[(tea, 1)]))
        .await?;
    assert_eq!(status, 202);
    shop.stock_is(tea, 10, 1).await?;
    let watch = format!("orders/place/{order}");
    shop.until("the payment failed", async || {
        let told = shop.get("order", &watch).await?;
        let steps = told["steps"].as_array().cloned().unwrap_or_default();
        Ok(steps.iter().any(|step| step["event"] == "failed").then_some(()))
    })
    .await?;
    let (status, body) = shop
        .post("order", &format!("orders/{order}/cancel"), &json!({}))
        .await?;
    assert_eq!((status, text(&body, "/code")), (409, "still_being_placed"));

    shop.provider_returns(&at)?;
    shop.order_is(order, "confirmed").await?;
    shop.stock_is(tea, 9, 0).await?;
    assert_eq!(shop.provider().totals().payments, 1);
    Ok(())
}
