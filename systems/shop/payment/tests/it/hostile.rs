//! What nobody sensible sends: refused in words, never a 5xx, and nothing is taken.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Shop, charge, ground};

#[tokio::test]
async fn a_bad_body_is_refused() {
    let g = ground();
    let text = |length: usize| "é".repeat(length);
    let cases: Vec<(Value, u16, &str)> = vec![
        (json!(null), 422, "bad-body"),
        (json!([]), 422, "bad-body"),
        (json!({}), 422, "bad-body"),
        (json!(["a", "1", "EUR", "card"]), 422, "bad-body"),
        (
            json!({"order": "a", "amount": 29.80, "method": "card"}),
            422,
            "bad-body",
        ),
        (
            json!({"order": "a", "amount": "1.234", "method": "card"}),
            422,
            "bad-body",
        ),
        (
            json!({"order": "a", "amount": "-1.00", "method": "card"}),
            422,
            "bad-body",
        ),
        (
            json!({"order": "a", "amount": "1e3", "method": "card"}),
            422,
            "bad-body",
        ),
        (
            json!({"order": "a", "amount": "NaN", "method": "card"}),
            422,
            "bad-body",
        ),
        (
            json!({"order": "a", "amount": "9".repeat(500), "method": "card"}),
            422,
            "bad-body",
        ),
        (
            json!({"order": "a", "amount": "1000000.01", "method": "card"}),
            422,
            "bad-amount",
        ),
        (
            json!({"order": "a", "amount": "1", "method": "card", "currency": "USD"}),
            422,
            "bad-currency",
        ),
        (
            json!({"order": "a", "amount": "1", "method": "card", "tip": "1"}),
            422,
            "bad-body",
        ),
        (json!({"order": "", "amount": "1", "method": "card"}), 422, "bad-text"),
        (json!({"order": "a", "amount": "1", "method": ""}), 422, "bad-text"),
        (
            json!({"order": text(201), "amount": "1", "method": "card"}),
            422,
            "bad-text",
        ),
        (json!({"order": 7, "amount": "1", "method": "card"}), 422, "bad-body"),
    ];
    for (body, status, code) in cases {
        g.shop.paid("key-1", &body).await.assert_problem(status, code);
    }
    for raw in ["", "{", "\u{0}", "{\"order\":\"\\ud800\"}", &"[".repeat(100_000)] {
        let answer = Answer::of(g.shop.pay("key-1", &json!(0)).body(raw.to_owned()))
            .await
            .expect("an answer");
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{answer:?}");
    }
    // The provider answers before it has read all of it: a client that is still writing may see the end only.
    let other = Shop::of(g.shop.url.clone());
    if let Ok(huge) = Answer::of(other.pay("key-1", &json!(0)).body(" ".repeat(2 << 20))).await {
        huge.assert_problem(413, "bad-body");
    }
    assert_eq!(g.shop.get("/payments").await.body, json!([]));

    // The key is not spent by any of this.
    let odd = json!({"order": format!("\0\n\"{}", text(190)), "amount": "1000000.00", "method": "\u{202e}card"});
    assert_eq!(g.shop.paid("key-1", &odd).await.status, 201);
}

#[tokio::test]
async fn a_bad_key_is_refused() {
    let g = ground();
    let bare = || {
        g.shop
            .http
            .post(format!("{}/payments", g.shop.url))
            .json(&charge("order-1", "1"))
    };
    let long = "k".repeat(201);
    let requests = [
        bare(),
        bare().header("Idempotency-Key", ""),
        bare().header("Idempotency-Key", &long),
        bare().header("Idempotency-Key", [0xff, 0xfe].as_slice()),
        bare().header("Idempotency-Key", "a").header("Idempotency-Key", "b"),
        g.shop.http.post(format!("{}/payments/pay_1/refunds", g.shop.url)),
    ];
    for request in requests {
        Answer::of(request)
            .await
            .expect("an answer")
            .assert_problem(400, "bad-key");
    }
    assert_eq!(g.shop.paid(&long[1..], &charge("order-1", "1")).await.status, 201);
    assert_eq!(g.provider.totals().payments, 1);
}

#[tokio::test]
async fn a_bad_path_query_or_method_is_refused() {
    let g = ground();
    g.shop.get("/").await.assert_problem(404, "no-such-path");
    g.shop
        .get("/payments/by-key/")
        .await
        .assert_problem(404, "no-such-path");
    g.shop.get("/payments/by-key/%ff").await.assert_problem(400, "bad-path");
    g.shop.get("/payments?ordr=1").await.assert_problem(400, "bad-query");
    g.shop
        .get("/payments?order=1&order=2")
        .await
        .assert_problem(400, "bad-query");
    g.shop.refunded("key-1", "%ff").await.assert_problem(400, "bad-path");
    g.shop
        .refunded("key-1", "..%2f..%2fetc")
        .await
        .assert_problem(404, "no-such-payment");
    let wrong = g.shop.http.delete(format!("{}/payments", g.shop.url));
    Answer::of(wrong)
        .await
        .expect("an answer")
        .assert_problem(405, "wrong-method");
}

/// Random requests made of likely parts; the seed is in the message.
#[tokio::test]
async fn a_request_at_random_is_never_a_failure_of_the_provider() {
    const REQUESTS: usize = 1_000;
    let seed = fastrand::u64(..);
    let mut chance = fastrand::Rng::with_seed(seed);
    let g = ground();
    let paths = [
        "/payments",
        "/payments?order=%00",
        "/payments/by-key/%F0%9F",
        "/payments/a/refunds",
        "/totals",
        "/x//y",
    ];
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
    ];
    let keys: [&[u8]; 5] = [b"k", b"", b"\x80", b"\t", b"%00"];
    let amounts = [
        "\"1.00\"",
        "1",
        "\"-0\"",
        "\"0.001\"",
        "\"99999999999999999999\"",
        "null",
        "{}",
        "\"\\u0000\"",
    ];
    let texts = [
        "\"a\"",
        "\"\"",
        "[[[[",
        "\"\\uD800\"",
        "true",
        "\"\u{1F4B3}\"",
        "\"late-card\"",
    ];
    let mut taken = 0;
    for n in 0..REQUESTS {
        let (order, amount, method) = (chance.choice(texts), chance.choice(amounts), chance.choice(texts));
        let (order, amount, method) = (
            order.unwrap_or_default(),
            amount.unwrap_or_default(),
            method.unwrap_or_default(),
        );
        let mut body = format!("{{\"order\": {order}, \"amount\": {amount}, \"method\": {method}}}").into_bytes();
        if chance.u8(..) < 40 {
            body.truncate(chance.usize(..body.len()));
        }
        let verb = methods[chance.usize(..methods.len())].clone();
        let path = paths[chance.usize(..paths.len())];
        let request = g
            .shop
            .http
            .request(verb.clone(), format!("{}{path}", g.shop.url))
            .body(body.clone());
        let key = [keys[chance.usize(..keys.len())], n.to_string().as_bytes()].concat();
        let request = if chance.bool() {
            request.header("Idempotency-Key", key)
        } else {
            request
        };
        let status = request.send().await.expect("an answer").status().as_u16();
        assert!(
            status < 500,
            "seed {seed}: {verb} {path} {:?}: {status}",
            String::from_utf8_lossy(&body)
        );
        taken += u64::from(status == 201);
    }
    assert_eq!(g.provider.totals().payments, taken, "seed {seed}");
}
