//! Requests that mean harm: none makes the service fail, none learns or changes what it should not.
//!
//! `places` puts every text that means something to SQL into every place of a request; `shapes` are requests that are too
//! deep, too long, out of range, half, or not HTTP. They are sent as bytes (`wire`).

mod places;
mod shapes;
mod wire;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fastrand::Rng;
use freehold_manifest::model::Function;
use serde_json::Value;

use crate::entity::Shop;
use wire::{Answer, Attack, Effect, End};

/// What must not be in any answer: it stands in a hidden column, and in rows that nobody asks for.
const SECRET: &str = "canary-7f3a91";

/// The longest wait for an answer; what is slow on purpose is cut off by the service before.
const WITHIN: Duration = Duration::from_secs(40);

/// The wait for an answer that needs nothing but refusing.
const QUICK: Duration = Duration::from_secs(10);

/// Bytes of a refusal: what a client sent is not sent back by the megabyte.
const PROBLEM_BYTES_MAX: usize = 64 * 1024;

/// Memory the process may gain over thousands of such requests, once everything was met once, in KiB.
const GROWTH_MAX_KIB: u64 = 24 * 1024;

/// Texts of ours that no client should read. What a request says itself may stand in its answer.
const OURS: [&str; 18] = [
    "row_to_json",
    "json_agg",
    "json_build",
    "json_to_record",
    "lateral",
    "pg_",
    "from \"shop\"",
    "\"shop\".",
    "::text",
    "coalesce(",
    " as t",
    "t.\"",
    "$1",
    "insert into",
    "delete from",
    "on conflict",
    "set_config",
    "src/",
];

const ROWS: &str = "
create table shop.canary (id int primary key, secret text);
insert into shop.canary values (1, 'canary-7f3a91');
insert into shop.private values (1);
insert into shop.accounts (id, name, password_hash) values (1, 'ann', 'canary-7f3a91'), (2, 'bo', 'canary-7f3a91');
insert into shop.counters (id) select generate_series(1, 9);
insert into shop.guarded (id, value) values (1, 'x');
insert into shop.orders (status) values ('a'), ('b');
insert into shop.order_items (order_id) values (1), (1), (2);
insert into shop.history (what) values (repeat('a', 3000)), (repeat('ab', 2000) || '!'), ('short');
insert into shop.products (id, name, price, meta, tags)
values ('00000000-0000-0000-0000-000000000001', 'abc', 1.50, '{\"k\": 1}', '{a,b}'),
       ('00000000-0000-0000-0000-000000000002', 'x', null, '[1, 2]', null);
";

/// What is in the tables, and which tables, functions and superusers there are: other tests make roles of their own meanwhile.
const DIGEST: &str = "
select md5(string_agg(part, '|' order by part))
  from (select c.oid::regclass::text
               || coalesce(query_to_xml('select x from ' || c.oid::regclass || ' as x order by x::text', false, false, '')::text, '') as part
          from pg_class c
         where c.relnamespace = 'shop'::regnamespace and c.relkind = 'r'
        union all
        select p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'shop'::regnamespace
        union all
        select rolname from pg_roles where rolsuper) as parts";

/// What one request may take, in milliseconds: slow ones are many.
const STATEMENT_MS: u64 = 1_000;

/// Keys of requests are kept as an installation keeps them.
const MIGRATION: &str = concat!(
    "create schema freehold;",
    include_str!("../../../sql/06_requests.sql"),
    "
create function shop.search(q text) returns setof shop.history language sql stable as
  'select * from shop.history where what = q'"
);

async fn open() -> Shop {
    let shop = Shop::open_but(MIGRATION, |service| {
        service.api.limits.statement_ms = STATEMENT_MS;
        service.functions.push(Function {
            name: "search".into(),
            summary: String::new(),
            served: Default::default(),
        });
    })
    .await;
    shop.sql.batch_execute(ROWS).await.expect("rows are written");
    shop
}

