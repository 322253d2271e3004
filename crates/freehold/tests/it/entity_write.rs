//! Writing rows over HTTP.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::timeout;

use crate::entity::{Shop, send};

#[tokio::test]
async fn a_posted_row_gets_its_defaults_a_location_and_a_version() {
    let shop = Shop::open().await;
    let reply = shop
        .send(
            Method::POST,
            "/products",
            r#"{"name":"apple","price":1.5,"tags":["a"],"meta":{"k":[1]}}"#,
        )
        .await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("etag"), "\"1\"");
    assert_eq!(reply.header("preference-applied"), "return=representation");
    let rows = reply.json();
    assert_eq!(rows[0]["tags"], json!(["a"]));
    assert_eq!(rows[0]["meta"], json!({"k": [1]}));
    let read = shop.get(reply.header("location")).await;
    assert_eq!(read.json(), rows);
    timeout(Duration::from_secs(1), shop.written.notified())
        .await
        .expect("the sequencer is woken");

    let minimal = shop.request(Method::POST, "/products").body(r#"{"name":"b"}"#);
    let reply = send(minimal).await;
    assert_eq!((reply.status, reply.text.as_str()), (201, ""));
    assert!(reply.header("location").starts_with("/products?id=eq."));
    assert_eq!(reply.header("preference-applied"), "");

    let object = shop.write(Method::POST, "/products?select=name", r#"[{"name":"c"}]"#);
    let reply = send(object.header("accept", "application/vnd.pgrst.object+json")).await;
    assert_eq!(reply.json(), json!({"name": "c"}));
}

#[tokio::test]
async fn a_bulk_insert_is_all_or_nothing() {
    let shop = Shop::open().await;
    let body = r#"[{"id":1,"value":10},{"value":20,"id":2}]"#;
    let reply = shop.send(Method::POST, "/counters?select=id,value", body).await;
    assert_eq!(reply.json(), json!([{"id":1,"value":10},{"id":2,"value":20}]));
    assert_eq!(reply.header("location"), "");
    let reply = shop.send(Method::POST, "/counters", r#"[{"id":3},{"id":1}]"#).await;
    let message = reply.problem(409, "23505");
    assert_eq!(message, "a row with this `id` exists already");
    assert_eq!(shop.count("counters").await, 2);
    let reply = shop
        .send(Method::POST, "/counters", r#"[{"id":3},{"id":4,"value":1}]"#)
        .await;
    assert_eq!(reply.problem(400, "PGRST102"), "All object keys must match");
    let reply = shop
        .send(
            Method::POST,
            r#"/counters?columns="id","value""#,
            r#"[{"id":3,"value":1},{"id":4,"value":1,"x":2}]"#,
        )
        .await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(shop.send(Method::POST, "/counters", "[]").await.text, "[]");
    let reply = shop.send(Method::POST, "/history", "[{},{},{}]").await;
    assert_eq!((reply.status, shop.count("history").await), (201, 3), "{reply:?}");
    assert_eq!(shop.send(Method::POST, "/history", "{}").await.status, 201);
    let object = shop.write(Method::POST, "/counters", r#"[{"id":8},{"id":9}]"#);
    send(object.header("accept", "application/vnd.pgrst.object+json"))
        .await
        .problem(406, "PGRST116");
    assert_eq!(shop.count("counters").await, 4);
}

#[tokio::test]
async fn csv_is_inserted() {
    let shop = Shop::open().await;
    let csv = |body: &str| {
        let request = shop.request(Method::POST, "/products?select=name,price,tags,active,meta");
        let request = request
            .header("prefer", "return=representation")
            .header("prefer", "x=y");
        send(
            request
                .header("content-type", "text/csv; charset=utf-8")
                .body(body.to_owned()),
        )
    };
    let reply = csv("name,price,tags,active,meta\n\"a,b\",1.50,\"{x,y}\",true,\"{\"\"k\"\":1}\"\nc,,NULL,,\n").await;
    assert_eq!(
        reply.json(),
        json!([
            {"name": "a,b", "price": 1.5, "tags": ["x", "y"], "active": true, "meta": {"k": 1}},
            {"name": "c", "price": null, "tags": null, "active": null, "meta": null}
        ])
    );
    csv("name,prize\nx,1\n").await.problem(400, "PGRST204");
    csv("name,price\nx\n").await.problem(400, "PGRST102");
    csv("name,price\nx,cheap\n").await.problem(400, "22P02");
}

#[tokio::test]
async fn a_root_is_posted_with_the_rows_within_it() {
    let shop = Shop::open().await;
    let body = r#"[
      {"status": "new", "shipments": {"address": "here"}, "order_items": [
         {"quantity": 2, "item_notes": [{"line": 1, "note": "red"}, {"line": 2, "note": "big"}]},
         {"quantity": 3, "item_notes": []}]},
      {"status": "old", "shipments": null, "order_items": []}]"#;
    let reply = shop.send(Method::POST, "/orders?select=id,status,version", body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let rows = reply.json();
    assert_eq!(rows[0]["shipments"]["address"], "here");
    assert_eq!(rows[0]["shipments"]["order_id"], rows[0]["id"]);
    let items = rows[0]["order_items"].as_array().cloned().unwrap_or_default();
    assert_eq!(items.len(), 2);
    let two = items.iter().find(|i| i["quantity"] == 2).cloned().unwrap_or_default();
    assert_eq!(two["order_id"], rows[0]["id"]);
    assert_eq!(two["item_notes"].as_array().map(Vec::len), Some(2));
    assert_eq!(two["item_notes"][0]["item_id"], two["id"]);
    assert_eq!(rows[1]["order_items"], json!([]));
    assert_eq!(rows[1]["shipments"], json!(null));
    assert_eq!(
        (shop.count("order_items").await, shop.count("item_notes").await),
        (2, 2)
    );

    let single = r#"{"order_items": [{"id": "00000000-0000-0000-0000-000000000009", "order_id": 77, "quantity": 1}]}"#;
    let request = shop.request(Method::POST, "/orders").body(single);
    let reply = send(request.header("prefer", "return=headers-only")).await;
    assert_eq!(reply.header("etag"), "\"1\"");
    let root = shop.get(reply.header("location")).await.json()[0]["id"].clone();
    let item = shop
        .get("/order_items?id=eq.00000000-0000-0000-0000-000000000009")
        .await
        .json();
    assert_eq!(item[0]["order_id"], root, "the root's key wins");
}

#[tokio::test]
async fn a_bad_row_within_a_root_takes_the_root_back() {
    let shop = Shop::open().await;
    for (body, status, code, message) in [
        (
            r#"{"order_items": [{"quantity": 0}]}"#,
            400,
            "23514",
            "`quantity` violates the rule `order_items_quantity_check`: CHECK ((quantity > 0))",
        ),
        (
            r#"{"order_items": [{"product_id": "00000000-0000-0000-0000-000000000001"}]}"#,
            409,
            "23503",
            "`product_id` names no row of `products`",
        ),
        (
            r#"{"order_items": [{"amount": 1}]}"#,
            400,
            "PGRST204",
            "`order_items` has no column `amount`",
        ),
        (
            r#"{"order_items": [{"quantity": 1}, {}]}"#,
            400,
            "PGRST102",
            "All object keys must match",
        ),
        (
            r#"{"order_items": {"quantity": 1}}"#,
            400,
            "PGRST102",
            "`order_items` must be an array of objects",
        ),
        (
            r#"{"shipments": [{"address": null}]}"#,
            400,
            "23502",
            "`address` is required",
        ),
        (
            r#"{"shipments": 1}"#,
            400,
            "PGRST102",
            "`shipments` must be an object or null",
        ),
        (r#"{"id": 5}"#, 400, "428C9", "`id` is generated by the database"),
        (
            r#"{"product_name": "x"}"#,
            422,
            "FH422",
            "`product_name` is a cached column: it follows `product_id_ref.name`",
        ),
    ] {
        let reply = shop.send(Method::POST, "/orders", body).await;
        assert_eq!(reply.problem(status, code), message, "{body}");
    }
    assert_eq!(shop.count("orders").await, 0);
}

#[tokio::test]
async fn a_guarded_change_needs_the_current_version() {
    let shop = Shop::open().await;
    shop.send(Method::POST, "/counters", r#"{"id":1}"#).await;
    let patch = |tag: &'static str, body: &str| {
        send(
            shop.write(Method::PATCH, "/counters?id=eq.1", body)
                .header("if-match", tag),
        )
    };
    let reply = patch("\"1\"", r#"{"value":5}"#).await;
    assert_eq!(
        (reply.status, reply.header("etag"), reply.header("content-range")),
        (200, "\"2\"", "0-0/*")
    );
    let reply = patch("\"1\"", r#"{"value":6}"#).await;
    reply.problem(412, "FH412");
    assert_eq!(
        (reply.json()["current_version"].clone(), reply.header("etag")),
        (json!(2), "\"2\"")
    );
    assert_eq!(patch("\"1\", \"2\"", r#"{"value":7}"#).await.status, 200);
    assert_eq!(patch("*", r#"{"value":8}"#).await.status, 200);
    patch("W/\"4\"", r#"{"value":9}"#).await.problem(400, "FH400");
    let body = |body| shop.send(Method::PATCH, "/counters?id=eq.1", body);
    body(r#"{"value":9,"version":3}"#).await.problem(412, "FH412");
    let reply = body(r#"{"value":9,"version":4}"#).await;
    assert_eq!(reply.json()[0]["version"], 5);
    let reply = shop.write(Method::PATCH, "/counters?id=eq.2", r#"{"value":1}"#);
    send(reply.header("if-match", "\"1\"")).await.problem(404, "PGRST116");
    let wide = shop.write(Method::PATCH, "/counters?value=gt.0", r#"{"value":1}"#);
    send(wide.header("if-match", "\"1\"")).await.problem(400, "FH400");
    let delete = |tag| {
        send(
            shop.request(Method::DELETE, "/counters?id=eq.1")
                .header("if-match", tag),
        )
    };
    delete("\"4\"").await.problem(412, "FH412");
    assert_eq!(delete("\"5\"").await.status, 204);
    delete("\"5\"").await.problem(404, "PGRST116");
    shop.send(Method::POST, "/counters", r#"{"id":1,"version":4}"#)
        .await
        .problem(400, "PGRST102");
}

#[tokio::test]
async fn a_table_that_wants_a_guard_is_not_changed_without_one() {
    let shop = Shop::open().await;
    shop.send(Method::POST, "/guarded", r#"{"id":1,"version":null}"#).await;
    let change = |method, body| shop.send(method, "/guarded?id=eq.1", body);
    change(Method::PATCH, r#"{"value":"x"}"#).await.problem(428, "FH428");
    change(Method::PUT, r#"{"id":1,"value":"x"}"#)
        .await
        .problem(428, "FH428");
    change(Method::DELETE, "").await.problem(428, "FH428");
    assert_eq!(change(Method::PATCH, r#"{"value":"x","version":1}"#).await.status, 200);
    let reply = change(Method::PUT, r#"{"id":1,"value":"y","version":2}"#).await;
    assert_eq!(reply.json(), json!([{"id":1,"value":"y","version":3}]));
    let create = |id| {
        let path = format!("/guarded?id=eq.{id}");
        send(
            shop.write(Method::PUT, &path, r#"{"value":"n"}"#)
                .header("if-none-match", "*"),
        )
    };
    assert_eq!(create(2).await.status, 201);
    create(2).await.problem(412, "FH412");
}

#[tokio::test]
async fn put_makes_or_replaces_one_row() {
    let shop = Shop::open().await;
    let put = |body| shop.send(Method::PUT, "/counters?id=eq.7", body);
    let reply = put(r#"{"id":7,"value":1}"#).await;
    assert_eq!((reply.status, reply.header("etag")), (201, "\"1\""));
    let reply = put(r#"{"id":7,"value":2}"#).await;
    assert_eq!((reply.status, reply.header("etag")), (200, "\"2\""));
    assert_eq!(reply.json(), json!([{"id":7,"value":2,"version":2}]));
    let minimal = shop.request(Method::PUT, "/counters?id=eq.7").body("{\"value\":3}");
    assert_eq!(send(minimal).await.status, 204);
    put(r#"{"id":8,"value":2}"#).await.problem(400, "PGRST115");
    let wide = shop.send(Method::PUT, "/counters?id=eq.7&value=eq.1", "{}").await;
    wide.problem(405, "PGRST105");
    assert_eq!(put("{}").await.status, 200);
}

#[tokio::test]
async fn nothing_is_changed_without_a_filter() {
    let shop = Shop::open().await;
    shop.send(Method::POST, "/counters", r#"[{"id":1},{"id":2},{"id":3}]"#)
        .await;
    shop.send(Method::PATCH, "/counters", r#"{"value":1}"#)
        .await
        .problem(400, "21000");
    shop.send(Method::DELETE, "/counters", "").await.problem(400, "21000");
    let one = |method, body| {
        let request = shop.write(method, "/counters?id=gt.1", body);
        send(request.header("accept", "application/vnd.pgrst.object+json"))
    };
    let reply = one(Method::PATCH, r#"{"value":1}"#).await;
    reply.problem(406, "PGRST116");
    assert_eq!(reply.json()["details"], "The result contains 2 rows");
    one(Method::DELETE, "").await.problem(406, "PGRST116");
    let reply = shop.get("/counters?select=value&order=id").await;
    assert_eq!(reply.json(), json!([{"value":0},{"value":0},{"value":0}]), "taken back");
    let reply = shop.send(Method::PATCH, "/counters?id=gt.1", r#"{"value":1}"#).await;
    assert_eq!((reply.status, reply.header("content-range")), (200, "0-1/*"));
    let reply = shop.send(Method::PATCH, "/counters?id=eq.9", r#"{"value":1}"#).await;
    assert_eq!(
        (reply.status, reply.text.as_str(), reply.header("content-range")),
        (200, "[]", "*/*")
    );
    let reply = send(shop.request(Method::PATCH, "/counters?id=eq.9").body("{\"value\":1}")).await;
    assert_eq!(reply.status, 204);
    let reply = shop.send(Method::DELETE, "/counters?id=gt.1&select=id", "").await;
    assert_eq!(reply.json().as_array().map(Vec::len), Some(2));
    assert_eq!(shop.count("counters").await, 1);
}

#[tokio::test]
async fn an_append_only_table_is_only_appended_to() {
    let shop = Shop::open().await;
    assert_eq!(shop.send(Method::POST, "/history", r#"{"what":"x"}"#).await.status, 201);
    for method in [Method::PATCH, Method::PUT, Method::DELETE] {
        let reply = shop.send(method, "/history?id=eq.1", r#"{"what":"y"}"#).await;
        reply.problem(405, "PGRST117");
        assert_eq!(reply.header("allow"), "OPTIONS, GET, HEAD, POST");
    }
}

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

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_clients_that_count_none_loses_a_count() {
    const CLIENTS: usize = 64;
    const COUNTS: usize = 50;
    let shop = Arc::new(Shop::open_with(16).await);
    shop.send(Method::POST, "/counters", r#"{"id":1}"#).await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let shop = shop.clone();
        clients.spawn(async move {
            let (mut accepted, mut refused) = (0, 0_u32);
            while accepted < COUNTS {
                let read = shop.get("/counters?id=eq.1").await;
                let value = read.json()[0]["value"].as_i64().unwrap_or_default() + 1;
                let request = shop.request(Method::PATCH, "/counters?id=eq.1");
                let request = request.header("if-match", read.header("etag"));
                let reply = send(request.body(json!({ "value": value }).to_string())).await;
                match reply.status {
                    204 => (accepted, refused) = (accepted + 1, 0),
                    412 => {
                        refused += 1;
                        let pause = fastrand::u64(0..=16 << refused.min(5));
                        tokio::time::sleep(Duration::from_millis(pause)).await;
                    }
                    status => panic!("{status}: {reply:?}"),
                }
            }
        });
    }
    while let Some(end) = clients.join_next().await {
        end.expect("a client counts to its end");
    }
    let expected = (CLIENTS * COUNTS) as i64;
    let row = shop.get("/counters?id=eq.1").await.json();
    assert_eq!(
        (row[0]["value"].as_i64(), row[0]["version"].as_i64()),
        (Some(expected), Some(expected + 1))
    );
}
