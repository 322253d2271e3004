//! Requests made at random, against a real database: refused or answered, never a failure of the service.

use reqwest::Method;

use crate::entity::{Shop, send};

/// Requests of one run: enough to meet every pair of the tables below, few enough for every build.
const REQUESTS: usize = 600;

fn pick<'a>(random: &mut fastrand::Rng, from: &[&'a str]) -> &'a str {
    from[random.usize(..from.len())]
}

const TABLES: [&str; 10] = [
    "products",
    "orders",
    "order_items",
    "item_notes",
    "shipments",
    "history",
    "counters",
    "guarded",
    "odd%20%22table",
    "keyless",
];
const COLUMNS: [&str; 17] = [
    "id",
    "name",
    "price",
    "code",
    "tags",
    "meta",
    "colour",
    "active",
    "version",
    "order_id",
    "item_id",
    "line",
    "value",
    "a%20b",
    "select",
    "updated_at",
    "x",
];
const OPERATORS: [&str; 12] = [
    "eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "in", "is", "not.eq", "not.in",
];
const VALUES: [&str; 19] = [
    "1",
    "-1",
    "0",
    "99999999999999999999",
    "1e400",
    "NaN",
    "abc",
    "",
    "null",
    "true",
    "(1,2)",
    "(a,\"b\")",
    "{a,b}",
    "{\"k\":1}",
    "00000000-0000-0000-0000-000000000001",
    "%F0%9F%98%80",
    "'%3B--",
    "infinity",
    "*",
];
const JSON: [&str; 17] = [
    "1",
    "-1",
    "null",
    "true",
    "\"a\"",
    "\"\"",
    "1e400",
    "99999999999999999999",
    "[]",
    "[1,\"a\"]",
    "{}",
    "[{}]",
    "{\"k\":[1]}",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"00000000-0000-0000-0000-000000000001\"",
    "[{\"quantity\":1,\"item_notes\":[{\"line\":1}]}]",
];
const FIELDS: [&str; 18] = [
    "id",
    "name",
    "price",
    "code",
    "tags",
    "meta",
    "colour",
    "active",
    "version",
    "order_id",
    "quantity",
    "value",
    "order_items",
    "shipments",
    "address",
    "updated_at",
    "what",
    "a",
];
const HEADERS: [(&str, &str); 9] = [
    ("if-match", "\"1\""),
    ("if-match", "*"),
    ("if-none-match", "*"),
    ("accept", "application/vnd.pgrst.object+json"),
    ("prefer", "return=representation"),
    ("prefer", "return=headers-only"),
    ("content-type", "text/csv"),
    ("content-type", "application/json"),
    ("accept", "text/plain;q=0.3"),
];

fn query(random: &mut fastrand::Rng) -> String {
    let mut parts = Vec::new();
    for _ in 0..random.usize(..4) {
        let column = pick(random, &COLUMNS);
        parts.push(match random.u8(..8) {
            0 => format!("select={column},{}", pick(random, &COLUMNS)),
            1 => format!("order={column}.desc"),
            2 => format!("limit={}&offset={}", pick(random, &VALUES), pick(random, &VALUES)),
            3 => "id=eq.1".to_owned(),
            _ => format!("{column}={}.{}", pick(random, &OPERATORS), pick(random, &VALUES)),
        });
    }
    parts.join("&")
}

fn object(random: &mut fastrand::Rng) -> String {
    let mut fields = Vec::new();
    for _ in 0..random.usize(..4) {
        fields.push(format!("\"{}\":{}", pick(random, &FIELDS), pick(random, &JSON)));
    }
    format!("{{{}}}", fields.join(","))
}

fn body(random: &mut fastrand::Rng) -> String {
    match random.u8(..8) {
        0 => format!("[{},{}]", object(random), object(random)),
        1 => {
            let one = object(random);
            format!("[{one},{one}]")
        }
        2 => format!(
            "{},{}\n{},{}\n",
            pick(random, &FIELDS),
            pick(random, &FIELDS),
            pick(random, &VALUES),
            pick(random, &VALUES)
        ),
        3 => pick(random, &JSON).to_owned(),
        _ => object(random),
    }
}

#[tokio::test]
async fn a_request_at_random_is_never_a_failure_of_the_service() {
    let seed = std::env::var("FREEHOLD_TEST_SEED").ok().and_then(|s| s.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let shop = Shop::open().await;
    let rows = "insert into shop.counters (id) select generate_series(1, 9);
        insert into shop.guarded (id) values (1);
        insert into shop.orders (status) values ('a'), ('b');
        insert into shop.products (id, name, price) values ('00000000-0000-0000-0000-000000000001', 'abc', 1)";
    shop.sql.batch_execute(rows).await.expect("rows are written");
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::POST,
        Method::PATCH,
        Method::PUT,
        Method::DELETE,
    ];
    let mut kinds = std::collections::BTreeMap::<u16, usize>::new();
    for number in 0..REQUESTS {
        let method = methods[random.usize(..methods.len())].clone();
        let path = format!("/{}?{}", pick(&mut random, &TABLES), query(&mut random));
        let body = body(&mut random);
        let mut request = shop.request(method.clone(), &path).body(body.clone());
        for _ in 0..random.usize(..3) {
            let (name, value) = HEADERS[random.usize(..HEADERS.len())];
            request = request.header(name, value);
        }
        let reply = send(request).await;
        assert!(
            reply.status < 500,
            "FREEHOLD_TEST_SEED={seed}, request {number}: {method} {path} {body}: {reply:?}"
        );
        *kinds.entry(reply.status).or_default() += 1;
    }
    // Neither all refused nor all alike: how many kinds there are beyond these is the seed's luck.
    let reached = [200, 400, 405].iter().all(|kind| kinds.contains_key(kind)) && kinds.len() > 4;
    assert!(
        reached,
        "FREEHOLD_TEST_SEED={seed}: the requests do not reach far: {kinds:?}"
    );
}
