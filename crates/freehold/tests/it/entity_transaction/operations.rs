//! `POST /transaction`.

use reqwest::Method;
use serde_json::{Value, json};

use super::{DEFERRED, transaction};
use crate::entity::{Shop, send};

#[tokio::test]
async fn operations_are_carried_out_in_order() {
    let shop = Shop::open().await;
    let rows = json!({"Prefer": "return=representation"});
    let operations = json!([
        {"method": "POST", "path": "/counters?select=id,value", "headers": rows, "body": {"id": 1, "value": 1}},
        {"method": "PATCH", "path": "/counters?id=eq.1", "headers": {"If-Match": "\"1\""}, "body": {"value": 2}},
        {"method": "POST", "path": "/counters", "headers": {"Content-Type": "text/csv"}, "body": "id,value\n2,7\n3,8\n"},
        {"method": "PUT", "path": "/counters?id=eq.4", "body": {"value": 9}},
        {"method": "DELETE", "path": "/counters?id=eq.3", "body": null},
        {"method": "GET", "path": "/counters?order=id&select=id,value,version"},
        {"method": "GET", "path": "/counters?order=id&select=id", "headers": {"accept": "text/csv"}},
        {"method": "GET", "path": "/counters?id=eq.1", "headers": {"If-None-Match": "\"2\""}},
    ]);
    let reply = transaction(&shop, &operations).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("content-type"), "application/json; charset=utf-8");
    let results = reply.json();
    let results = results["results"].as_array().expect("results");
    let statuses: Vec<&Value> = results.iter().map(|r| &r["status"]).collect();
    assert_eq!(json!(statuses), json!([201, 204, 201, 201, 204, 200, 200, 304]));
    assert_eq!(results[0]["body"], json!([{"id": 1, "value": 1}]));
    assert_eq!(results[0]["headers"]["location"], "/counters?id=eq.1");
    assert_eq!(results[0]["headers"]["preference-applied"], "return=representation");
    assert_eq!(
        (&results[1]["body"], &results[1]["headers"]["etag"]),
        (&Value::Null, &json!("\"2\""))
    );
    let seen = json!([
        {"id": 1, "value": 2, "version": 2}, {"id": 2, "value": 7, "version": 1}, {"id": 4, "value": 9, "version": 1}
    ]);
    assert_eq!(results[5]["body"], seen);
    assert_eq!(results[6]["body"], "id\n1\n2\n4\n");
    let there = shop.get("/counters?order=id&select=id,value,version").await;
    assert_eq!(there.json(), seen);
    // A trial is one of the whole; the array may stand bare.
    let last = json!([{"method": "DELETE", "path": "/counters?id=gt.0"}]);
    let request = shop
        .request(Method::POST, "/transaction")
        .header("prefer", "tx=rollback");
    let reply = send(request.json(&last)).await;
    assert_eq!((reply.status, reply.header("preference-applied")), (200, "tx=rollback"));
    assert_eq!(shop.count("counters").await, 3);
    let none = transaction(&shop, &json!([])).await;
    assert_eq!((none.status, none.text.as_str()), (200, r#"{"results":[]}"#));
}

#[tokio::test]
async fn json_passes_through_a_transaction_as_it_was_written() {
    let shop = Shop::open().await;
    let body = r#"[ {"method":"POST", "path":"/products?select=meta", "headers":{"prefer":"return=representation"},
        "body": {"name":"x","meta":{"deep":[1.50, "ä\u00e4"]}} } ]"#;
    let reply = send(shop.request(Method::POST, "/transaction").body(body)).await;
    assert!(
        reply.text.ends_with(r#""body":[{"meta":{"deep": [1.50, "ää"]}}]}]}"#),
        "{reply:?}"
    );
}

