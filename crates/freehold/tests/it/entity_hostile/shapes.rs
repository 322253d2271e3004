//! Requests that are too deep, too long, too large, out of range, half, or not HTTP.

use super::wire::{Attack, Effect, End};

const JSON: &str = "content-type: application/json";
const CSV: &str = "content-type: text/csv";

pub(super) fn all() -> Vec<Attack> {
    [
        queries(),
        bombs(),
        numbers(),
        patterns(),
        json(),
        csv(),
        headers(),
        conflicts(),
        lines(),
        lengths(),
    ]
    .concat()
}

fn nested(open: &str, inner: &str, close: &str, depth: usize) -> String {
    format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
}

/// Trees, lists and URLs that do not end.
fn queries() -> Vec<Attack> {
    let get = |target: String| Attack::get("a query without end", &target);
    let mut attacks = Vec::new();
    for depth in [2, 8, 9, 64, 500, 1_500] {
        attacks.push(get(format!(
            "/products?and=({})",
            nested("and(", "id.is.null", ")", depth)
        )));
        attacks.push(get(format!(
            "/products?or=({})",
            nested("not.or(", "id.is.null,id.is.null", ")", depth)
        )));
        attacks.push(get(format!("/products?and={}", "(".repeat(depth))));
        attacks.push(get(format!("/products?select={}", nested("a(", "b", ")", depth))));
        attacks.push(get(format!("/products?select={}", "(".repeat(depth))));
        attacks.push(get(format!("/products?order={}", nested("a(", "b", ")", depth))));
        attacks.push(get(format!("/products?select=meta{}", "-%3Ea".repeat(depth))));
        attacks.push(get(format!("/products?meta{}=eq.1", "-%3E0".repeat(depth))));
        attacks.push(get(format!("/products?name={}eq.1", "not.".repeat(depth))));
        attacks.push(get(format!("/products?{}name=eq.1", "a.".repeat(depth))));
        attacks.push(get(format!("/products?select=name{}", "::text".repeat(depth))));
    }
    for many in [10, 64, 65, 200, 1_000, 1_001, 3_000] {
        attacks.push(get(format!("/products?name=in.({})", vec!["a"; many].join(","))));
        attacks.push(get(format!(
            "/products?name=eq(any).%7B{}%7D",
            vec!["a"; many].join(",")
        )));
        attacks.push(get(format!("/products?{}", vec!["id=is.null"; many].join("&"))));
        attacks.push(get(format!("/products?or=({})", vec!["id.is.null"; many].join(","))));
        attacks.push(get(format!("/products?select={}", vec!["name"; many].join(","))));
        attacks.push(get(format!("/products?order={}", vec!["name"; many].join(","))));
        attacks.push(get(format!("/products?{}", vec!["limit=1"; many].join("&"))));
        attacks.push(get(format!("/products?{}", "&".repeat(many))));
        attacks.push(get(format!("/products?select={}", ",".repeat(many))));
        attacks.push(get(format!("/products?name=eq.{}", "%22".repeat(many))));
    }
    for long in [15_000, 16_500, 40_000, 200_000] {
        attacks.push(get(format!("/{}", "x".repeat(long))));
        attacks.push(get(format!("/products?name=eq.{}", "x".repeat(long))));
        attacks.push(get(format!("/products?{}=eq.1", "x".repeat(long))));
        attacks.push(get(format!("/products?select={}", "%22".repeat(long / 3))));
    }
    for target in [
        "/products?name",
        "/products?name=",
        "/products?=eq.1",
        "/products?=",
        "/products??",
        "/products?name=eq",
        "/products?name=.eq.1",
        "/products?name=eq.1&name",
        "/products?name=not.not.eq.1",
        "/products?name=in.",
        "/products?name=in.(",
        "/products?name=in.(a",
        "/products?name=in.(a))",
        "/products?name=in.(%22a)",
        "/products?name=eq(any).a",
        "/products?name=eq(any).%7Ba",
        "/products?name=eq(any.%7Ba%7D",
        "/products?name=eq(some).%7Ba%7D",
        "/products?name=eq(any).%7B%7Ba%7D%7D",
        "/products?and=id.is.null",
        "/products?and=()",
        "/products?and=(,)",
        "/products?and=(id.is.null",
        "/products?and=(id.is.null))x",
        "/products?not.and",
        "/products?not=eq.1",
        "/products?or.name=eq.1",
        "/products?select=,",
        "/products?select=::",
        "/products?select=:name",
        "/products?select=name:",
        "/products?select=name::",
        "/products?select=a:b:c",
        "/products?select=...name",
        "/products?select=...",
        "/products?select=order_items",
        "/products?select=order_items(",
        "/products?select=order_items)",
        "/products?select=order_items()(",
        "/products?select=*.*",
        "/products?select=**",
        "/products?select=count()count()",
        "/products?select=count(*)",
        "/products?select=price.sum(",
        "/products?select=price.median()",
        "/products?select=name.sum()",
        "/products?select=meta-%3E",
        "/products?select=meta-%3E%3E",
        "/products?select=meta-%3Ea-%3E%3Eb-%3Ec",
        "/products?select=name-%3Ea",
        "/products?select=meta-%3E99999999999",
        "/products?select=%22",
        "/products?select=%22name",
        "/products?order=.",
        "/products?order=name.desc.asc",
        "/products?order=name.nullsfirst.desc",
        "/products?order=order_items(id)",
        "/products?order=-name",
        "/products?limit=",
        "/products?limit=ten",
        "/products?limit=1e3",
        "/products?limit=-0",
        "/products?offset=1.5",
        "/products?after=",
        "/products?after=x&order=name",
        "/products?after=AAAA&limit=1",
        "/products?columns=name",
        "/products?on_conflict=id",
        "/orders?order_items.limit=1",
        "/orders?nothing.limit=1",
        "/orders?select=order_items(*)&order_items.order_items.limit=1",
        "/orders?select=order_items!x!y!z(*)",
        "/orders?select=order_items!inner!left(*)",
        "/orders?select=shop.order_items(*)",
        "//products",
        "/products/",
        "/",
        "/products%2F",
        "/PRODUCTS",
        "/products%00",
        "/%2e%2e/products",
        "/products;a=b",
        "/products#x",
        "*",
        "http://other/products",
        "/products?select=password_hash",
        "/accounts?select=password_hash",
        "/accounts?password_hash=eq.x",
        "/accounts?order=password_hash",
        "/accounts?select=x:password_hash::text",
        "/accounts?select=password_hash.max()",
        "/accounts?or=(password_hash.like.*)",
        "/private",
        "/canary",
        "/accounts?select=name,password_hash-%3Ea",
        "/orders?select=private(*)",
        "/orders?select=canary(*)",
    ] {
        attacks.push(get(target.to_owned()));
    }
    attacks
}