/// What writes that are as good as any leave behind, they and no others.
const UNDO: &str = "
delete from shop.counters;
insert into shop.counters (id) select generate_series(1, 9);
delete from shop.products where name = 'x' and id <> '00000000-0000-0000-0000-000000000002';
delete from shop.orders where id > 2";

/// The digest after an attack; rows that any client may write are taken back first.
async fn settled(shop: &Shop, attack: &Attack) -> String {
    if attack.effect == Effect::Write {
        shop.sql
            .batch_execute(UNDO)
            .await
            .expect("what was written is taken back");
    }
    digest(shop).await
}

async fn digest(shop: &Shop) -> String {
    shop.sql
        .query_one(DIGEST, &[])
        .await
        .expect("the tables are there")
        .get(0)
}

fn corpus() -> Vec<Attack> {
    let mut attacks = places::all();
    attacks.extend(shapes::all());
    attacks
}

/// What is wrong with an answer, if anything is.
fn fault(attack: &Attack, answer: &Answer) -> Option<String> {
    let slow = attack.effect == Effect::Slow && [503, 504].contains(&answer.status);
    if answer.status >= 500 && !slow {
        return Some("the service fails".to_owned());
    }
    let text = answer.text();
    if text.contains(SECRET) || answer.headers.contains(SECRET) {
        return Some("the answer tells a secret".to_owned());
    }
    if answer.status == 0 {
        let said = attack.end == End::Closes || attack.bytes.len() > 100_000;
        return (!said).then(|| "there is no answer".to_owned());
    }
    if answer.status < 400 {
        return None;
    }
    // As the client reads it: a quote in JSON has a backslash before it.
    if text.len() > PROBLEM_BYTES_MAX {
        return Some(format!("a problem of {} bytes", text.len()));
    }
    let lower = text.to_lowercase().replace("\\\"", "\"").replace("not.\"", "not.");
    if let Some(ours) = OURS.iter().find(|ours| lower.contains(**ours) && !attack.says(ours)) {
        return Some(format!("the answer shows `{ours}`"));
    }
    // The HTTP library refuses what is not HTTP before the service sees it, and a path of another shape is answered by the
    // router around the tables.
    if answer.body.is_empty() && answer.header("content-type").is_empty() {
        let refused = [400, 404, 405, 408, 414, 417, 431, 505].contains(&answer.status);
        return (!refused).then(|| "the answer has no body".to_owned());
    }
    if answer.body.is_empty() {
        return (!attack.bytes.starts_with(b"HEAD")).then(|| "the problem has no body".to_owned());
    }
    if answer.header("content-type") != "application/problem+json; charset=utf-8" {
        return Some(format!("Content-Type is {}", answer.header("content-type")));
    }
    let Ok(problem) = serde_json::from_str::<Value>(&text) else {
        return Some("the problem is no JSON".to_owned());
    };
    let said = ["type", "title", "detail", "message", "code"];
    let missing = said.iter().find(|m| problem[**m].as_str().is_none_or(str::is_empty));
    match missing {
        Some(member) => Some(format!("the problem has no {member}")),
        None if problem["status"] != answer.status => Some("the problem's status is another".to_owned()),
        None => None,
    }
}

