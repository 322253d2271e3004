//! Races, lost connections, clients that go, and time that runs out.

use std::time::Duration;

use freehold_manifest::model::{Function, Limits};
use reqwest::Method;
use serde_json::json;

use super::transaction;
use crate::entity::{Shop, owning, send};
use crate::fixture::until;

/// Every change of a counter takes a while, and is counted whatever becomes of it.
const SLOW: &str = "
create sequence shop.tries;
create function shop.slow() returns trigger language plpgsql as $$
begin perform nextval('shop.tries'); perform pg_sleep(0.1); return new; end $$;
create trigger slow after update on shop.counters for each row execute function shop.slow();
insert into shop.counters (id) values (1), (2);
do $$ begin execute format('alter database %I set deadlock_timeout = ''20ms''', current_database()); end $$;";

#[tokio::test]
async fn two_transactions_that_lock_crosswise_are_both_carried_out() {
    let shop = Shop::open_after(SLOW).await;
    let change = |id: i32, value: i32| json!({"method": "PATCH", "path": format!("/counters?id=eq.{id}"), "body": {"value": value}});
    let (one, other) = (
        json!([change(1, 10), change(2, 10)]),
        json!([change(2, 20), change(1, 20)]),
    );
    let (one, other) = tokio::join!(transaction(&shop, &one), transaction(&shop, &other));
    assert_eq!((one.status, other.status), (200, 200), "{one:?} {other:?}");
    let reply = shop.get("/counters?select=value,version&order=id").await;
    let rows = reply.json();
    assert_eq!((&rows[0], &rows[0]["version"]), (&rows[1], &json!(3)), "{reply:?}");
    let tries = shop
        .sql
        .query_one("select last_value from shop.tries", &[])
        .await
        .expect("the tries");
    assert!(tries.get::<_, i64>(0) > 4, "there was no deadlock");
}

/// The connection that adds the first line to the history is lost in its transaction.
const LOST: &str = "
create sequence shop.tries;
create function shop.lose() returns trigger language plpgsql as $$
begin
  if nextval('shop.tries') = 1 then perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); end if;
  return new;
end $$;
create trigger lose before insert on shop.history for each row execute function shop.lose()";

#[tokio::test]
async fn a_transaction_whose_connection_is_lost_before_the_commit_begins_again() {
    let shop = Shop::open_after(LOST).await;
    let operations = json!([
        {"method": "POST", "path": "/counters", "body": {"id": 1}},
        {"method": "POST", "path": "/history", "body": {"what": "x"}},
    ]);
    let reply = transaction(&shop, &operations).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!((shop.count("counters").await, shop.count("history").await), (1, 1));
}

#[tokio::test]
async fn a_column_that_changes_its_type_in_between_is_read_again() {
    let shop = Shop::open().await;
    let operations =
        json!([{"method": "GET", "path": "/keyless"}, {"method": "POST", "path": "/keyless", "body": {"a": 1}}]);
    for round in 0..4 {
        assert_eq!(transaction(&shop, &operations).await.status, 200);
        if round == 2 {
            let change = "alter table shop.keyless alter b type varchar(9), alter a type bigint";
            shop.sql.batch_execute(change).await.expect("the table is changed");
        }
    }
    assert_eq!(shop.count("keyless").await, 4);
}

const WAITING: &str = "
create function shop.wait() returns trigger language plpgsql as $$
begin perform pg_sleep(100); return new; end $$;
create trigger wait before insert on shop.history for each row execute function shop.wait()";

async fn is_quiet(shop: &Shop) -> bool {
    let others = "select count(*) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'";
    let row = shop
        .sql
        .query_one(others, &[])
        .await
        .expect("the connections are listed");
    row.get::<_, i64>(0) == 0
}

#[tokio::test]
async fn a_request_whose_client_goes_leaves_no_open_transaction() {
    let shop = Shop::open_after(WAITING).await;
    let operations = json!([
        {"method": "POST", "path": "/counters", "body": {"id": 1}},
        {"method": "POST", "path": "/history", "body": {"what": "x"}},
    ]);
    for _ in 0..12 {
        let request = shop.request(Method::POST, "/transaction").json(&operations);
        let gone = request.timeout(Duration::from_millis(50)).send().await;
        assert!(gone.is_err_and(|e| e.is_timeout()));
    }
    // Neither the row nor its lock is kept, although the statements would have waited for long.
    until("the server is quiet", || is_quiet(&shop)).await;
    for id in 1..=20 {
        let reply = shop
            .send(Method::POST, "/counters", &json!({ "id": id }).to_string())
            .await;
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(
            shop.count("counters").await,
            id,
            "it was written in a transaction that was left open"
        );
    }
}

#[tokio::test]
async fn a_read_whose_client_goes_is_stopped() {
    let migration = "create schema shop;
        create function shop.nap() returns int language sql stable as 'select 1 from pg_sleep(100)'";
    let mut service = owning(Vec::new());
    service.functions = vec![Function {
        name: "nap".to_owned(),
        summary: String::new(),
        served: Default::default(),
    }];
    let shop = Shop::open_as(service, migration).await;
    for _ in 0..12 {
        let request = shop.request(Method::GET, "/rpc/nap");
        let gone = request.timeout(Duration::from_millis(50)).send().await;
        assert!(gone.is_err_and(|e| e.is_timeout()));
    }
    until("the server is quiet", || is_quiet(&shop)).await;
}

#[tokio::test]
async fn a_transaction_that_takes_too_long_is_undone() {
    let limits = Limits {
        statement_ms: 300,
        ..Limits::default()
    };
    let shop = Shop::open_limited(limits, WAITING).await;
    let operations = json!([
        {"method": "POST", "path": "/counters", "body": {"id": 1}},
        {"method": "POST", "path": "/history", "body": {"what": "x"}},
    ]);
    transaction(&shop, &operations).await.problem(504, "57014");
    until("the server is quiet", || is_quiet(&shop)).await;
    assert_eq!(shop.count("counters").await, 0);
    assert_eq!(shop.send(Method::POST, "/counters", r#"{"id":1}"#).await.status, 201);
    assert_eq!(shop.count("counters").await, 1);
}

#[tokio::test]
async fn limits_of_the_manifest_count() {
    let limits = Limits {
        url_bytes: 29,
        body_bytes: 100,
        operations: 1,
        ..Limits::default()
    };
    let shop = Shop::open_limited(limits, "").await;
    let message = shop.get("/counters?id=eq.1&value=eq.1000").await.problem(414, "FH414");
    assert!(message.contains("29 bytes"), "{message}");
    assert_eq!(shop.get("/counters?id=eq.1").await.status, 200);
    let body = format!(r#"{{"id":1{}}}"#, " ".repeat(100));
    let reply = send(shop.request(Method::POST, "/counters").body(body)).await;
    assert!(reply.problem(413, "FH413").contains("100 bytes"), "{reply:?}");
    let two = json!([{"method": "GET", "path": "/x"}, {"method": "GET", "path": "/x"}]);
    assert!(
        transaction(&shop, &two)
            .await
            .problem(400, "PGRST102")
            .contains("at most 1 ")
    );
}
