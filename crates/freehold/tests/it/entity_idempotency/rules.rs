//! What is the same request, and what becomes of another.

use std::sync::Arc;

use freehold_manifest::model::Function;
use reqwest::Method;
use serde_json::json;

use super::{KEPT, keyed, keys, post};
use crate::entity::{Shop, owning, send, table};
use crate::fixture::until;

#[tokio::test]
async fn a_request_that_is_sent_again_is_answered_again_and_not_carried_out() {
    let shop = Shop::open_after(KEPT).await;
    let first = post(&shop, "/history", r#"{"what":"x"}"#, "\"a-key\"").await;
    assert_eq!(
        (first.status, first.header("idempotency-replayed")),
        (201, ""),
        "{first:?}"
    );
    // The key is the same without its quotes.
    for key in ["\"a-key\"", "a-key"] {
        let again = post(&shop, "/history", r#"{"what":"x"}"#, key).await;
        assert_eq!((again.status, &again.text), (201, &first.text));
        assert_eq!(again.header("idempotency-replayed"), "true");
        for name in ["location", "content-type", "content-range", "preference-applied"] {
            assert_eq!(again.header(name), first.header(name), "{name}");
        }
    }
    assert_eq!((shop.count("history").await, keys(&shop).await), (1, 1));
}

#[tokio::test]
async fn a_change_is_made_once() {
    let shop = Shop::open_after(KEPT).await;
    let row = r#"{"id":1,"value":1}"#;
    post(&shop, "/counters", row, "made").await;
    let twice = async |method: Method, path: &str, body: &str, key: &str| {
        let guarded = || keyed(&shop, method.clone(), path, body, key).header("if-match", "\"1\", \"2\", \"3\"");
        let (first, again) = (send(guarded()).await, send(guarded()).await);
        assert_eq!(again.header("idempotency-replayed"), "true", "{first:?} {again:?}");
        assert_eq!(
            (first.status, &first.text, first.header("etag")),
            (again.status, &again.text, again.header("etag"))
        );
        first
    };
    let patched = twice(Method::PATCH, "/counters?id=eq.1", r#"{"value":2}"#, "patched").await;
    assert_eq!((patched.status, patched.header("etag")), (200, "\"2\""));
    let put = twice(Method::PUT, "/counters?id=eq.1", r#"{"value":3}"#, "put").await;
    assert_eq!((put.status, put.header("etag")), (200, "\"3\""));
    let gone = twice(Method::DELETE, "/counters?id=eq.1", "", "gone").await;
    assert_eq!((gone.status, shop.count("counters").await), (200, 0));
    // Reading takes no key and minds none.
    let read = shop.request(Method::GET, "/counters").header("idempotency-key", "a b");
    assert_eq!(send(read).await.status, 200);
}

#[tokio::test]
async fn a_transaction_is_carried_out_once() {
    let shop = Shop::open_after(KEPT).await;
    let operations = json!([
        {"method": "POST", "path": "/counters", "body": {"id": 1}},
        {"method": "PATCH", "path": "/counters?id=eq.1", "headers": {"If-Match": "\"1\""}, "body": {"value": 5}},
    ])
    .to_string();
    let first = post(&shop, "/transaction", &operations, "whole").await;
    let again = post(&shop, "/transaction", &operations, "whole").await;
    assert_eq!((first.status, &first.text), (200, &again.text), "{first:?}");
    assert_eq!(again.header("idempotency-replayed"), "true");
    let other = operations.replace('5', "6");
    post(&shop, "/transaction", &other, "whole").await.problem(422, "FH422");
    let version = shop.get("/counters?select=version").await;
    assert_eq!(version.json(), json!([{"version": 2}]));
}

#[tokio::test]
async fn a_function_is_called_once() {
    let migration = format!(
        "{KEPT} create schema shop; create table shop.things (id int primary key);
         create sequence shop.calls;
         create function shop.count_up() returns bigint language sql as $$ select nextval('shop.calls') $$;"
    );
    let mut service = owning(vec![table("things")]);
    service.functions = vec![Function {
        name: "count_up".to_owned(),
        summary: String::new(),
        served: Default::default(),
    }];
    let shop = Shop::open_as(service, &migration).await;
    for (key, answer) in [("one", "1"), ("one", "1"), ("two", "2"), ("one", "1")] {
        let reply = post(&shop, "/rpc/count_up", "{}", key).await;
        assert_eq!((reply.status, reply.text.as_str()), (200, answer), "{reply:?}");
    }
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused() {
    let shop = Shop::open_after(KEPT).await;
    let body = r#"{"id":1}"#;
    assert_eq!(post(&shop, "/counters", body, "k").await.status, 201);
    let reply = post(&shop, "/counters", r#"{"id":2}"#, "k").await;
    reply.problem(422, "FH422");
    assert_eq!(reply.json()["type"], "urn:freehold:problem:idempotency-mismatch");
    let others = [
        keyed(&shop, Method::PUT, "/counters?id=eq.1", body, "k"),
        keyed(&shop, Method::POST, "/history", body, "k"),
        keyed(&shop, Method::POST, "/counters?select=id", body, "k"),
        keyed(&shop, Method::POST, "/counters", body, "k").header("accept", "text/csv"),
        keyed(&shop, Method::POST, "/counters", body, "k").header("prefer", "count=exact"),
        keyed(&shop, Method::POST, "/counters", body, "k").header("if-match", "*"),
        keyed(&shop, Method::POST, "/counters", body, "k").header("if-none-match", "*"),
    ];
    for other in others {
        send(other).await.problem(422, "FH422");
    }
    assert_eq!((shop.count("counters").await, shop.count("history").await), (1, 0));
}

#[tokio::test]
async fn a_key_at_work_is_a_conflict_for_others() {
    let slow = "create function shop.wait() returns trigger language plpgsql as $$
        begin perform pg_advisory_xact_lock(7); return new; end $$;
        create trigger wait before insert on shop.history for each row execute function shop.wait();";
    let shop = Arc::new(Shop::open_after(&format!("{KEPT} {slow}")).await);
    let lock = shop.sql.batch_execute("select pg_advisory_lock(7)");
    lock.await.expect("the lock is taken");
    let first = tokio::spawn({
        let shop = shop.clone();
        async move { post(&shop, "/history", r#"{"what":"x"}"#, "k").await }
    });
    let waiting = "select count(*) from pg_locks where not granted and locktype = 'advisory'";
    until("the first waits", || async {
        let row = shop.sql.query_one(waiting, &[]).await.expect("the locks are listed");
        row.get::<_, i64>(0) == 1
    })
    .await;
    for body in [r#"{"what":"x"}"#, r#"{"what":"y"}"#] {
        let reply = post(&shop, "/history", body, "k").await;
        reply.problem(409, "FH409");
        assert_eq!(reply.json()["type"], "urn:freehold:problem:idempotency-in-progress");
        assert_eq!(reply.header("retry-after"), "1");
    }
    // Nobody else is kept from writing: not under another key, nor by a lock of theirs on the same numbers.
    assert_eq!(post(&shop, "/counters", r#"{"id":1}"#, "other").await.status, 201);
    shop.sql
        .batch_execute("select pg_advisory_unlock(7)")
        .await
        .expect("the lock is let go");
    assert_eq!(first.await.map(|r| r.status).ok(), Some(201));
    assert_eq!(
        post(&shop, "/history", r#"{"what":"x"}"#, "k")
            .await
            .header("idempotency-replayed"),
        "true"
    );
    assert_eq!(shop.count("history").await, 1);
}

#[tokio::test]
async fn what_is_refused_leaves_its_key_free() {
    let shop = Shop::open_after(KEPT).await;
    let body = r#"{"name":"tea","price":1}"#;
    shop.send(Method::POST, "/products", body).await;
    let taken = post(&shop, "/products", body, "k").await;
    taken.problem(409, "23505");
    let unknown = keyed(&shop, Method::PATCH, "/products?name=eq.tea", r#"{"nam":"x"}"#, "k");
    send(unknown).await.problem(400, "PGRST204");
    assert_eq!(keys(&shop).await, 0);
    shop.sql
        .batch_execute("delete from shop.products")
        .await
        .expect("it is deleted");
    let made = post(&shop, "/products", body, "k").await;
    assert_eq!(
        (made.status, made.header("idempotency-replayed"), keys(&shop).await),
        (201, "", 1)
    );
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let shop = Shop::open_after(KEPT).await;
    for key in ["", "\"\"", "a b", "\"a", &"x".repeat(256)] {
        post(&shop, "/counters", r#"{"id":1}"#, key).await.problem(400, "FH400");
    }
    let two = keyed(&shop, Method::POST, "/counters", r#"{"id":1}"#, "a").header("idempotency-key", "b");
    send(two).await.problem(400, "FH400");
    assert_eq!(shop.count("counters").await, 0);
    assert_eq!(
        post(&shop, "/counters", r#"{"id":1}"#, &"x".repeat(255)).await.status,
        201
    );
}

#[tokio::test]
async fn an_answer_that_is_too_large_to_keep_is_refused_before_it_is_carried_out() {
    let large = "create function shop.grow() returns trigger language plpgsql as $$
        begin new.what = repeat('x', new.what::int); return new; end $$;
        create trigger grow before insert on shop.history for each row execute function shop.grow();";
    let shop = Shop::open_after(&format!("{KEPT} {large}")).await;
    let fits = r#"{"what":"8000000"}"#;
    let first = post(&shop, "/history", fits, "fits").await;
    assert_eq!((first.status, first.text.len() > 8_000_000), (201, true));
    assert_eq!(post(&shop, "/history", fits, "fits").await.text, first.text);
    let reply = post(&shop, "/history", r#"{"what":"9000000"}"#, "large").await;
    reply.problem(422, "FH422");
    assert_eq!(reply.json()["hint"], "ask for return=minimal");
    assert_eq!((shop.count("history").await, keys(&shop).await), (1, 1));
    let minimal = shop
        .request(Method::POST, "/history")
        .header("idempotency-key", "large");
    assert_eq!(send(minimal.body(r#"{"what":"9000000"}"#)).await.status, 201);
}
