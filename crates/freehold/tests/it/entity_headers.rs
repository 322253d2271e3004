//! What headers ask for beside the guards: forms of answers and bodies, ranges, preferences.

use freehold_manifest::model::Function;
use reqwest::Method;
use serde_json::json;

use crate::entity::{Reply, Shop, owning, send};

async fn open() -> Shop {
    let shop = Shop::open().await;
    let rows = "insert into shop.counters (id, value) select n, n * 10 from generate_series(1, 5) n";
    shop.sql.batch_execute(rows).await.expect("rows are written");
    let rows = "insert into shop.products (name, price) values ('apple', 1.50), ('pear', null)";
    shop.sql.batch_execute(rows).await.expect("rows are written");
    shop
}

async fn get(shop: &Shop, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = shop.request(Method::GET, path);
    send(headers.iter().fold(request, |r, (name, value)| r.header(*name, *value))).await
}

#[tokio::test]
async fn a_range_cuts_a_list_as_limit_and_offset_do() {
    let shop = open().await;
    for (path, range, ids, content_range) in [
        (
            "/counters?select=id&order=id",
            "1-2",
            json!([{"id": 2}, {"id": 3}]),
            "1-2/*",
        ),
        (
            "/counters?select=id&order=id",
            "3-",
            json!([{"id": 4}, {"id": 5}]),
            "3-4/*",
        ),
        (
            "/counters?select=id&order=id&limit=2&offset=2",
            "0-2",
            json!([{"id": 3}]),
            "2-2/*",
        ),
        (
            "/counters?select=id&order=id&limit=1",
            "bytes=3-4",
            json!([{"id": 1}]),
            "0-0/*",
        ),
    ] {
        let reply = get(&shop, path, &[("range-unit", "items"), ("range", range)]).await;
        assert_eq!((reply.status, reply.json()), (200, ids), "{path} {range}");
        assert_eq!(reply.header("content-range"), content_range, "{path} {range}");
    }
    let refused = get(&shop, "/counters", &[("range", "2-1")]).await;
    refused.problem(416, "PGRST103");
    let refused = get(&shop, "/counters", &[("range", "999999999-")]).await;
    refused.problem(400, "PGRST100");
    assert_eq!(refused.json()["limit"], "offset");
}

#[tokio::test]
async fn nulls_are_left_out_when_a_client_asks_for_it() {
    let shop = open().await;
    let path = "/products?select=name,price&order=name";
    let accept = |form: &'static str| [("accept", form)];
    let array = get(&shop, path, &accept("application/vnd.pgrst.array+json;nulls=stripped")).await;
    assert_eq!(array.json(), json!([{"name": "apple", "price": 1.5}, {"name": "pear"}]));
    let says = "application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8";
    assert_eq!(array.header("content-type"), says);
    let path = "/products?select=name,price&name=eq.pear";
    let object = get(&shop, path, &accept("application/vnd.pgrst.object+json;nulls=stripped")).await;
    assert_eq!(object.json(), json!({"name": "pear"}));
    let object = get(&shop, path, &accept("application/vnd.pgrst.object")).await;
    assert_eq!(object.json(), json!({"name": "pear", "price": null}));
}

#[tokio::test]
async fn rows_are_csv_or_json_but_no_plain_text() {
    let shop = open().await;
    let path = "/products?select=name,price&order=name";
    let csv = get(&shop, path, &[("accept", "application/json;q=0.5, text/csv")]).await;
    assert_eq!(csv.text, "name,price\napple,1.50\npear,\n");
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    let json = get(&shop, path, &[("accept", "text/plain, */*;q=0.1")]).await;
    assert_eq!(json.header("content-type"), "application/json; charset=utf-8");
    let refused = get(&shop, path, &[("accept", "text/plain")]).await;
    refused.problem(406, "PGRST107");
    assert_eq!(
        refused.json()["message"],
        "None of these media types are available: text/plain"
    );
}