#[tokio::test]
async fn of_operations_one_of_which_fails_nothing_is_carried_out() {
    let shop = Shop::open_after(DEFERRED).await;
    let first = json!({"method": "POST", "path": "/counters", "body": [{"id": 1}, {"id": 2}]});
    let second = json!({"method": "PATCH", "path": "/counters?id=eq.1", "body": {"value": 7}});
    for (last, status, code) in [
        (
            json!({"method": "POST", "path": "/counters", "body": {"id": 1}}),
            409,
            "23505",
        ),
        (
            json!({"method": "PATCH", "path": "/counters?id=eq.2", "headers": {"If-Match": "\"9\""}, "body": {"value": 1}}),
            412,
            "FH412",
        ),
        (
            json!({"method": "PATCH", "path": "/counters?id=eq.2", "body": {"value": 1, "version": 9}}),
            412,
            "FH412",
        ),
        (
            json!({"method": "DELETE", "path": "/counters?id=eq.9", "headers": {"If-Match": "*"}}),
            404,
            "PGRST116",
        ),
        (
            json!({"method": "PUT", "path": "/guarded?id=eq.1", "body": {"value": "x"}}),
            428,
            "FH428",
        ),
        (json!({"method": "DELETE", "path": "/counters"}), 400, "21000"),
        (json!({"method": "GET", "path": "/counter"}), 404, "PGRST205"),
        (json!({"method": "GET", "path": "/counters?idd=eq.1"}), 400, "42703"),
        (
            json!({"method": "PATCH", "path": "/history?id=eq.1", "body": {"what": "x"}}),
            405,
            "PGRST117",
        ),
    ] {
        let reply = transaction(&shop, &json!([first, second, last])).await;
        reply.problem(status, code);
        assert_eq!(
            (&reply.json()["operation"], &reply.json()["path"]),
            (&json!(2), &last["path"])
        );
        assert_eq!(shop.count("counters").await, 0);
    }
    let paid = json!({"method": "POST", "path": "/orders", "body": {"status": "paid"}});
    let reply = transaction(&shop, &json!([first, paid])).await;
    assert_eq!(reply.problem(400, "23514"), "an order that is paid needs a line");
    assert_eq!(
        (&reply.json()["operation"], shop.count("counters").await),
        (&Value::Null, 0)
    );
    // What waits for the commit sees what came after it.
    let id = "\"id\": 77";
    let body = format!(
        r#"[{{"method":"POST","path":"/history","body":{{{id},"what":"a"}}}},
            {{"method":"GET","path":"/history?id=eq.77"}}]"#
    );
    let reply = send(shop.request(Method::POST, "/transaction").body(body)).await;
    assert_eq!(reply.json()["results"][1]["body"], json!([{"id": 77, "what": "a"}]));
}

#[tokio::test]
async fn what_is_not_understood_names_its_operation() {
    let shop = Shop::open().await;
    let good = json!({"method": "POST", "path": "/counters", "body": {"id": 1}});
    for (bad, told) in [
        (json!(7), "invalid type"),
        (json!({"path": "/counters"}), "missing field `method`"),
        (json!({"method": "GET"}), "missing field `path`"),
        (
            json!({"method": "GET", "path": "/counters", "if": 1}),
            "unknown field `if`",
        ),
        (json!({"method": "get", "path": "/counters"}), "`method` is none of"),
        (json!({"method": "HEAD", "path": "/counters"}), "`method` is none of"),
        (json!({"method": "GET", "path": "counters"}), "`path` is no path"),
        (json!({"method": "GET", "path": ""}), "`path` is no path"),
        (
            json!({"method": "GET", "path": "http://other/counters"}),
            "`path` is no path",
        ),
        (
            json!({"method": "GET", "path": "//other/counters"}),
            "`path` is no path",
        ),
        (json!({"method": "GET", "path": "/counters#x"}), "`path` is no path"),
        (json!({"method": "GET", "path": "/coun ters"}), "`path` is no path"),
        (
            json!({"method": "GET", "path": "/counters", "body": {}}),
            "a GET takes no body",
        ),
        (
            json!({"method": "DELETE", "path": "/counters", "body": 1}),
            "a DELETE takes no body",
        ),
        (
            json!({"method": "POST", "path": "/transaction", "body": []}),
            "a transaction holds no transaction",
        ),
        (
            json!({"method": "GET", "path": "/counters", "headers": {"a b": "c"}}),
            "`a b` is no header",
        ),
        (
            json!({"method": "GET", "path": "/counters", "headers": {"a": "\n"}}),
            "`a` is no header",
        ),
        (
            json!({"method": "GET", "path": "/counters", "headers": {"a": 1}}),
            "invalid type",
        ),
        (
            json!({"method": "POST", "path": "/counters", "headers": {"Idempotency-Key": "k"}}),
            "an Idempotency-Key stands",
        ),
        (
            json!({"method": "POST", "path": "/counters", "headers": {"Prefer": "tx=rollback"}}),
            "for the whole transaction",
        ),
        (
            json!({"method": "POST", "path": "/counters", "headers": {"Content-Type": "text/csv"}, "body": {}}),
            "as a string",
        ),
    ] {
        let reply = transaction(&shop, &json!([good, bad])).await;
        let message = reply.problem(400, "PGRST102");
        assert!(message.contains(told), "{bad}: {message}");
        assert_eq!(reply.json()["operation"], 1, "{bad}");
    }
    assert_eq!(shop.count("counters").await, 0);
    let long = format!("/counters?{}", "x".repeat(20_000));
    let reply = transaction(&shop, &json!([{"method": "GET", "path": long}])).await;
    reply.problem(414, "FH414");
    for body in [
        "",
        "7",
        "{}",
        "[",
        r#"{"operations":7}"#,
        r#"{"operations":[],"x":1}"#,
        "\u{feff}[]",
    ] {
        let reply = send(shop.request(Method::POST, "/transaction").body(body)).await;
        reply.problem(400, "PGRST102");
    }
    let many: Vec<Value> = vec![good; 101];
    let message = transaction(&shop, &json!(many)).await.problem(400, "PGRST102");
    assert!(message.contains("at most 100"), "{message}");
    let csv = shop
        .request(Method::POST, "/transaction")
        .header("content-type", "text/csv");
    send(csv.body("a")).await.problem(415, "PGRST102");
}