/// Relations within relations.
fn bombs() -> Vec<Attack> {
    let get = |target: String| Attack::get("relations within relations", &target);
    let mut attacks = Vec::new();
    for depth in [3, 5, 6, 20, 100, 400] {
        let pair = nested("order_items(orders(", "id", "))", depth);
        attacks.push(get(format!("/orders?select=*,{pair}")));
        let inner = nested("order_items!inner(orders!inner(", "id", "))", depth);
        attacks.push(get(format!("/orders?select=*,{inner}")));
    }
    for many in [5, 20, 21, 100, 500] {
        let side: Vec<String> = (0..many)
            .map(|n| format!("a{n}:order_items(*,item_notes(*))"))
            .collect();
        attacks.push(get(format!("/orders?select={}", side.join(","))));
        let lists: Vec<String> = (0..many).map(|n| format!("a{n}:name")).collect();
        attacks.push(get(format!("/products?select={}", lists.join(","))));
        let path: Vec<&str> = (0..many)
            .map(|n| if n % 2 == 0 { "order_items" } else { "orders" })
            .collect();
        attacks.push(get(format!("/orders?select=*&{}.limit=1", path.join("."))));
    }
    attacks
}

/// Numbers and other values that their types do not hold.
fn numbers() -> Vec<Attack> {
    let get = |target: String| Attack::get("a value out of range", &target);
    let mut attacks = Vec::new();
    for number in [
        "2147483648",
        "-2147483649",
        "9223372036854775808",
        "99999999999999999999999999",
        "1e400",
        "1e-400",
        "NaN",
        "Infinity",
        "-Infinity",
        "0x10",
        "0b1",
        "1_000",
        "+1",
        "1.",
        ".5",
        "1,5",
        "١٢",
        "𝟙",
        "-",
        "--1",
        "1e",
        "",
        "true",
        "null",
        "{}",
        "[]",
        "''",
        "now",
        "today",
        "infinity",
        "epoch",
        "99999-01-01",
        "2024-02-30",
        "2024-01-01T25:00:00Z",
        "00000000-0000-0000-0000-00000000000g",
        "{1,2",
        "{{1},{2,3}}",
        "[1,5)",
        "(5,1]",
    ] {
        let number = percent_encoding::utf8_percent_encode(number, percent_encoding::NON_ALPHANUMERIC);
        for target in [
            "/counters?id=eq.",
            "/counters?value=gt.",
            "/products?price=eq.",
            "/products?id=eq.",
            "/products?updated_at=gt.",
            "/products?active=eq.",
            "/products?tags=eq.",
            "/products?tags=cs.",
            "/products?meta=cs.",
            "/products?limit=",
            "/products?offset=",
            "/counters?id=isdistinct.",
            "/counters?id=in.(",
            "/products?price=cs.",
        ] {
            attacks.push(get(format!("{target}{number}")));
        }
        for header in ["range: 0-", "range: ", "range: items=", "prefer: max-affected="] {
            let header = format!("{header}{number}");
            attacks.push(Attack::new("a number in a header", "GET", "/products", &[&header], b""));
        }
    }
    for cast in [
        "int4",
        "uuid",
        "bool",
        "jsonb",
        "timestamptz",
        "int4[]",
        "regclass",
        "shop.colour",
        "xml",
        "nothing",
        "text[]",
    ] {
        attacks.push(get(format!("/products?select=name::{cast}")));
        attacks.push(get(format!("/products?select=price.sum()::{cast}")));
        attacks.push(get(format!("/products?select=meta-%3E%3Ek::{cast}")));
    }
    attacks
}

