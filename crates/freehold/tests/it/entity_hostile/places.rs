//! Every place of a request in which a text of the client's stands, each with every text that means something to SQL.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::wire::{Attack, Effect};

/// Texts that would do something if they became SQL, or a name, or a path.
const TEXTS: [&str; 30] = [
    "'; drop table shop.canary; --",
    "\"; drop table shop.canary; --",
    "1; drop table shop.canary",
    "x\" from shop.canary; drop table shop.canary; --",
    "') or ('1'='1",
    "' or '1'='1' --",
    "1) or (1=1",
    "x'||pg_sleep(20)||'",
    "pg_sleep(20)",
    "(select password_hash from shop.accounts limit 1)",
    "id) from shop.accounts; delete from shop.canary; --",
    "' union select password_hash from shop.accounts --",
    "$$; drop table shop.canary; $$",
    "$1",
    "\\'; drop table shop.canary; --",
    "\\",
    "\"",
    "*/ drop table shop.canary /*",
    "canary",
    "private",
    "shop.private",
    "pg_class",
    "pg_catalog.pg_authid",
    "password_hash",
    "current_setting('data_directory')",
    "query_to_xml('delete from shop.canary',true,true,'')",
    "pg_read_file('/etc/passwd')",
    "\u{ff07}; drop table shop.canary; --",
    "a\u{202e}b\u{0301}🦀",
    "../../etc/passwd",
];

/// Bytes that are no text.
const BYTES: [&str; 6] = ["%00", "%FF", "%C3%28", "%ED%A0%80", "a%00b", "%C0%A7"];

/// Targets with a hole.
const TARGETS: [&str; 66] = [
    "/{}",
    "/{}?select=id",
    "/products/{}",
    "/products?{}=eq.1",
    "/products?\"{}\"=eq.1",
    "/products?{}",
    "/products?name={}",
    "/products?name={}.x",
    "/products?name=not.{}.x",
    "/products?name=eq.{}",
    "/products?name=eq(any).{{}}",
    "/products?name=eq(all).{\"{}\"}",
    "/products?name=eq({}).x",
    "/products?name=in.({})",
    "/products?name=in.(\"{}\")",
    "/products?name=like.{}",
    "/products?name=ilike(any).{*{}*}",
    "/products?name=is.{}",
    "/products?name=isdistinct.{}",
    "/products?name=fts.{}",
    "/products?name=fts({}).x",
    "/products?name=wfts(english).{}",
    "/products?name=plfts({}).{}",
    "/products?id=eq.{}",
    "/products?price=gt.{}",
    "/products?active=eq.{}",
    "/products?colour=eq.{}",
    "/products?colour=in.({})",
    "/products?updated_at=lt.{}",
    "/products?tags=cs.{}",
    "/products?tags=ov.{{}}",
    "/products?meta=cs.{}",
    "/products?meta=eq.{}",
    "/products?meta->{}=eq.1",
    "/products?meta->>{}=eq.1",
    "/products?meta->\"{}\"->>k=eq.1",
    "/products?and=({})",
    "/products?or=(name.eq.{},name.eq.x)",
    "/products?or=({}.eq.1,id.is.null)",
    "/products?not.and=(name.{}.1)",
    "/products?select={}",
    "/products?select=name,{}",
    "/products?select={}:name",
    "/products?select=\"{}\":name",
    "/products?select=name::{}",
    "/products?select=price.sum()::{}",
    "/products?select=price.{}()",
    "/products?select=meta->{}",
    "/products?select=meta->>\"{}\"",
    "/orders?select={}(*)",
    "/orders?select=x:{}(*)",
    "/orders?select=order_items!{}(*)",
    "/orders?select=order_items!inner!{}(*)",
    "/orders?select=order_items({})",
    "/orders?select=...{}(*)",
    "/orders?select=order_items(*)&order_items.{}=eq.1",
    "/orders?select=order_items(*)&order_items.quantity=eq.{}",
    "/orders?select=order_items(*)&order_items.order={}",
    "/orders?select=order_items(*)&{}.order=id",
    "/products?order={}",
    "/products?order=name.{}",
    "/products?order=name.asc.{}",
    "/order_items?select=orders(*)&order=orders({})",
    "/products?limit={}",
    "/products?offset={}",
    "/products?order=id&limit=1&after={}",
];

/// Headers with a hole, sent with a read.
const HEADERS: [&str; 15] = [
    "range: {}",
    "range-unit: {}",
    "prefer: {}",
    "prefer: count={}",
    "prefer: timezone={}",
    "prefer: handling=strict, timezone=\"{}\"",
    "accept: {}",
    "accept: application/json;profile={}",
    "accept-profile: {}",
    "if-none-match: {}",
    "if-none-match: \"{}\"",
    "freehold-at-least: {}",
    "authorization: Bearer {}",
    "traceparent: {}",
    "x-forwarded-for: {}",
];

