//! Reading rows over HTTP.

use reqwest::Method;
use serde_json::json;

use crate::entity::{Shop, send};

async fn open() -> Shop {
    let shop = Shop::open().await;
    let rows = r#"insert into shop.products (id, name, price, tags, active, colour, meta)
        values ('00000000-0000-0000-0000-000000000001', 'apple', 1.50, '{a,b}', true, 'red', '{"k": 1}'),
               ('00000000-0000-0000-0000-000000000002', 'b,anana', 2, null, false, 'green', null),
               ('00000000-0000-0000-0000-000000000003', 'Cherry "x"', null, '{}', null, null, null)"#;
    shop.sql.batch_execute(rows).await.expect("rows are written");
    shop
}

#[tokio::test]
async fn filters_find_the_rows_postgrest_finds() {
    let shop = open().await;
    for (query, expected) in [
        ("name=eq.apple", vec!["apple"]),
        ("name=neq.apple", vec!["b,anana", "Cherry \"x\""]),
        ("price=gt.1.5", vec!["b,anana"]),
        ("price=gte.1.5&price=lt.2", vec!["apple"]),
        ("price=lte.2", vec!["apple", "b,anana"]),
        ("name=like.*an*", vec!["b,anana"]),
        ("name=ilike.c*", vec!["Cherry \"x\""]),
        ("name=not.like.*a*", vec!["Cherry \"x\""]),
        (r#"name=in.(apple,"b,anana")"#, vec!["apple", "b,anana"]),
        (r#"name=in.("Cherry%20\"x\"")"#, vec!["Cherry \"x\""]),
        ("name=in.()", vec![]),
        ("name=not.in.(apple)", vec!["b,anana", "Cherry \"x\""]),
        ("price=is.null", vec!["Cherry \"x\""]),
        ("price=is.not_null", vec!["apple", "b,anana"]),
        ("price=not.is.null", vec!["apple", "b,anana"]),
        ("active=is.true", vec!["apple"]),
        ("active=is.false", vec!["b,anana"]),
        ("active=is.unknown", vec!["Cherry \"x\""]),
        ("colour=eq.green", vec!["b,anana"]),
        ("colour=in.(red,green)", vec!["apple", "b,anana"]),
        ("tags=eq.{a,b}", vec!["apple"]),
        ("meta=eq.{\"k\":1}", vec!["apple"]),
        ("code=eq.toolong&name=eq.apple", vec![]),
        ("id=in.(00000000-0000-0000-0000-000000000002)", vec!["b,anana"]),
        ("name=eq.x'%20or%20'1'='1", vec![]),
    ] {
        let reply = shop.get(&format!("/products?select=name&order=id&{query}")).await;
        assert_eq!(reply.status, 200, "{query} {reply:?}");
        let found = reply.json();
        let names: Vec<&str> = found
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|r| r["name"].as_str())
            .collect();
        assert_eq!(names, expected, "{query}");
    }
}

#[tokio::test]
async fn a_list_is_ordered_and_cut() {
    let shop = open().await;
    let reply = shop
        .get("/products?select=name,price&order=price.desc.nullslast,name&limit=2&offset=1")
        .await;
    assert_eq!(
        reply.json(),
        json!([{"name": "apple", "price": 1.5}, {"name": "Cherry \"x\"", "price": null}])
    );
    assert_eq!(reply.header("content-range"), "1-2/*");
    assert_eq!(reply.header("content-type"), "application/json; charset=utf-8");
    assert!(reply.text.contains("1.50"), "a number keeps its scale: {}", reply.text);
    let reply = shop.get("/products?limit=0").await;
    assert_eq!((reply.text.as_str(), reply.header("content-range")), ("[]", "*/*"));
}

#[tokio::test]
async fn a_response_is_cut_at_the_cap_and_says_so() {
    let shop = open().await;
    shop.sql
        .batch_execute("insert into shop.counters (id) select n from generate_series(1, 10001) n")
        .await
        .expect("rows");
    let reply = shop.get("/counters?select=id&order=id").await;
    assert_eq!(reply.header("content-range"), "0-9999/*");
    assert_eq!(reply.header("freehold-rows-limit"), "10000");
}

#[tokio::test]
async fn one_row_by_its_key_carries_its_version() {
    let shop = open().await;
    let path = "/products?id=eq.00000000-0000-0000-0000-000000000001";
    let reply = shop.get(path).await;
    assert_eq!(reply.header("etag"), "\"1\"");
    assert_eq!(reply.header("content-range"), "0-0/*");
    assert_eq!(reply.json()[0]["name"], "apple");
    for (tag, status) in [
        ("\"1\"", 304),
        ("W/\"1\"", 304),
        ("\"0\", \"1\"", 304),
        ("*", 304),
        ("\"2\"", 200),
    ] {
        let request = shop.request(Method::GET, path).header("if-none-match", tag);
        assert_eq!(send(request).await.status, status, "{tag}");
    }
    let reply = shop.get("/products?select=name&name=eq.apple").await;
    assert_eq!(reply.header("etag"), "", "not by key");
}

#[tokio::test]
async fn a_singular_object_is_exactly_one_row() {
    let shop = open().await;
    let object = |path: &str| {
        send(
            shop.request(Method::GET, path)
                .header("accept", "application/vnd.pgrst.object+json"),
        )
    };
    let reply = object("/products?name=eq.apple&select=name").await;
    assert_eq!(reply.json(), json!({"name": "apple"}));
    assert_eq!(
        reply.header("content-type"),
        "application/vnd.pgrst.object+json; charset=utf-8"
    );
    assert_eq!(reply.header("etag"), "\"1\"");
    let reply = object("/products?name=eq.none").await;
    reply.problem(406, "PGRST116");
    assert_eq!(reply.json()["details"], "The result contains 0 rows");
    object("/products").await.problem(406, "PGRST116");
    assert_eq!(object("/products?limit=1&order=name").await.status, 200);
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let shop = open().await;
    let reply = send(shop.request(Method::HEAD, "/products?order=id")).await;
    assert_eq!((reply.status, reply.text.as_str()), (200, ""));
    assert_eq!(reply.header("content-range"), "0-2/*");
}

#[tokio::test]
async fn odd_names_are_served() {
    let shop = Shop::open().await;
    let path = "/odd%20%22table";
    let body = r#"{"a b": 1, "größe": "x", "select": 2}"#;
    let reply = shop.send(Method::POST, path, body).await;
    assert_eq!(reply.json(), json!([{"a b": 1, "größe": "x", "select": 2}]));
    assert_eq!(reply.header("location"), "/odd%20%22table?a%20b=eq.1");
    let reply = shop.get(reply.header("location")).await;
    assert_eq!(reply.json()[0]["größe"], "x");
    let reply = shop
        .get(&format!("{path}?gr%C3%B6%C3%9Fe=eq.x&select=gr%C3%B6%C3%9Fe"))
        .await;
    assert_eq!(reply.json(), json!([{"größe": "x"}]));
}

#[tokio::test]
async fn what_is_not_known_is_named() {
    let shop = open().await;
    for (path, status, code, hint) in [
        ("/product", 404, "PGRST205", "`products`"),
        ("/private", 404, "PGRST205", ""),
        ("/not_migrated", 404, "PGRST205", ""),
        ("/products?nam=eq.x", 400, "42703", "`name`"),
        ("/products?select=pric", 400, "42703", "`price`"),
        ("/products?order=pric", 400, "42703", "`price`"),
        ("/products?name=equals.x", 400, "PGRST100", "known are eq"),
        ("/products?name=apple", 400, "PGRST100", "name=eq.apple"),
        ("/products?price=like.1*", 400, "42883", ""),
        ("/products?price=is.true", 400, "42883", ""),
        ("/products?tags=in.(a)", 400, "42883", ""),
        ("/products?price=eq.x", 400, "22P02", ""),
        ("/products?colour=eq.blue", 400, "22P02", ""),
        ("/products?id=eq.1", 400, "22P02", ""),
        ("/products?limit=-1", 400, "PGRST100", ""),
        ("/products?limit=99999999999999999999", 400, "PGRST100", ""),
        ("/products?select=*,item_notes(*)", 400, "PGRST200", "order_items"),
        ("/products?or=(a.eq.1)", 400, "42703", ""),
        ("/products?or=(name.eq.1", 400, "PGRST100", ""),
        ("/products?order_items.name=eq.1", 400, "PGRST108", ""),
        ("/products?select=name::nonsense", 400, "42704", ""),
        ("/products?name=eq.%00", 400, "PGRST100", ""),
        ("/products?name=eq.%FF", 400, "PGRST100", ""),
    ] {
        let reply = shop.get(path).await;
        reply.problem(status, code);
        let given = reply.json()["hint"].as_str().unwrap_or_default().to_owned();
        assert!(given.contains(hint), "{path}: {given}");
        assert!(!reply.text.contains("select row_to_json"), "no SQL: {}", reply.text);
    }
    let long = format!("/products?name=eq.{}", "x".repeat(17_000));
    shop.get(&long).await.problem(414, "FH414");
    let accept = shop.request(Method::GET, "/products").header("accept", "text/html");
    send(accept).await.problem(406, "PGRST107");
    let options = send(shop.request(Method::OPTIONS, "/products")).await;
    assert_eq!(options.header("allow"), "OPTIONS, GET, HEAD, POST, PATCH, PUT, DELETE");
}

#[tokio::test]
async fn a_column_that_changes_its_type_under_a_prepared_statement_is_read_again() {
    let shop = open().await;
    let path = "/products?select=name,code&id=eq.00000000-0000-0000-0000-000000000001";
    for _ in 0..40 {
        assert_eq!(shop.get(path).await.status, 200);
    }
    let alter = "alter table shop.products alter code type int using null, alter version type int";
    shop.sql.batch_execute(alter).await.expect("altered");
    for _ in 0..20 {
        assert_eq!(shop.get(path).await.status, 200);
    }
}