/// Patterns that take long to be compared; the text that they are compared with is there.
fn patterns() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for pattern in [
        "(a*)*b",
        "(a+)+$",
        "(a|aa)+$",
        "(.*)*x",
        "(.*)(.*)(.*)(.*)(.*)(.*)x",
        "(a?){64}a{64}",
        "((((a{9}){9}){9}){9})",
        "a{255}{255}",
        "(a*)*\\1",
        "(.*)\\1\\1\\1b",
        "(?=(a+))a*b\\1",
        "[[:alpha:]]*{2}",
        "(",
        "[",
        "a{2,1}",
        "\\",
        "***",
        "(?<=a)b",
        "((a|b)*c|(a|b)*d){20}",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
    ] {
        let pattern = percent_encoding::utf8_percent_encode(pattern, percent_encoding::NON_ALPHANUMERIC).to_string();
        for operator in ["match", "imatch", "not.match", "match(any)"] {
            let value = if operator.ends_with(')') {
                format!("%7B{pattern}%7D")
            } else {
                pattern.clone()
            };
            let target = format!("/history?what={operator}.{value}");
            attacks.push(Attack::get("a pattern", &target).with(Effect::Slow));
        }
    }
    for long in [256, 257, 5_000] {
        let target = format!("/history?what=match.{}", "(a".repeat(long / 2));
        attacks.push(Attack::get("a pattern", &target).with(Effect::Slow));
    }
    for percent in [10, 100, 1_000] {
        let target = format!("/history?what=like.{}x", "*a".repeat(percent));
        attacks.push(Attack::get("a pattern", &target).with(Effect::Slow));
    }
    attacks
}

