//! What the manifests say anew holds at the next `up`, and nothing said meanwhile is missed.

use anyhow::{Result, ensure};
use freehold_ops::postgres::Stop;
use serde_json::{Value, json};

use super::id_of;
use super::shop::Shop;

/// Products at the beginning.
const PRODUCTS: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_follow_their_manifests() -> Result<()> {
    let mut shop = Shop::open().await?;
    let api = shop.api("product");
    let category = json!({ "id": id_of("category", 1), "name": "Tea", "slug": "tea" });
    api.post("categories", &category).await?.good()?;
    let rows: Vec<Value> = (0..PRODUCTS).map(product).collect();
    api.post("products", &json!(rows)).await?.good()?;
    let user = json!({ "id": id_of("user", 1), "email": "ada@example.com", "first_name": "Ada" });
    shop.api("user").post("users", &user).await?.good()?;
    shop.caught_up().await?;
    let order = json!({
        "user_id_ref": id_of("user", 1),
        "order_items": [{ "product_id_ref": id_of("product", 7), "quantity": 1 }],
    });
    shop.api("order").post("orders", &order).await?.good()?;

    let with_column = a_new_column_is_filled(&mut shop).await?;
    let new = a_new_copy_is_filled(&mut shop).await?;
    a_copy_that_is_no_longer_wanted_goes(&mut shop).await?;
    println!("manifest: {with_column} rows agree with their new column, {new} with a new copy; both taken back");
    shop.close().await
}

fn product(number: usize) -> Value {
    json!({
        "id": id_of("product", number),
        "category_id": id_of("category", 1),
        "name": format!("Tea {number}"),
        "price": 10,
        "sku": format!("TEA-{number}"),
    })
}

/// Plain SQL at the owner while no service runs.
async fn behind_the_services_backs(shop: &Shop, service: &str, sql: &str) -> Result<()> {
    let server = shop.server(service).await?;
    server.start().await?;
    shop.sql(service).await?.run(sql).await?;
    Ok(server.stop(Stop::Fast).await?)
}

const PUBLISHED: (&str, &str) = (
    "publishes = [\"id\", \"name\", \"price\"]",
    "publishes = [\"id\", \"name\", \"price\", \"sku\"]",
);
const COPIED: (&str, &str) = (
    "columns = [\"id\", \"name\", \"price\"]",
    "columns = [\"id\", \"name\", \"price\", \"sku\"]",
);

async fn a_new_column_is_filled(shop: &mut Shop) -> Result<usize> {
    shop.stop().await?;
    let (seven, last) = (id_of("product", 7), id_of("product", PRODUCTS - 1));
    behind_the_services_backs(
        shop,
        "product",
        &format!(
            "update products set name = 'Seven', sku = 'SEVEN' where id = '{seven}';
             update products set price = price + 1 where sku like 'TEA-1%';
             delete from products where id = '{last}';
             insert into products (category_id, name, price, sku)
             select category_id, 'Quiet Tea', 3, 'QUIET' from products limit 1;"
        ),
    )
    .await?;
    shop.folder.edit("product/freehold.toml", &[PUBLISHED])?;
    shop.folder.edit("order/freehold.toml", &[COPIED])?;
    shop.start().await?;
    shop.caught_up().await?;
    let rows = shop.agree("order", "products").await?;
    ensure!(rows == PRODUCTS, "{rows} rows in the copy");
    let (differing, lines) = shop.differing_names().await?;
    ensure!(
        (differing, lines) == (0, 1),
        "{differing} of {lines} lines show an old name"
    );

    // And from then on events carry it.
    let path = format!("products?id=eq.{seven}");
    shop.api("product")
        .patch(&path, &json!({ "sku": "SEVEN-B" }))
        .await?
        .good()?;
    shop.caught_up().await?;
    shop.agree("order", "products").await?;
    let there = shop
        .sql("order")
        .await?
        .number("select count(*) from products where sku = 'SEVEN-B'")
        .await?;
    ensure!(there == 1, "{there} rows have the new sku");
    shop.logs_are_whole().await?;
    Ok(rows)
}

const NEW_COPY: (&str, &str) = (
    "[owns.user_profiles]",
    "[copies.sales]\nof      = \"order.orders\"\ncolumns = [\"id\", \"status\"]\n\n[owns.user_profiles]",
);

/// The user service follows nobody at first; now it follows the order service, which follows it.
async fn a_new_copy_is_filled(shop: &mut Shop) -> Result<usize> {
    shop.stop().await?;
    behind_the_services_backs(shop, "order", "update orders set status = 'confirmed'").await?;
    shop.folder.edit("user/freehold.toml", &[NEW_COPY])?;
    shop.start().await?;
    shop.caught_up().await?;
    let order = json!({ "user_id_ref": id_of("user", 1) });
    shop.api("order").post("orders", &order).await?.good()?;
    shop.caught_up().await?;
    let rows = shop.agree("user", "sales").await?;
    ensure!(rows == 2, "{rows} rows in the copy");
    Ok(rows)
}

async fn a_copy_that_is_no_longer_wanted_goes(shop: &mut Shop) -> Result<()> {
    shop.stop().await?;
    shop.folder.edit("user/freehold.toml", &[(NEW_COPY.1, NEW_COPY.0)])?;
    shop.folder
        .edit("product/freehold.toml", &[(PUBLISHED.1, PUBLISHED.0)])?;
    shop.folder.edit("order/freehold.toml", &[(COPIED.1, COPIED.0)])?;
    shop.start().await?;
    shop.caught_up().await?;
    let left = shop
        .sql("user")
        .await?
        .number(
            "select (select count(*) from pg_class where relname like '%sales')
                  + (select count(*) from freehold.cursor) + (select count(*) from freehold.copy)",
        )
        .await?;
    ensure!(left == 0, "{left} things of the copy are left");
    let columns = shop
        .sql("order")
        .await?
        .number("select count(*) from pg_attribute where attrelid = 'products'::regclass and attname = 'sku'")
        .await?;
    ensure!(columns == 0, "the column is left in the copy");
    shop.all_agree().await?;
    Ok(())
}
