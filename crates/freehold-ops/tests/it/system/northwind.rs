//! A real trading company's data through the shop's API, and all its products renamed while it goes on selling.

mod source;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use serde_json::{Value, json};

use self::source::{Line, Northwind, Order, Product, amount};
use super::api::Api;
use super::shop::Shop;
use super::{id_of, seed, wait_until};

/// Orders in one request.
const BULK: usize = 100;

/// Tasks that go on ordering while products are renamed.
const BUYERS: u64 = 2;

/// The longest that the last new name may take to reach every line.
const RENAME_MAX: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn northwind_is_loaded_and_its_products_are_renamed_while_it_sells() -> Result<()> {
    let Some(place) = source::place() else {
        println!("northwind: skipped, its files are not there: set FREEHOLD_NORTHWIND to their folder");
        return Ok(());
    };
    let seed = seed("northwind");
    let data = Northwind::read(&place)?;
    let shop = Shop::open().await?;

    let begun = Instant::now();
    load(&shop, &data).await?;
    let loaded = begun.elapsed();
    counts_are_right(&shop).await?;
    let prices = prices(&data)?;
    lines_are_right(&shop, &data, &prices).await?;

    let renamed = rename_while_selling(&shop, &data, seed).await?;
    shop.caught_up().await?;
    let (differing, lines) = shop.differing_names().await?;
    ensure!(
        differing == 0,
        "{differing} of {lines} lines differ once everything has been heard"
    );
    prices_stayed(&shop, &prices).await?;
    let rows = shop.all_agree().await?;
    let messages = shop.logs_are_whole().await?;
    println!(
        "northwind: 8 categories, 77 products, 91 customers, 830 orders with 2155 lines in {loaded:.1?}; 77 products \
         renamed in {:.1?} while {} orders came, 0 of {lines} lines differ {:.1?} after the last; {rows} rows agree, \
         {messages} messages chained",
        renamed.took, renamed.orders, renamed.agreed
    );
    shop.close().await
}

/// Products and a part of the orders as CSV, everything else as JSON.
async fn load(shop: &Shop, data: &Northwind) -> Result<()> {
    let (user, product, order) = (shop.api("user"), shop.api("product"), shop.api("order"));
    let categories: Vec<Value> = data.categories.iter().map(source::Category::json).collect();
    product.post("categories", &json!(categories)).await?.good()?;
    let products = csv(&Product::COLUMNS, data.products.iter().map(|p| Ok(p.csv())))?;
    product.post_csv("products", products).await?.good()?;
    let customers: Vec<Value> = data.customers.iter().map(source::Customer::json).collect();
    user.post("users", &json!(customers)).await?.good()?;
    // Orders are checked against the copies of users and products.
    shop.caught_up().await?;

    let (bulk, rest) = data.orders.split_at(data.orders.len() / 2);
    for orders in bulk.chunks(BULK) {
        let orders = orders.iter().map(Order::json).collect::<Result<Vec<_>>>()?;
        order.post("orders", &json!(orders)).await?.good()?;
    }
    let (single, tables) = rest.split_at(rest.len() / 2);
    for one in single {
        order.post("orders", &one.json()?).await?.good()?;
    }
    load_as_tables(&order, tables).await
}

/// Orders, then their lines, then their shippings; then those that were sent are marked so.
async fn load_as_tables(order: &Api, orders: &[Order]) -> Result<()> {
    let rows = csv(&Order::COLUMNS, orders.iter().map(Order::csv))?;
    order.post_csv("orders", rows).await?.good()?;
    let lines = orders.iter().flat_map(|o| &o.lines);
    order
        .post_csv("order_items", csv(&Line::COLUMNS, lines.map(Line::csv))?)
        .await?
        .good()?;
    let sent: Vec<&Order> = orders.iter().filter(|o| o.is_shipped()).collect();
    let shippings: Vec<Value> = sent
        .iter()
        .map(|o| {
            let mut row = o.shipping();
            row["order_id"] = json!(o.id());
            row
        })
        .collect();
    order.post("order_shippings", &json!(shippings)).await?.good()?;
    for sent in sent.chunks(BULK) {
        let ids: Vec<String> = sent.iter().map(|o| o.id().to_string()).collect();
        let path = format!("orders?id=in.({})", ids.join(","));
        order.patch(&path, &json!({ "status": "shipped" })).await?.good()?;
    }
    Ok(())
}

fn csv<const N: usize>(header: &[&str; N], rows: impl Iterator<Item = Result<[String; N]>>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header)?;
    for row in rows {
        writer.write_record(row?)?;
    }
    writer.into_inner().ok().context("memory takes everything")
}