fn json() -> Vec<Attack> {
    let deep = |depth| format!("{{\"id\":-5,\"value\":{}}}", nested("[", "1", "]", depth));
    let keys: Vec<String> = (0..20_000).map(|n| format!("\"k{n}\":1")).collect();
    let rows = |many: usize| format!("[{}]", vec!["{}"; many].join(","));
    let mut bodies = vec![
        deep(50),
        deep(64),
        deep(65),
        deep(100_000),
        nested("{\"a\":", "1", "}", 70_000),
        "[".repeat(500_000),
        "{\"".repeat(100_000),
        format!("{{{}}}", keys.join(",")),
        rows(60_000),
        format!("{{\"id\":{}}}", "9".repeat(100_000)),
        format!("{{\"id\":1e{}}}", "9".repeat(1_000)),
        format!("{{\"id\":\"{}\"}}", "x".repeat(2_000_000)),
        format!("{{\"{}\":1}}", "x".repeat(500_000)),
        " ".repeat(1_000_000),
        format!("[{}]", "null,".repeat(50_000)),
    ];
    bodies.extend(
        [
            "",
            " ",
            "null",
            "true",
            "1",
            "\"\"",
            "[]",
            "{}",
            "[{}]",
            "[[]]",
            "[null]",
            "[1]",
            "[{},1]",
            "[{}",
            "{",
            "}",
            "{]",
            "{\"id\"}",
            "{\"id\":}",
            "{\"id\":1,}",
            "{id:1}",
            "{'id':1}",
            "{\"id\":01}",
            "{\"id\":+1}",
            "{\"id\":.5}",
            "{\"id\":NaN}",
            "{\"id\":Infinity}",
            "{\"id\":1}{\"id\":2}",
            "{\"id\":1} x",
            "{\"id\":-6,\"id\":-7}",
            "{\"id\":-6,\"\\u0069d\":-7}",
            "{\"id\":\"\\ud800\"}",
            "{\"id\":\"\\udc00\\ud800\"}",
            "{\"id\":\"\\u0000\"}",
            "{\"\\u0000\":1}",
            "{\"\\ud83d\":1}",
            "{\"\":1}",
            "{\" id\":1}",
            "{\"ID\":1}",
            "{\"id\":null}",
            "{\"id\":{}}",
            "{\"id\":[]}",
            "{\"id\":[1,2]}",
            "{\"id\":{\"$gt\":0}}",
            "{\"id\":true}",
            "{\"id\":1.5}",
            "{\"id\":\"1.0\"}",
            "{\"id\":99999999999}",
            "{\"version\":9}",
            "{\"__proto__\":1}",
            "{\"ctid\":\"(0,1)\"}",
            "{\"xmin\":1}",
            "{\"tableoid\":1}",
            "[{\"id\":-8},{\"value\":1}]",
            "[{\"id\":-8},{\"id\":-8}]",
            "{\"id\":-9,\"value\":\"\\u202e\"}",
            "\u{feff}{\"id\":-9}",
            "{\"id\":-9}\u{0}",
            "/**/{\"id\":-9}",
            "{\"id\":-9}//",
            "id=1",
            "<id>1</id>",
        ]
        .map(str::to_owned),
    );
    let mut attacks = Vec::new();
    for body in bodies {
        for (method, target) in [
            ("POST", "/counters"),
            ("PATCH", "/counters?id=eq.-77"),
            ("PUT", "/counters?id=eq.-77"),
            ("POST", "/rpc/search"),
        ] {
            attacks.push(Attack::new(
                "a body that is no rows",
                method,
                target,
                &[JSON],
                body.as_bytes(),
            ));
        }
    }
    for bytes in [
        &b"{\"id\":\"\xff\"}"[..],
        b"\xff\xfe{\x00",
        b"\x1f\x8b\x08\x00",
        b"{\"\xc3\x28\":1}",
        b"\x00",
    ] {
        attacks.push(Attack::new(
            "a body that is no text",
            "POST",
            "/counters",
            &[JSON],
            bytes,
        ));
        attacks.push(Attack::new(
            "a body that is no text",
            "POST",
            "/counters",
            &[CSV],
            bytes,
        ));
    }
    for body in [
        "{\"order_items\":{}}",
        "{\"order_items\":1}",
        "{\"order_items\":[1]}",
        "{\"order_items\":[[]]}",
        "{\"order_items\":[{\"order_id\":1}]}",
        "{\"order_items\":[{\"item_notes\":[{\"line\":1},{\"line\":1}]}]}",
        "{\"shipments\":[{},{}]}",
        "{\"order_items\":[{\"quantity\":-1}]}",
        "{\"doubled\":3}",
        "{\"id\":3}",
    ] {
        attacks.push(Attack::new(
            "rows within a row",
            "POST",
            "/orders",
            &[JSON],
            body.as_bytes(),
        ));
    }
    attacks
}