#[tokio::test]
async fn no_hostile_request_breaks_or_learns_or_changes_anything() {
    let shop = open().await;
    let before = digest(&shop).await;
    let attacks = corpus();
    assert!(attacks.len() > 400, "{}", attacks.len());
    let mut faults: Vec<String> = Vec::new();
    let mut slowest = (Duration::ZERO, String::new());
    let mut kinds = BTreeMap::<String, usize>::new();
    let mut statuses = BTreeMap::<u16, usize>::new();
    for (number, attack) in attacks.iter().enumerate() {
        let begun = Instant::now();
        let answer = attack.send(&shop.address(), WITHIN).await;
        *statuses.entry(answer.status).or_default() += 1;
        let late = attack.effect != Effect::Slow && begun.elapsed() > QUICK;
        let found = fault(attack, &answer).or_else(|| late.then(|| format!("it took {:?}", begun.elapsed())));
        if let Some(found) = found {
            *kinds.entry(format!("{found} ({})", attack.kind)).or_default() += 1;
            if kinds[&format!("{found} ({})", attack.kind)] > 3 {
                continue;
            }
            let said: String = answer.text().chars().take(400).collect();
            faults.push(format!(
                "{found}: {}\n  answers {} {said}",
                attack.shown(),
                answer.status
            ));
        }
        // Reads are looked after together: what one of them changed is still to be seen a little later.
        let looked = attack.effect == Effect::Write || number % 20 == 0 || number + 1 == attacks.len();
        if looked && settled(&shop, attack).await != before {
            let shown = attack.shown();
            faults.push(format!(
                "the tables are changed, by this or by reads before it: {shown}\n  answers {}",
                answer.status
            ));
            shop.sql
                .batch_execute(UNDO)
                .await
                .expect("what was written is taken back");
            assert_eq!(
                digest(&shop).await,
                before,
                "what is changed is more than rows: {shown}"
            );
        }
        slowest = slowest.max((begun.elapsed(), attack.shown()));
    }
    println!("the slowest, {:?}: {}", slowest.0, slowest.1);
    println!("{} requests: {statuses:?}", attacks.len());
    assert!(faults.is_empty(), "{kinds:#?}\n{}", faults.join("\n"));
    let running = "select count(*) from pg_stat_activity
        where datname = current_database() and state = 'active' and pid <> pg_backend_pid()";
    let running: i64 = shop
        .sql
        .query_one(running, &[])
        .await
        .expect("statements are counted")
        .get(0);
    assert_eq!(running, 0, "a statement outlives its request");
    let reply = shop.get("/products?select=name&order=id").await;
    assert_eq!(reply.text.replace(' ', ""), r#"[{"name":"abc"},{"name":"x"}]"#);
}

#[tokio::test]
async fn a_hostile_text_is_stored_as_it_is() {
    let shop = open().await;
    for (place, text) in places::texts().iter().enumerate() {
        let id = 100 + place;
        let answer = places::store(text, id).send(&shop.address(), WITHIN).await;
        assert_eq!(answer.status, 201, "{text}: {}", answer.text());
        let query = format!("select name from shop.accounts where id = {id}");
        let stored: String = shop.sql.query_one(&query, &[]).await.expect("the row").get(0);
        assert_eq!(stored, *text);
        let encoded = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
        let reply = shop.get(&format!("/accounts?name=eq.{encoded}&select=id")).await;
        assert_eq!(reply.json(), serde_json::json!([{"id": id}]), "{text}");
    }
    assert_eq!(shop.count("canary").await, 1);
}

/// Resident memory of this process, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix("VmRSS:"))
        .unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn hostile_requests_leave_no_memory_behind() {
    /// Requests in all; the first part of them fills caches and pools.
    const REQUESTS: usize = 10_000;
    const WARM: usize = 4_000;
    let shop = open().await;
    let attacks: Vec<Attack> = corpus()
        .into_iter()
        .filter(|a| a.effect != Effect::Slow && a.bytes.len() < 100_000)
        .collect();
    let mut rng = Rng::with_seed(7);
    let mut warm = 0;
    for number in 0..REQUESTS {
        if number == WARM {
            warm = resident_kib();
        }
        let attack = &attacks[rng.usize(..attacks.len())];
        let answer = attack.send(&shop.address(), WITHIN).await;
        assert!(
            answer.status < 500,
            "{}: {} {}",
            attack.shown(),
            answer.status,
            answer.text()
        );
    }
    let after = resident_kib();
    println!("{warm} KiB after {WARM} requests, {after} KiB after {REQUESTS}");
    assert!(
        after < warm + GROWTH_MAX_KIB,
        "{warm} KiB after {WARM} requests, {after} KiB after {REQUESTS}"
    );
    assert_eq!(shop.get("/products?limit=1").await.status, 200);
}