async fn counts_are_right(shop: &Shop) -> Result<()> {
    for (service, table, wanted) in [
        ("product", "categories", 8),
        ("product", "products", 77),
        ("user", "users", 91),
        ("user", "user_profiles", 91),
        ("user", "user_addresses", 91),
        ("order", "orders", 830),
        ("order", "order_items", 2155),
    ] {
        let found = shop
            .sql(service)
            .await?
            .number(&format!("select count(*) from {table}"))
            .await?;
        ensure!(found == wanted, "{table} has {found} rows instead of {wanted}");
    }
    Ok(())
}

/// By line: the price it was given.
fn prices(data: &Northwind) -> Result<HashMap<String, String>> {
    let lines = data.orders.iter().flat_map(|o| &o.lines);
    lines.map(|l| Ok((l.id().to_string(), amount(l.price()?)))).collect()
}

/// Names as the product service has them, prices as they were given, totals as they add up.
async fn lines_are_right(shop: &Shop, data: &Northwind, prices: &HashMap<String, String>) -> Result<()> {
    let (differing, compared) = shop.differing_names().await?;
    ensure!(
        (differing, compared) == (0, 2155),
        "{differing} of {compared} lines name their product wrongly"
    );
    prices_stayed(shop, prices).await?;
    let rows = shop
        .sql("order")
        .await?
        .rows("select id::text, total_amount::text from orders", &[])
        .await?;
    let totals: HashMap<String, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for order in &data.orders {
        let wanted = amount(order.total()?);
        let found = totals.get(&order.id().to_string());
        ensure!(
            found == Some(&wanted),
            "{} totals {found:?} instead of {wanted}",
            order.id()
        );
    }
    Ok(())
}

async fn prices_stayed(shop: &Shop, prices: &HashMap<String, String>) -> Result<()> {
    let rows = shop
        .sql("order")
        .await?
        .rows("select id::text, unit_price::text from order_items", &[])
        .await?;
    let now: HashMap<String, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let other: Vec<_> = prices
        .iter()
        .filter(|(line, price)| now.get(*line) != Some(price))
        .collect();
    ensure!(other.is_empty(), "{} lines have another price: {other:?}", other.len());
    Ok(())
}

struct Renamed {
    /// From the first new name to the last.
    took: Duration,
    /// From the last new name until every line showed it.
    agreed: Duration,
    orders: usize,
}

async fn rename_while_selling(shop: &Shop, data: &Northwind, seed: u64) -> Result<Renamed> {
    let stop = Arc::new(AtomicBool::new(false));
    let buyers: Vec<_> = (0..BUYERS)
        .map(|n| tokio::spawn(buy(shop.api("order"), Rng::with_seed(seed ^ n), n, Arc::clone(&stop))))
        .collect();
    let api = shop.api("product");
    let begun = Instant::now();
    for product in &data.products {
        let path = format!("products?id=eq.{}", product.id());
        let (_, tag) = api.row(&path).await?;
        let name = json!({ "name": format!("{}, renamed", product.product_name) });
        api.patch_if(&path, &tag, &name).await?.good()?;
    }
    let took = begun.elapsed();
    stop.store(true, Ordering::Relaxed);
    let last = Instant::now();
    let mut orders = 0;
    for buyer in buyers {
        orders += buyer.await??;
    }
    wait_until(
        "every line shows its product's new name",
        RENAME_MAX,
        async || match shop.differing_names().await {
            Ok((0, _)) => Ok(()),
            Ok((differing, of)) => Err(format!("{differing} of {of} lines differ")),
            Err(error) => Err(format!("{error:#}")),
        },
    )
    .await?;
    ensure!(orders > 0, "nobody bought anything meanwhile");
    Ok(Renamed {
        took,
        agreed: last.elapsed(),
        orders,
    })
}

/// Orders random products until told to stop; returns how many orders were taken.
async fn buy(api: Api, mut rng: Rng, buyer: u64, stop: Arc<AtomicBool>) -> Result<usize> {
    let mut orders = 0;
    while !stop.load(Ordering::Relaxed) {
        let lines: Vec<Value> = (0..rng.u8(1..5))
            .map(|_| json!({ "product_id_ref": source::product(rng.u32(1..=77)), "quantity": rng.u8(1..20) }))
            .collect();
        let order = json!({
            "id": id_of("late order", format_args!("{buyer}/{orders}")),
            "user_id_ref": id_of("northwind customer", "ALFKI"),
            "order_items": lines,
        });
        api.post("orders", &order).await?.good()?;
        orders += 1;
    }
    Ok(orders)
}
