//! Work that a service does by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use freehold::{App, Error, Result, Service};

use super::acting::{port, settings};
use super::{bought, obey_release, obey_reserve};
use crate::fixture::{number, run, until};

#[tokio::test(flavor = "multi_thread")]
async fn work_that_fails_or_panics_is_begun_again_until_the_service_ends() {
    let stage = super::stage().await;
    let home = stage.home("store");
    run(
        &home.sql,
        "create table rounds (n bigint); grant all on rounds to public",
    )
    .await;
    let begun = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&begun);
    let over = Arc::new(AtomicU32::new(0));
    let ended = Arc::clone(&over);
    let service = Service::new(
        home.service.clone(),
        settings(home, port().await, &[("buyer", port().await)]),
    )
    .on(bought)
    .obey(obey_reserve)
    .obey(obey_release)
    .background("rounds", move |app| {
        rounds(app, counted.fetch_add(1, Ordering::Relaxed))
    })
    .background("once", move |_| {
        ended.fetch_add(1, Ordering::Relaxed);
        async { Ok(()) }
    });
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(service.run());
    let done = || async { number(&home.sql, "select count(*) from rounds").await };
    until("the third beginning goes on", || async { done().await > 2 }).await;
    assert_eq!(begun.load(Ordering::Relaxed), 3);
    // What is over is not begun again.
    assert_eq!(over.load(Ordering::Relaxed), 1);
    tasks.shutdown().await;
    until("nothing goes on", || async {
        let before = done().await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        done().await == before
    })
    .await;
}

/// Fails at first, panics then, and goes on at last.
async fn rounds(app: App, beginning: u32) -> Result<()> {
    match beginning {
        0 => return Err(Error::other("not at first")),
        1 => panic!("nor now"),
        _ => {}
    }
    loop {
        let tx = app.begin().await?;
        tx.execute("insert into rounds values (1)", &[]).await?;
        tx.commit().await?;
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
