//! Nobody's change is lost when many change one row.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tokio::task::JoinSet;

use super::api::Api;
use super::id_of;
use super::shop::Shop;

/// Clients that change the row at the same time; 64 of them with `FREEHOLD_PROVE=1`, when the machine is theirs alone.
const CLIENTS: usize = 16;

/// Changes that each of them brings through.
const CHANGES: usize = 50;

/// The longest random pause after losing a race, in milliseconds: about as many as there are clients at most.
const PAUSE_MAX_MS: u64 = 80;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_concurrent_changes_of_one_row_none_is_lost() -> Result<()> {
    let shop = Shop::open().await?;
    let (category, product) = (id_of("category", 1), id_of("product", 1));
    let api = shop.api("product");
    let row = json!({ "id": category, "name": "Tea", "slug": "tea" });
    api.post("categories", &row).await?.good()?;
    let row = json!({ "id": product, "category_id": category, "name": "Tea", "price": 1, "sku": "TEA" });
    api.post("products", &row).await?.good()?;
    api.post("inventory", &json!({ "product_id": product, "quantity": 0 }))
        .await?
        .good()?;

    let clients_wanted = match std::env::var_os("FREEHOLD_PROVE") {
        Some(_) => 4 * CLIENTS,
        None => CLIENTS,
    };
    let begun = Instant::now();
    let path = format!("inventory?product_id=eq.{product}");
    let mut clients = JoinSet::new();
    for _ in 0..clients_wanted {
        clients.spawn(count_up(api.clone(), path.clone()));
    }
    let mut conflicts = 0;
    while let Some(ended) = clients.join_next().await {
        conflicts += ended??;
    }
    let took = begun.elapsed();

    let accepted = i64::try_from(clients_wanted * CHANGES)?;
    let (row, tag) = api.row(&path).await?;
    ensure!(row["quantity"] == accepted, "{accepted} changes were accepted: {row}");
    ensure!(
        tag == format!("\"{}\"", accepted + 1),
        "each change is one version: {tag}"
    );
    let (product, _) = api.row(&format!("products?id=eq.{product}")).await?;
    ensure!(product["stock_quantity"] == accepted, "{product}");
    println!(
        "locking: {accepted} of {accepted} changes by {clients_wanted} clients arrived in {took:.1?}, {conflicts} conflicts repeated"
    );
    shop.close().await
}

/// Reads, adds one and writes if nobody was quicker; returns how often somebody was.
async fn count_up(api: Api, path: String) -> Result<u64> {
    let mut conflicts = 0;
    for _ in 0..CHANGES {
        loop {
            let (row, tag) = api.row(&path).await?;
            let quantity = row["quantity"].as_i64().context("a number")?;
            let answer = api.patch_if(&path, &tag, &json!({ "quantity": quantity + 1 })).await?;
            match answer.status {
                200 | 204 => break,
                412 => conflicts += 1,
                _ => bail!("{answer:?}"),
            }
            tokio::time::sleep(Duration::from_millis(fastrand::u64(..PAUSE_MAX_MS))).await;
        }
    }
    Ok(conflicts)
}