/// Headers with a hole, sent with a write of one row.
const WRITE_HEADERS: [&str; 8] = [
    "if-match: {}",
    "content-type: {}",
    "content-type: application/json; charset={}",
    "content-encoding: {}",
    "content-profile: {}",
    "idempotency-key: {}",
    "prefer: resolution={}",
    "prefer: max-affected={}, missing={}, tx={}, return={}",
];

/// Writes with a hole in the target.
const WRITE_TARGETS: [(&str, &str); 8] = [
    ("POST", "/counters?columns={}"),
    ("POST", "/counters?columns=id,\"{}\""),
    ("POST", "/counters?on_conflict={}"),
    ("POST", "/counters?select={}"),
    ("PATCH", "/counters?id=eq.{}"),
    ("PATCH", "/counters?{}=eq.1"),
    ("DELETE", "/counters?id=eq.{}"),
    ("PUT", "/counters?id=eq.{}"),
];

/// Functions that are not there.
const CALLS: [&str; 5] = [
    "/rpc/{}",
    "/rpc/now?{}=1",
    "/rpc/pg_sleep?seconds={}",
    "/rpc/search?q={}",
    "/rpc/search?select={}",
];

/// Every place with every text, as a client would encode it.
pub(super) fn all() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for text in TEXTS {
        let encoded = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        for target in TARGETS.iter().chain(&CALLS) {
            attacks.push(Attack::get("a text in a place of the URL", &fill(target, &encoded)));
        }
        for (method, target) in WRITE_TARGETS {
            let target = fill(target, &encoded);
            let body = br#"{"id":-1,"value":1}"#;
            attacks.push(Attack::new(
                "a text in the URL of a write",
                method,
                &target,
                &[JSON],
                body,
            ));
        }
        for header in HEADERS {
            let header = header.replace("{}", text);
            attacks.push(Attack::new(
                "a text in a header",
                "GET",
                "/products?limit=1",
                &[&header],
                b"",
            ));
        }
        for header in WRITE_HEADERS {
            let header = header.replace("{}", text);
            let body = br#"{"id":-2,"value":1}"#;
            attacks.push(Attack::new(
                "a text in a header of a write",
                "POST",
                "/counters",
                &[&header],
                body,
            ));
        }
        attacks.extend(bodies(text));
    }
    for bytes in BYTES {
        for target in TARGETS.iter().chain(&CALLS) {
            attacks.push(Attack::get("bytes that are no text", &fill(target, bytes)));
        }
        for (method, target) in WRITE_TARGETS {
            let body = br#"{"id":-1,"value":1}"#;
            attacks.push(Attack::new(
                "bytes that are no text",
                method,
                &fill(target, bytes),
                &[JSON],
                body,
            ));
        }
    }
    attacks
}

const JSON: &str = "content-type: application/json";

fn bodies(text: &str) -> Vec<Attack> {
    let quoted = serde_json::Value::from(text).to_string();
    let post = |target: &str, body: String| Attack::new("a text in a body", "POST", target, &[JSON], body.as_bytes());
    let csv = |body: String| {
        Attack::new(
            "a text in CSV",
            "POST",
            "/counters",
            &["content-type: text/csv"],
            body.as_bytes(),
        )
    };
    let cell = format!("\"{}\"", text.replace('"', "\"\""));
    vec![
        post("/counters", format!("{{{quoted}:1}}")),
        post("/counters", format!("{{\"id\":{quoted}}}")),
        post("/counters", format!("[{{\"id\":-3,\"value\":{quoted}}}]")),
        post("/products", format!("{{\"name\":\"x\",\"price\":{quoted}}}")),
        post("/products", format!("{{\"name\":\"x\",\"colour\":{quoted}}}")),
        post("/products", format!("{{\"name\":\"x\",\"tags\":{quoted}}}")),
        post("/orders", format!("{{\"order_items\":[{{{quoted}:1}}]}}")),
        post("/rpc/search", format!("{{\"q\":{quoted}}}")),
        post("/rpc/search", format!("{{{quoted}:1}}")),
        post(
            "/transaction",
            format!("[{{\"method\":{quoted},\"path\":{quoted},\"body\":{quoted}}}]"),
        ),
        csv(format!("{cell}\n1\n")),
        csv(format!("id,value\n{cell},1\n")),
        csv(format!("id,value\n-4,{cell}\n")),
    ]
}

fn fill(template: &str, text: &str) -> String {
    let filled = template.replace("{}", text);
    // What may not stand in a request line, or would not be the same there.
    filled
        .replace('"', "%22")
        .replace('{', "%7B")
        .replace('}', "%7D")
        .replace('>', "%3E")
}

/// Texts that a column of text must store as they are.
pub(super) fn texts() -> &'static [&'static str] {
    &TEXTS
}

/// A write that is as good as any, whatever its text looks like.
pub(super) fn store(text: &str, id: usize) -> Attack {
    let body = serde_json::json!({"id": id, "name": text}).to_string();
    Attack::new("a text as a value", "POST", "/accounts", &[JSON], body.as_bytes()).with(Effect::Write)
}
