//! Two instances of one service share its work, and one may die.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::api::Api;
use super::shop::{START_MAX, Shop};
use super::{id_of, wait_until};

/// Orders that each instance takes in one round.
const ORDERS: usize = 40;

/// The longest a lease outlives its holder, with room for a slow machine.
const TAKEOVER_MAX: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_instances_either_may_die() -> Result<()> {
    let mut shop = Shop::open().await?;
    let (url, second) = shop.serve("order")?;
    let (ours, other) = (shop.api("order"), Api::at(&shop.http, url));
    wait_until("the second instance is ready", START_MAX, async || {
        match other.get("health/ready").await {
            Ok(answer) if answer.is_success() => Ok(()),
            still => Err(format!("{still:?}")),
        }
    })
    .await?;
    ensure!(leads(&ours).await && !leads(&other).await, "the first to come leads");

    round(&shop, &ours, &other, 1).await?;
    let first = shop.service_pids("order")?.pop().context("it runs")?;
    kill(Pid::from_raw(first), Signal::SIGKILL)?;
    let restart = round(&shop, &other, &other, 2).await?;

    // `up` starts its instance again, and one of both follows the others.
    shop.ready().await?;
    wait_until("one instance follows", TAKEOVER_MAX, async || {
        let both = (leads(&ours).await, leads(&other).await);
        (both.0 != both.1).then_some(()).ok_or_else(|| format!("{both:?}"))
    })
    .await?;
    let takeover = if leads(&other).await {
        kill(Pid::from_raw(second), Signal::SIGKILL)?;
        round(&shop, &ours, &ours, 3).await?
    } else {
        // The restarted one was quick enough to keep its lease: now it is frozen, and the second must take over.
        let first = shop.service_pids("order")?.pop().context("it runs")?;
        kill(Pid::from_raw(first), Signal::SIGSTOP)?;
        let took = round(&shop, &other, &other, 3).await;
        kill(Pid::from_raw(first), Signal::SIGCONT)?;
        took?
    };
    shop.ready().await?;
    round(&shop, &ours, &ours, 4).await?;

    let orders = shop.sql("order").await?.number("select count(*) from orders").await?;
    ensure!(orders == 4 * 2 * i64::try_from(ORDERS)?, "{orders} orders");
    let rows = shop.all_agree().await?;
    let messages = shop.logs_are_whole().await?;
    println!(
        "instances: {orders} orders by two instances, {rows} rows agree, {messages} messages chained; copies went on \
         {restart:.1?} after a kill -9 of the leader, {takeover:.1?} after it froze or was killed for good"
    );
    shop.close().await
}

/// Whether this instance follows the product service.
async fn leads(api: &Api) -> bool {
    api.get("freehold/status")
        .await
        .is_ok_and(|answer| answer.body["subscriptions"]["product"]["state"] == "live")
}

/// A new user and a new product arrive, then both instances take orders at the same time; returns how long the
/// arrival took.
async fn round(shop: &Shop, one: &Api, other: &Api, number: usize) -> Result<Duration> {
    let user = json!({
        "id": id_of("user", number),
        "email": format!("{number}@example.com"),
        "first_name": "Ada",
    });
    shop.api("user").post("users", &user).await?.good()?;
    let product = shop.api("product");
    let category = json!({ "id": id_of("category", number), "name": "Tea", "slug": format!("tea-{number}") });
    product.post("categories", &category).await?.good()?;
    let row = json!({
        "id": id_of("product", number),
        "category_id": id_of("category", number),
        "name": format!("Tea {number}"),
        "price": number,
        "sku": format!("TEA-{number}"),
    });
    product.post("products", &row).await?.good()?;
    let took = shop.caught_up().await?;

    let order = |n: usize| {
        json!({
            "id": id_of("order", format!("{number}/{n}")),
            "user_id_ref": id_of("user", number),
            "order_items": [{ "product_id_ref": id_of("product", number), "quantity": 1 }],
        })
    };
    for n in 0..ORDERS {
        let (a, b) = (order(2 * n), order(2 * n + 1));
        let (a, b) = tokio::join!(one.post("orders", &a), other.post("orders", &b));
        a?.good()?;
        b?.good()?;
    }
    Ok(took)
}
