//! Refusals and failures, as a client sees them.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::entity::{Shop, send};

#[tokio::test]
async fn a_refusal_is_a_sentence_about_the_field() {
    let shop = Shop::open().await;
    shop.send(Method::POST, "/products", r#"{"name":"apple"}"#).await;
    for (body, status, code, message) in [
        (
            r#"{"name":"apple"}"#,
            409,
            "23505",
            "a row with this `name` exists already",
        ),
        (r#"{"price":1}"#, 400, "23502", "`name` is required"),
        (
            r#"{"name":"b","price":-1}"#,
            400,
            "23514",
            "`price` violates the rule `products_price_check`: CHECK ((price >= (0)::numeric))",
        ),
        (r#"{"nam":"b"}"#, 400, "PGRST204", "`products` has no column `nam`"),
        (
            r#"{"name":"b","code":"12345"}"#,
            400,
            "22001",
            "value too long for type character varying(4)",
        ),
        (
            r#"{"name":"b\u0000"}"#,
            400,
            "22P05",
            "unsupported Unicode escape sequence",
        ),
        (r#"{"name":"b""#, 400, "PGRST102", "the body is not valid JSON of rows"),
        ("", 400, "PGRST102", "the body is empty"),
        (
            "3",
            400,
            "PGRST102",
            "the body is neither an object nor an array of objects",
        ),
    ] {
        let reply = shop.send(Method::POST, "/products", body).await;
        assert_eq!(reply.problem(status, code), message, "{body}");
        assert!(!reply.text.contains("json_to_record"), "{}", reply.text);
    }
    let reply = shop.send(Method::POST, "/products", "{\"name\":\n \"b\",}").await;
    assert_eq!(
        (reply.json()["line"].clone(), reply.json()["column"].clone()),
        (json!(2), json!(6))
    );
    let xml = shop
        .request(Method::POST, "/products")
        .header("content-type", "text/xml")
        .body("<a/>");
    send(xml).await.problem(415, "PGRST102");
    let large = shop
        .send(Method::POST, "/products", &" ".repeat(8 * 1024 * 1024 + 1))
        .await;
    large.problem(413, "FH413");
    let chunk = || Ok::<_, std::io::Error>(vec![b' '; 64 * 1024]);
    let chunks = futures_util::stream::iter((0..129).map(move |_| chunk()));
    let chunked = reqwest::Body::wrap_stream(chunks);
    let reply = send(shop.request(Method::POST, "/products").body(chunked)).await;
    reply.problem(413, "FH413");
    shop.sql
        .batch_execute("insert into shop.orders default values; insert into shop.shipments values (1, 'x')")
        .await
        .expect("rows");
    let reply = shop.send(Method::DELETE, "/orders?id=eq.1", "").await;
    assert_eq!(
        reply.problem(409, "23503"),
        "rows of `shipments` still refer to this row of `orders`"
    );
}

#[tokio::test]
async fn what_triggers_raise_is_passed_on() {
    let shop = Shop::open().await;
    let trigger = r"create function shop.refuse() returns trigger language plpgsql as $$
        begin
          if new.what = 'plain' then raise exception 'not on sundays' using hint = 'wait'; end if;
          raise exception 'refused %', new.what using errcode = new.what, column = 'what', hint = 'look';
        end $$;
        create trigger refuse before insert on shop.history for each row execute function shop.refuse()";
    shop.sql.batch_execute(trigger).await.expect("created");
    for (what, status, code) in [
        ("plain", 400, "P0001"),
        ("FH001", 422, "FH001"),
        ("FH002", 405, "FH002"),
        ("FH004", 422, "FH004"),
        ("FH005", 422, "FH005"),
        ("FH006", 503, "FH006"),
    ] {
        let reply = shop
            .send(Method::POST, "/history", &json!({ "what": what }).to_string())
            .await;
        reply.problem(status, code);
        assert!(reply.json()["hint"].is_string());
    }
    let reply = shop.send(Method::POST, "/history", r#"{"what":"XX000"}"#).await;
    reply.problem(500, "XX000");
    assert!(
        !reply.text.contains("refused") && reply.json()["trace_id"].is_string(),
        "{reply:?}"
    );
    shop.send(Method::POST, "/history", r#"{"what":"55P03"}"#)
        .await
        .problem(503, "55P03");
    shop.send(Method::POST, "/history", r#"{"what":"57014"}"#)
        .await
        .problem(504, "57014");
    shop.send(Method::POST, "/history", r#"{"what":"40001"}"#)
        .await
        .problem(503, "40001");
}

#[tokio::test]
async fn a_lost_race_is_run_again() {
    let shop = Shop::open().await;
    let trigger = r"create sequence shop.tries;
        create function shop.lose() returns trigger language plpgsql as $$
        begin
          if nextval('shop.tries') < 4 then raise exception 'lost' using errcode = '40001'; end if;
          return new;
        end $$;
        create trigger lose before insert on shop.history for each row execute function shop.lose()";
    shop.sql.batch_execute(trigger).await.expect("created");
    assert_eq!(shop.send(Method::POST, "/history", r#"{"what":"x"}"#).await.status, 201);
}

#[tokio::test]
async fn a_lost_connection_is_a_503_and_then_forgotten() {
    let shop = Shop::open_with(1).await;
    let end = r"create function shop.lose() returns trigger language plpgsql as $$
        begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); return new; end $$;
        create trigger lose before insert on shop.history for each row execute function shop.lose()";
    shop.sql.batch_execute(end).await.expect("created");
    let reply = shop.send(Method::POST, "/history", r#"{"what":"x"}"#).await;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(shop.get("/history").await.status, 200);
}

#[tokio::test]
async fn a_request_that_finds_no_connection_is_told_in_time() {
    let shop = Arc::new(Shop::open_with(1).await);
    let slow = r"create function shop.wait() returns trigger language plpgsql as $$
        begin perform pg_sleep(7); return new; end $$;
        create trigger wait before insert on shop.history for each row execute function shop.wait()";
    shop.sql.batch_execute(slow).await.expect("created");
    let first = shop.clone();
    let first = tokio::spawn(async move { first.send(Method::POST, "/history", "{}").await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let reply = shop.get("/counters").await;
    reply.problem(503, "PGRST000");
    assert!(reply.json()["trace_id"].is_string());
    assert_eq!(first.await.map(|r| r.status).ok(), Some(201));
}