fn csv() -> Vec<Attack> {
    let wide: Vec<String> = (0..3_000).map(|n| format!("c{n}")).collect();
    let mut bodies = vec![
        format!("{}\n", wide.join(",")),
        format!("id\n{}", "1\n".repeat(60_000)),
        format!("id\n\"{}", "x".repeat(1_000_000)),
        format!("id\n{}\n", "\"".repeat(99_999)),
        ",".repeat(100_000),
        "\n".repeat(100_000),
    ];
    bodies.extend(
        [
            "",
            "\n",
            ",",
            "id",
            "id\n",
            "id,id\n1,2\n",
            "id,\n1,2\n",
            "id,value\n1\n",
            "id,value\n1,2,3\n",
            "id\n\"1\n",
            "id\n1\"2\n",
            "\"id\n1\n",
            "id;value\n1;2\n",
            "id\tvalue\n1\t2\n",
            "id\r1\r",
            "nothing\n1\n",
            "id\nabc\n",
            "id\n\u{0}\n",
            "id,value\n-10,\"=cmd|' /C calc'!A0\"\n",
            "\u{feff}id\nx\n",
            "id,value\n\\N,\\N\n",
            "id\nNULL\n",
            "id\n\n\n",
            "{\"id\":1}",
        ]
        .map(str::to_owned),
    );
    bodies
        .into_iter()
        .map(|body| Attack::new("CSV that is none", "POST", "/counters", &[CSV], body.as_bytes()))
        .collect()
}

fn headers() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for header in [
        "range: 5-1",
        "range: -5",
        "range: 0-",
        "range: -",
        "range: bytes=0-1",
        "range: items=0-1,3-4",
        "range: 0-1-2",
        "range: a-b",
        "range-unit: bytes",
        "accept: ",
        "accept: ,,,",
        "accept: */",
        "accept: /",
        "accept: application/json;q=2",
        "accept: application/json;q=-1",
        "accept: application/json;q=NaN",
        "accept: application/json;q=0",
        "accept: text/html",
        "accept: application/vnd.pgrst.object+json;nulls=stripped",
        "accept: application/vnd.pgrst.plan+json",
        "accept: application/vnd.pgrst.plan+text; for=\"application/json\"; options=analyze|verbose",
        "prefer: count=exact,count=planned",
        "prefer: count=all",
        "prefer: handling=strict, nothing=1",
        "prefer: ",
        "prefer: ;;,=,",
        "prefer: timezone=Mars/Base",
        "prefer: max-affected=-1",
        "prefer: tx=commit",
        "prefer: return=everything",
        "accept-profile: pg_catalog",
        "content-profile: freehold",
        "if-none-match: \"",
        "if-none-match: W/",
        "if-none-match: \"a\", *",
        "freehold-at-least: nobody@1.1",
        "freehold-at-least: shop@999.999999999",
        "freehold-at-least: @",
        "x-method-override: DELETE",
        "x-http-method-override: DELETE",
        "expect: 100-continue",
        "expect: nothing",
        "upgrade: websocket",
        "te: trailers",
    ] {
        attacks.push(Attack::new("a header", "GET", "/products?limit=2", &[header], b""));
        attacks.push(Attack::new("a header", "HEAD", "/products?limit=2", &[header], b""));
    }
    for (method, target, headers, body) in [
        ("PATCH", "/counters", &[JSON][..], "{\"value\":1}"),
        ("PATCH", "/counters?", &[JSON][..], "{\"value\":1}"),
        ("PATCH", "/counters?select=id", &[JSON][..], "{\"value\":1}"),
        ("PATCH", "/counters?order=id&limit=1", &[JSON][..], "{\"value\":1}"),
        ("PATCH", "/counters?and=()", &[JSON][..], "{\"value\":1}"),
        ("PATCH", "/counters?id=eq.", &[JSON][..], "{\"value\":1}"),
        ("DELETE", "/counters", &[][..], ""),
        ("DELETE", "/counters?select=id", &[][..], ""),
        ("DELETE", "/counters?limit=1", &[][..], ""),
        ("DELETE", "/counters?or=()", &[][..], ""),
        ("DELETE", "/counters?orders.id=eq.1", &[][..], ""),
        ("DELETE", "/history?id=gt.0", &[][..], ""),
        ("PATCH", "/history?id=gt.0", &[JSON][..], "{\"what\":\"x\"}"),
        ("PUT", "/counters", &[JSON][..], "{\"id\":1}"),
        ("PUT", "/counters?id=gt.0", &[JSON][..], "{\"id\":1}"),
        ("PUT", "/counters?id=eq.1&value=eq.0", &[JSON][..], "{\"id\":1}"),
        ("PUT", "/counters?id=eq.1", &[JSON][..], "{\"id\":2}"),
        ("PUT", "/counters?id=eq.1", &[JSON][..], "[{\"id\":1},{\"id\":1}]"),
        ("POST", "/counters?id=eq.1", &[JSON][..], "{\"id\":1}"),
        ("PATCH", "/accounts?id=eq.1", &[JSON][..], "{\"password_hash\":\"x\"}"),
        (
            "PATCH",
            "/counters?id=eq.1",
            &[JSON, "if-match: \"99\""][..],
            "{\"value\":1}",
        ),
        (
            "PATCH",
            "/counters?id=gt.0",
            &[JSON, "prefer: max-affected=1, handling=strict"][..],
            "{\"value\":1}",
        ),
        (
            "PATCH",
            "/counters?id=gt.0",
            &[
                JSON,
                "accept: application/vnd.pgrst.object+json",
                "prefer: return=representation",
            ][..],
            "{\"value\":1}",
        ),
        ("GET", "/counters", &["if-match: \"1\", nonsense"][..], ""),
        ("TRACE", "/counters", &[][..], ""),
        ("CONNECT", "/counters", &[][..], ""),
        ("PROPFIND", "/counters", &[][..], ""),
        ("get", "/counters", &[][..], ""),
        ("DROP", "/counters", &[][..], ""),
    ] {
        attacks
            .push(Attack::new("a write that must not be", method, target, headers, body.as_bytes()).with(Effect::None));
    }
    attacks
}