#[tokio::test]
async fn a_form_is_one_row() {
    let shop = open().await;
    let form = |method: Method, path: &str, body: &str| {
        let request = shop.request(method, path).body(body.to_owned());
        send(
            request
                .header("content-type", "application/x-www-form-urlencoded")
                .header("prefer", "return=representation"),
        )
    };
    let made = form(Method::POST, "/products?select=name,price", "name=a+%26+b&price=2.50").await;
    assert_eq!(
        (made.status, made.json()),
        (201, json!([{"name": "a & b", "price": 2.5}]))
    );
    let changed = form(Method::PATCH, "/products?name=eq.pear&select=price", "price=3").await;
    assert_eq!((changed.status, changed.json()), (200, json!([{"price": 3.0}])));
    form(Method::POST, "/products", "name=x&name=y")
        .await
        .problem(400, "PGRST102");
    form(Method::POST, "/products", "name=%ff")
        .await
        .problem(400, "PGRST102");
}

#[tokio::test]
async fn a_form_holds_the_arguments_of_a_function_and_its_value_may_be_plain_text() {
    let migration = "create schema shop;
        create function shop.say(word text, times int) returns text language sql immutable as 'select repeat(word, times)';
        create function shop.total(variadic ns int[]) returns bigint language sql immutable
          as 'select sum(n) from unnest(ns) n';
        create function shop.numbers(upto int) returns setof int language sql immutable as 'select generate_series(1, upto)';";
    let mut service = owning(Vec::new());
    service.functions = ["say", "total", "numbers"]
        .map(|name| Function {
            name: name.into(),
            summary: String::new(),
            served: Default::default(),
        })
        .into();
    let shop = Shop::open_as(service, migration).await;
    let call = |path: &str, body: &str, accept: &str| {
        let request = shop.request(Method::POST, path).body(body.to_owned());
        let form = "application/x-www-form-urlencoded";
        send(request.header("content-type", form).header("accept", accept))
    };
    let said = call("/rpc/say", "word=a%26+&times=2", "*/*").await;
    assert_eq!((said.status, said.json()), (200, json!("a& a& ")));
    let said = call("/rpc/say", "word=a%26+&times=2", "text/csv, text/plain").await;
    assert_eq!((said.status, said.text.as_str()), (200, "a& a& "));
    assert_eq!(said.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(call("/rpc/total", "ns=1&ns=2&ns=39", "*/*").await.json(), json!(42));
    call("/rpc/say", "word=%ff", "*/*").await.problem(400, "PGRST102");
    call("/rpc/numbers", "upto=2", "text/plain")
        .await
        .problem(406, "PGRST107");
    assert_eq!(
        call("/rpc/numbers", "upto=2", "text/plain, */*").await.json(),
        json!([1, 2])
    );
}

#[tokio::test]
async fn strict_handling_refuses_before_anything_is_written() {
    let shop = open().await;
    let write = |prefer: &'static str| {
        let request = shop.request(Method::POST, "/counters").body(r#"{"id": 9}"#);
        send(request.header("prefer", prefer))
    };
    let refused = write("handling=strict, return=representation, foo").await;
    refused.problem(400, "PGRST122");
    assert_eq!(refused.json()["details"], "Invalid preferences: foo");
    assert_eq!(shop.count("counters").await, 5);
    let made = write("return=minimal, handling=lenient, missing=default, foo").await;
    assert_eq!(made.status, 201);
    assert_eq!(
        made.header("preference-applied"),
        "missing=default, return=minimal, handling=lenient"
    );
}

#[tokio::test]
async fn a_read_says_only_what_a_read_carries_out() {
    let shop = open().await;
    let prefer = [(
        "prefer",
        "return=representation, count=exact, resolution=merge-duplicates",
    )];
    let reply = get(&shop, "/counters?limit=2", &prefer).await;
    assert_eq!(reply.status, 206);
    assert_eq!(reply.header("preference-applied"), "count=exact");
    assert_eq!(reply.header("content-range"), "0-1/5");
}
