//! Posting rows over HTTP.

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