/// Headers that contradict each other.
fn conflicts() -> Vec<Attack> {
    let post = |headers: &str, body: &str| {
        let text = format!("POST /counters HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n{headers}\r\n{body}");
        let attack = Attack::raw("headers that contradict each other", text).with(Effect::Write);
        Attack {
            end: End::Waits,
            ..attack
        }
    };
    vec![
        post("content-length: 9\r\ncontent-length: 10\r\n", "{\"id\":-11}"),
        post("content-length: 10\r\ncontent-length: 10\r\n", "{\"id\":-11}"),
        post("content-length: 10, 10\r\n", "{\"id\":-11}"),
        post(
            "content-length: 10\r\ntransfer-encoding: chunked\r\n",
            "a\r\n{\"id\":-12}\r\n0\r\n\r\n",
        ),
        post(
            "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
            "a\r\n{\"id\":-12}\r\n0\r\n\r\n",
        ),
        post("transfer-encoding: gzip, chunked\r\n", "a\r\n{\"id\":-12}\r\n0\r\n\r\n"),
        post("transfer-encoding: chunked\r\n", "zz\r\n{\"id\":-12}\r\n0\r\n\r\n"),
        post(
            "transfer-encoding: chunked\r\n",
            "ffffffffffffffff\r\n{\"id\":-12}\r\n0\r\n\r\n",
        ),
        post("transfer-encoding: chunked\r\n", "a\r\n{\"id\":"),
        post(
            "content-type: application/json\r\ncontent-type: text/csv\r\ncontent-length: 10\r\n",
            "{\"id\":-13}",
        ),
        post("content-type: \u{1}\r\ncontent-length: 10\r\n", "{\"id\":-13}"),
        post(
            "if-match: \"1\"\r\nif-none-match: *\r\ncontent-length: 10\r\n",
            "{\"id\":-14}",
        ),
        post(
            "prefer: return=minimal\r\nprefer: return=representation, return=headers-only\r\ncontent-length: 10\r\n",
            "{\"id\":-15}",
        ),
        post(
            "prefer: resolution=merge-duplicates, resolution=ignore-duplicates\r\ncontent-length: 10\r\n",
            "{\"id\":-16}",
        ),
        post(
            "accept: application/json\r\naccept: application/vnd.pgrst.object+json\r\ncontent-length: 10\r\n",
            "{\"id\":-17}",
        ),
        post(
            "idempotency-key: a\r\nidempotency-key: b\r\ncontent-length: 10\r\n",
            "{\"id\":-18}",
        ),
        post("content-encoding: gzip\r\ncontent-length: 10\r\n", "{\"id\":-19}"),
        post("host: other\r\ncontent-length: 10\r\n", "{\"id\":-20}"),
    ]
}

