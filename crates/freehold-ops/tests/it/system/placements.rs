//! The same shop on a server each, on databases of one server, and on schemas of one database.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::shop::Shop;
use super::{id_of, wait_until};

/// The longest a new name may take to reach the lines that show it.
const RENAME_MAX: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_for_each_service() -> Result<()> {
    works("server").await?.close().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_for_each_service() -> Result<()> {
    works("database").await?.close().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_for_each_service() -> Result<()> {
    let shop = works("schema").await?;
    // Whoever logs in as a service emits as that service, by one name for all.
    let found = shop
        .sql("order")
        .await?
        .number(
            "select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
             where n.nspname = 'freehold' and p.proname = 'emit'",
        )
        .await?;
    ensure!(found == 1, "{found} dispatchers of emit");
    shop.close().await
}

/// A few rows, an order, a new name that follows.
async fn works(placement: &str) -> Result<Shop> {
    let mut shop = Shop::new()?;
    if placement != "database" {
        shop.folder.place(placement)?;
    }
    let ready = shop.start().await?;
    let (user, product, order) = (shop.api("user"), shop.api("product"), shop.api("order"));
    let users: Vec<Value> = (0..5)
        .map(|n| json!({ "id": id_of("user", n), "email": format!("{n}@example.com"), "first_name": "Ada" }))
        .collect();
    user.post("users", &json!(users)).await?.good()?;
    let category = json!({ "id": id_of("category", 1), "name": "Tea", "slug": "tea" });
    product.post("categories", &category).await?.good()?;
    let products: Vec<Value> = (0..5)
        .map(|n| {
            json!({
                "id": id_of("product", n),
                "category_id": id_of("category", 1),
                "name": format!("Tea {n}"),
                "price": n + 1,
                "sku": format!("TEA-{n}"),
            })
        })
        .collect();
    product.post("products", &json!(products)).await?.good()?;
    shop.caught_up().await?;
    let placed = json!({
        "id": id_of("order", 1),
        "user_id_ref": id_of("user", 1),
        "order_items": [
            { "product_id_ref": id_of("product", 1), "quantity": 2 },
            { "product_id_ref": id_of("product", 2), "quantity": 1 },
        ],
    });
    order.post("orders", &placed).await?.good()?;
    let refused = json!({ "user_id_ref": id_of("nobody", 1) });
    let answer = order.post("orders", &refused).await?;
    ensure!(answer.status == 422, "an order of an unknown user: {answer:?}");

    let path = format!("products?id=eq.{}", id_of("product", 1));
    let (_, tag) = product.row(&path).await?;
    product
        .patch_if(&path, &tag, &json!({ "name": "Green Tea" }))
        .await?
        .good()?;
    let late = product.patch_if(&path, &tag, &json!({ "name": "Black Tea" })).await?;
    ensure!(late.status == 412, "a change of an old version: {late:?}");
    let renamed = wait_until("the line shows the new name", RENAME_MAX, async || {
        let lines = order
            .get("order_items?product_name=eq.Green%20Tea")
            .await
            .map_err(|e| e.to_string())?;
        match lines.body.as_array() {
            Some(found) if found.len() == 1 => Ok(()),
            _ => Err(lines.body.to_string()),
        }
    })
    .await?;
    shop.caught_up().await?;
    let rows = shop.all_agree().await?;
    let messages = shop.logs_are_whole().await?;
    ensure!(rows == 15, "{rows} rows in copies");
    println!(
        "placement {placement}: ready after {ready:.1?}, a new name shown after {renamed:.1?}, {rows} rows agree, {messages} \
         messages chained"
    );
    Ok(shop)
}
