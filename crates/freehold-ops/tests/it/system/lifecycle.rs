//! How a system begins and ends, whatever ends.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::json;

use super::shop::{START_MAX, Shop};
use super::{id_of, wait_until};

/// What a subscription's lease lasts: a process started again under its name does not wait for it.
const LEASE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_outlives_whatever_part_of_it_dies() -> Result<()> {
    let mut shop = Shop::new()?;
    let first = shop.start().await?;
    add_user(&shop, "first").await?;

    another_up_is_refused(&shop)?;

    shop.stop().await?;
    shop.all_gone().await?;
    ensure!(shop.postmaster("user").is_none(), "the server still runs");
    let again = shop.start().await?;
    has_users(&shop, 1).await?;

    let service = killed_service(&mut shop).await?;
    let server = killed_server(&mut shop).await?;

    // The services notice that nobody holds their standard input any more; the server stays for the next `up`.
    shop.end(Signal::SIGKILL).await?;
    let orphans = shop.all_gone().await?;
    let left = shop.postmaster("user").context("the server outlives its starter")?;
    shop.start().await?;
    ensure!(shop.postmaster("user") == Some(left), "the server was not adopted");
    has_users(&shop, 3).await?;
    shop.caught_up().await?;
    let rows = shop.all_agree().await?;
    println!(
        "lifecycle: first start {first:.1?}, second {again:.1?}; ready again {service:.1?} after kill -9 of a service, \
         {server:.1?} after two kills -9 of the postmaster; services gone {orphans:.1?} after kill -9 of up; {rows} rows agree"
    );
    shop.close().await
}

fn another_up_is_refused(shop: &Shop) -> Result<()> {
    let said = shop.folder.freehold("up", &[])?;
    let pid = shop.pid()?.to_string();
    ensure!(
        said.code == 2 && said.stderr.contains(&pid),
        "a second up beside {pid}: {said:?}"
    );
    Ok(())
}

async fn killed_service(shop: &mut Shop) -> Result<Duration> {
    let before = shop.service_pids("order")?;
    ensure!(before.len() == 1, "one process per service: {before:?}");
    let begun = Instant::now();
    shop.kill_service("order")?;
    wait_until("another process of order", START_MAX, async || {
        match shop.service_pids("order") {
            Ok(pids) if pids.len() == 1 && pids != before => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    shop.ready().await?;
    let took = begun.elapsed();
    shop.must_have_said("service order ended")?;
    add_user(shop, "after the service").await?;
    let heard = shop.caught_up().await?;
    ensure!(
        heard < LEASE / 2,
        "the copies paused {heard:?}, as if the dead process had to be waited for"
    );
    Ok(took)
}

async fn killed_server(shop: &mut Shop) -> Result<Duration> {
    let begun = Instant::now();
    let mut last = None;
    // Its successor is killed as soon as it can be seen, which is while it recovers: that start fails, the next must not.
    for _ in 0..2 {
        wait_until("a postmaster", START_MAX, async || match shop.postmaster("user") {
            Some(pid) if Some(pid) != last => {
                last = Some(pid);
                Ok(())
            }
            other => Err(format!("{other:?}")),
        })
        .await?;
        ensure!(shop.signal_server("user", Signal::SIGKILL), "the server runs");
    }
    wait_until("another postmaster", START_MAX, async || {
        let now = shop.postmaster("user");
        if now.is_some() && now != last {
            Ok(())
        } else {
            Err(format!("{now:?}"))
        }
    })
    .await?;
    shop.ready().await?;
    let took = begun.elapsed();
    ensure!(shop.is_up(), "up has ended");
    shop.must_have_said("PostgreSQL ended and was started again")?;
    add_user(shop, "after the server").await?;
    Ok(took)
}

async fn add_user(shop: &Shop, name: &str) -> Result<()> {
    let user = json!({
        "id": id_of("user", name),
        "email": format!("{}@example.com", name.replace(' ', ".")),
        "first_name": name,
    });
    // A connection that the server's end broke may be handed out once more; 409 if the broken one had written.
    wait_until("a user can be added", START_MAX, async || {
        match shop.api("user").post("users", &user).await {
            Ok(answer) if answer.is_success() || answer.status == 409 => Ok(()),
            Ok(answer) if answer.status >= 500 => Err(answer.body.to_string()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    Ok(())
}

async fn has_users(shop: &Shop, wanted: i64) -> Result<()> {
    let found = shop.sql("user").await?.number("select count(*) from users").await?;
    ensure!(found == wanted, "{found} users instead of {wanted}");
    Ok(())
}
