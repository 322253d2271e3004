//! Keys in the databases of installed services, as their own role.

use std::sync::Arc;
use std::time::Duration;

use freehold::entity::{self, Api};
use freehold::pg::catalog;
use reqwest::Response;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_postgres::NoTls;

use crate::fixture::{Folder, Home, Stage, listen, number, run, until};

const NOTES: Folder<'static> = Folder {
    name: "notes",
    manifest: "[owns.notes]\nsummary = \"Notes.\"\n",
    migration: "create table notes (id int primary key)",
};

const LINES: Folder<'static> = Folder {
    name: "lines",
    manifest: "[owns.lines]\nsummary = \"Lines.\"\n",
    migration: "create table lines (id int primary key)",
};

fn pool(home: &Home) -> deadpool_postgres::Pool {
    let mut config = home.app_config();
    config.options(format!("-c search_path={}", home.names.schema));
    let manager = deadpool_postgres::Manager::new(config, NoTls);
    deadpool_postgres::Pool::builder(manager)
        .max_size(4)
        .build()
        .expect("the pool is built")
}

async fn serve(home: &Home, tasks: &mut JoinSet<()>) -> String {
    let catalog = catalog::load(&home.sql, &home.names.schema)
        .await
        .expect("the catalog is read");
    let router = entity::router(Api {
        service: home.service.clone(),
        catalog,
        pool: pool(home),
        freehold: home.names.freehold.clone(),
        written: Arc::new(Notify::new()),
    });
    listen(router, tasks).await
}

async fn post(url: &str, table: &str, id: i32, key: &str) -> Response {
    let request = reqwest::Client::new()
        .post(format!("{url}/{table}"))
        .header("idempotency-key", key);
    let sent = request.body(format!("{{\"id\":{id}}}")).send();
    sent.await.expect("the service answers")
}

#[tokio::test]
async fn keys_of_services_in_one_database_are_apart() {
    let stage = Stage::open_in("schema", &[NOTES, LINES]).await;
    let (left, right) = (stage.home("notes"), stage.home("lines"));
    let mut tasks = JoinSet::new();
    let (at_left, at_right) = (serve(left, &mut tasks).await, serve(right, &mut tasks).await);
    // The first waits for a row that somebody else is about to write.
    let other = left.superuser().await;
    run(&other, "begin; insert into notes (id) values (1)").await;
    let waiting = tokio::spawn(async move { post(&at_left, "notes", 1, "k").await.status().as_u16() });
    until("the first one waits", || async {
        number(&left.sql, "select count(*) from pg_locks where not granted").await == 1
    })
    .await;
    assert_eq!(post(&at_right, "lines", 1, "k").await.status(), 201);
    let again = post(&at_right, "lines", 1, "k").await;
    assert_eq!(
        again.headers().get("idempotency-replayed").map(|v| v.as_bytes()),
        Some(&b"true"[..])
    );
    run(&other, "rollback").await;
    assert_eq!(waiting.await.ok(), Some(201));
    for home in [left, right] {
        let kept = home.place("select count(*) from freehold.idempotency");
        assert_eq!(number(&home.sql, &kept).await, 1);
    }
}

#[tokio::test]
async fn keys_are_kept_for_a_day() {
    let stage = Stage::open(&[NOTES]).await;
    let home = stage.home("notes");
    let mut tasks = JoinSet::new();
    let url = serve(home, &mut tasks).await;
    for id in 0..3 {
        assert_eq!(post(&url, "notes", id, &format!("key-{id}")).await.status(), 201);
    }
    // More than are removed at a time.
    let old = "update freehold.idempotency set created_at = now() - interval '24 hours 1 minute' where key <> 'key-2';
        update freehold.idempotency set created_at = now() - interval '23 hours 59 minutes' where key = 'key-2';
        insert into freehold.idempotency (key, fingerprint, status, headers, body, created_at)
        select 'old ' || n, '', 201, '[]', '', now() - interval '2 days' from generate_series(1, 2500) n";
    run(&home.sql, &home.place(old)).await;
    tasks.spawn(entity::forget(pool(home), home.names.freehold.clone()));
    let left = home.place("select count(*) from freehold.idempotency");
    until("old keys are removed", || async { number(&home.sql, &left).await == 1 }).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(number(&home.sql, &left).await, 1);
    assert!(
        post(&url, "notes", 2, "key-2")
            .await
            .headers()
            .contains_key("idempotency-replayed")
    );
    // What was forgotten is carried out again, or refused like any other.
    assert_eq!(post(&url, "notes", 0, "key-0").await.status(), 409);
}
