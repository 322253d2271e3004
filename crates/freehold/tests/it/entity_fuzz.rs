//! Requests made at random, against a real database: refused or answered, never a failure of the service.
//!
//! Queries are put together by the grammar, from names that are there and names that are not; some of them are damaged then.

mod words;

use std::collections::BTreeMap;

use fastrand::Rng;
use reqwest::Method;

use crate::entity::{Shop, send};
use crate::entity_property::seed;
use words::{AGGREGATES, COLUMNS, FIELDS, HEADERS, HINTS, JSON, MARKS, OPERATORS, RELATIONS, TABLES, TYPES, VALUES};

/// Requests of one run: enough to meet every pair of words, few enough for every build.
const REQUESTS: usize = 1_500;

/// Requests of a proof.
const REQUESTS_PROVED: usize = 30_000;

fn pick<'a>(random: &mut Rng, from: &[&'a str]) -> &'a str {
    from[random.usize(..from.len())]
}

/// Mostly a column of the table.
fn field(random: &mut Rng, columns: &[&'static str]) -> &'static str {
    if random.u8(..8) == 0 {
        return pick(random, &COLUMNS);
    }
    pick(random, columns)
}

fn items(random: &mut Rng, columns: &[&'static str], depth: usize) -> String {
    let mut listed = Vec::new();
    for _ in 0..random.usize(..4) {
        let alias = pick(random, &["", "", "x:", "\"y z\":"]);
        let cast = if random.u8(..4) == 0 {
            format!("::{}", pick(random, &TYPES))
        } else {
            String::new()
        };
        listed.push(match random.u8(..8) {
            0 => "*".to_owned(),
            1 => format!("{alias}count(){cast}"),
            2 => format!(
                "{alias}{}{cast}.{}()",
                field(random, columns),
                pick(random, &AGGREGATES)
            ),
            3 | 4 if depth < 4 => {
                let lead = if random.u8(..4) == 0 { "..." } else { alias };
                let (_, of) = TABLES[random.usize(..TABLES.len())];
                let inner = items(random, of, depth + 1);
                let (relation, hint) = (pick(random, &RELATIONS), pick(random, &HINTS));
                format!("{lead}{relation}{hint}({inner})")
            }
            _ => format!("{alias}{}{cast}", field(random, columns)),
        });
    }
    listed.join(",")
}

fn test(random: &mut Rng) -> String {
    let not = pick(random, &["", "", "not."]);
    format!("{not}{}.{}", pick(random, &OPERATORS), pick(random, &VALUES))
}

fn tree(random: &mut Rng, columns: &[&'static str], depth: usize) -> String {
    let mut clauses = Vec::new();
    for _ in 0..random.usize(..4) {
        clauses.push(if depth < 5 && random.u8(..3) == 0 {
            let logic = pick(random, &["and", "or", "not.and", "not.or", "xor"]);
            format!("{logic}{}", tree(random, columns, depth + 1))
        } else {
            format!("{}.{}", field(random, columns), test(random))
        });
    }
    format!("({})", clauses.join(","))
}

fn order(random: &mut Rng, columns: &[&'static str]) -> String {
    let direction = pick(random, &["", ".asc", ".desc", ".nullsfirst", ".desc.nullslast", ".up"]);
    match random.u8(..4) {
        0 => format!("{}({}){direction}", pick(random, &RELATIONS), field(random, columns)),
        1 => format!("{}{direction},{}", field(random, columns), field(random, columns)),
        _ => format!("{}{direction}", field(random, columns)),
    }
}

fn part(random: &mut Rng, columns: &[&'static str]) -> String {
    let path = match random.u8(..8) {
        0 => format!("{}.", pick(random, &RELATIONS)),
        1 if random.bool() => format!("{}.{}.", pick(random, &RELATIONS), pick(random, &RELATIONS)),
        _ => String::new(),
    };
    match random.u8(..14) {
        0..=2 => format!("select={}", items(random, columns, 0)),
        3 => format!("{path}order={}", order(random, columns)),
        4 => format!("{path}limit={}", pick(random, &VALUES)),
        5 => format!("{path}offset={}", pick(random, &VALUES)),
        6 => format!(
            "{path}{}={}",
            pick(random, &["and", "or", "not.and"]),
            tree(random, columns, 0)
        ),
        7 => format!("columns={}", pick(random, &FIELDS)),
        8 => format!("on_conflict={}", pick(random, &FIELDS)),
        9 => format!("after={}", pick(random, &VALUES)),
        10 => "id=eq.1".to_owned(),
        _ => format!("{path}{}={}", field(random, columns), test(random)),
    }
}

fn query(random: &mut Rng, columns: &[&'static str]) -> String {
    let parts: Vec<String> = (0..random.usize(..5)).map(|_| part(random, columns)).collect();
    let mut query = parts.join("&");
    if random.u8(..6) == 0 {
        damage(random, &mut query);
    }
    query.replace('#', "%23")
}

/// Puts something in, or takes something out, anywhere.
fn damage(random: &mut Rng, query: &mut String) {
    for _ in 0..random.usize(1..4) {
        let ends: Vec<usize> = query
            .char_indices()
            .map(|(place, _)| place)
            .chain([query.len()])
            .collect();
        let place = ends[random.usize(..ends.len())];
        if random.bool() {
            query.insert_str(place, pick(random, &MARKS));
        } else if place < query.len() {
            query.remove(place);
        }
    }
}

fn object(random: &mut Rng) -> String {
    let mut fields = Vec::new();
    for _ in 0..random.usize(..4) {
        fields.push(format!("\"{}\":{}", pick(random, &FIELDS), pick(random, &JSON)));
    }
    format!("{{{}}}", fields.join(","))
}

fn body(random: &mut Rng) -> String {
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
    let seed = seed();
    let mut random = Rng::with_seed(seed);
    let shop = Shop::open().await;
    let rows = "insert into shop.counters (id) select generate_series(1, 9);
        insert into shop.guarded (id) values (1);
        insert into shop.orders (status) values ('a'), ('b');
        insert into shop.products (id, name, price, meta, tags)
        values ('00000000-0000-0000-0000-000000000001', 'abc', 1, '{\"k\": [1]}', '{a}');
        insert into shop.order_items (order_id, product_id) select id, '00000000-0000-0000-0000-000000000001' from shop.orders;
        insert into shop.shipments values (1, 'here')";
    shop.sql.batch_execute(rows).await.expect("rows are written");
    let methods = [
        Method::GET,
        Method::GET,
        Method::GET,
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::POST,
        Method::PATCH,
        Method::PUT,
        Method::DELETE,
    ];
    let mut kinds = BTreeMap::<u16, usize>::new();
    let requests = match std::env::var_os("FREEHOLD_PROVE") {
        Some(_) => REQUESTS_PROVED,
        None => REQUESTS,
    };
    for number in 0..requests {
        let method = methods[random.usize(..methods.len())].clone();
        let (table, columns) = TABLES[random.usize(..TABLES.len())];
        let path = format!("/{table}?{}", query(&mut random, columns));
        let body = body(&mut random);
        let mut request = shop.request(method.clone(), &path).body(body.clone());
        for _ in 0..random.usize(..3) {
            let (name, value) = HEADERS[random.usize(..HEADERS.len())];
            request = request.header(name, value);
        }
        let reply = send(request).await;
        assert!(
            reply.status < 500,
            "FREEHOLD_SEED={seed}, request {number}: {method} {path} {body}: {reply:?}"
        );
        *kinds.entry(reply.status).or_default() += 1;
    }
    println!("FREEHOLD_SEED={seed}: {kinds:?}");
    // Neither all refused nor all alike: how many kinds there are beyond these is the seed's luck.
    let reached = [200, 400, 405].iter().all(|kind| kinds.contains_key(kind)) && kinds.len() > 4;
    assert!(
        reached,
        "FREEHOLD_SEED={seed}: the requests do not reach far: {kinds:?}"
    );
    let answered = kinds.get(&200).copied().unwrap_or_default();
    assert!(
        answered * 20 > requests,
        "FREEHOLD_SEED={seed}: the requests do not reach far: {kinds:?}"
    );
}