#[tokio::test]
async fn a_transaction_is_posted() {
    let shop = Shop::open().await;
    let allowed = send(shop.request(Method::OPTIONS, "/transaction")).await;
    assert_eq!((allowed.status, allowed.header("allow")), (200, "OPTIONS, POST"));
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let reply = send(shop.request(method, "/transaction")).await;
        reply.problem(405, "PGRST117");
        assert_eq!(reply.header("allow"), "OPTIONS, POST");
    }
}

/// Requests of one run.
const REQUESTS: usize = 300;

#[tokio::test]
async fn a_transaction_at_random_is_never_a_failure_of_the_service() {
    let seed = std::env::var("FREEHOLD_TEST_SEED").ok().and_then(|s| s.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let shop = Shop::open().await;
    let parts = [
        "{\"operations\":",
        "[",
        "]",
        "{",
        "}",
        ",",
        ",",
        "\"method\":",
        "\"GET\"",
        "\"POST\"",
        "\"PATCH\"",
        "\"path\":",
        "\"/counters\"",
        "\"/counters?id=eq.1\"",
        "\"/%zz\"",
        "\"/\"",
        "\"headers\":",
        "\"body\":",
        "{\"id\":1}",
        "null",
        "1e999",
        "\"\\ud800\"",
        "\"Prefer\":\"return=representation\"",
        "\u{e4}",
        "{\"method\":\"POST\",\"path\":\"/counters\",\"body\":{\"id\":3}}",
        "{\"method\":\"GET\",\"path\":\"/counters\"}",
    ];
    let mut carried_out = 0;
    for number in 0..REQUESTS {
        let several = random.usize(1..5);
        let body: String = match random.bool() {
            true => (0..random.usize(1..20))
                .map(|_| parts[random.usize(..parts.len())])
                .collect(),
            false => format!(
                "[{}]",
                vec![parts[parts.len() - 1 - random.usize(..2)]; several].join(",")
            ),
        };
        let reply = send(shop.request(Method::POST, "/transaction").body(body.clone())).await;
        assert!(
            reply.status < 500,
            "FREEHOLD_TEST_SEED={seed}, request {number}: {body}: {reply:?}"
        );
        carried_out += usize::from(reply.status == 200);
    }
    assert!(
        carried_out > 10,
        "FREEHOLD_TEST_SEED={seed}: only {carried_out} were carried out"
    );
}