/// Lines that are not HTTP.
fn lines() -> Vec<Attack> {
    let raw = |bytes: &[u8]| Attack::raw("not HTTP", bytes);
    let mut attacks = vec![
        raw(b"\r\n\r\n"),
        raw(b"GET\r\n\r\n"),
        raw(b"GET /products\r\n\r\n"),
        raw(b"GET /products HTTP/9.9\r\n\r\n"),
        raw(b"GET /products HTTP/1.0\r\n\r\n"),
        raw(b"GET /products HTTP/1.1\r\nconnection: close\r\n\r\n"),
        raw(b"GET  /products HTTP/1.1\r\nhost: shop\r\n\r\n"),
        raw(b"GET /products?name=eq.\xff HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n"),
        raw(b"GET /products?name=eq.\x00 HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n"),
        raw(b"GET /products?name=eq.\xc3\xa4 HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n"),
        raw(b"GET /products?name=eq.a b HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n"),
        raw(b"GET /products?name=eq.\"<>^`{|} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n"),
        raw(b"GET /pro\xffducts HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n"),
        raw(b"GET /products HTTP/1.1\r\nhost: shop\r\nprefer: \xff\xfe\r\nconnection: close\r\n\r\n"),
        raw(b"GET /products HTTP/1.1\r\nhost: shop\r\nif-none-match: \"\xff\"\r\nconnection: close\r\n\r\n"),
        raw(b"GET /products HTTP/1.1\r\nhost: shop\r\naccept: \xc3\xa4/\xc3\xa4\r\nconnection: close\r\n\r\n"),
        raw(b"GET /products HTTP/1.1\r\nhost: shop\r\nrange: \xe2\x82\xac-1\r\nconnection: close\r\n\r\n"),
        raw(b"GET /products HTTP/1.1\r\nhost: shop\r\nbad header: 1\r\nconnection: close\r\n\r\n"),
        raw(b"GET /products HTTP/1.1\r\nhost: shop\r\n folded: 1\r\nconnection: close\r\n\r\n"),
        raw(b"GET /products HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n"),
        raw(b"GET /products HTTP/1.1\nhost: shop\nconnection: close\n\n"),
        raw(b"GET /products HTTP/1.1\r\nhost: shop\r\nprefer: a\x00b\r\nconnection: close\r\n\r\n"),
        raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        raw(b"GET /products HTTP/1.1\r\nhost: shop\r\n\r\nGET /products?x"),
    ];
    let head = "GET /products HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n";
    attacks.push(raw(format!("{head}{}\r\n", "x: y\r\n".repeat(2_000)).as_bytes()));
    attacks.push(raw(format!("{head}x: {}\r\n\r\n", "y".repeat(1_000_000)).as_bytes()));
    attacks.push(raw(format!(
        "{head}prefer: {}\r\n\r\n",
        "return=minimal,".repeat(5_000)
    )
    .as_bytes()));
    attacks.push(raw(
        format!("{head}accept: {}\r\n\r\n", "a/b;q=0.1,".repeat(5_000)).as_bytes()
    ));
    attacks.push(raw(
        format!("{head}if-none-match: {}\r\n\r\n", "\"1\",".repeat(5_000)).as_bytes()
    ));
    attacks
}

/// Lengths that are not true. The writing half is closed after the request, so the service need not wait.
fn lengths() -> Vec<Attack> {
    let post = |length: &str, body: &str| {
        let text = format!(
            "POST /counters HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n{JSON}\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        Attack::raw("a length that is not true", text)
    };
    vec![
        post("100", "{\"id\":-21}"),
        post("9", "{\"id\":-21}"),
        post("0", "{\"id\":-21}"),
        post("-1", "{\"id\":-21}"),
        post("+10", "{\"id\":-21}"),
        post("0x0a", "{\"id\":-21}"),
        post("ten", "{\"id\":-21}"),
        post("", "{\"id\":-21}"),
        post("8388609", "{\"id\":-21}"),
        post("99999999999", "{\"id\":-21}"),
        post("18446744073709551615", "{\"id\":-21}"),
        post("18446744073709551616", "{\"id\":-21}"),
        post("9", "{\"id\":-21}GET /counters HTTP/1.1\r\nhost: shop\r\n\r\n"),
    ]
}
