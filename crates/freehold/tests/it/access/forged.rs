//! Tokens that are none: each is refused, and says no more than that.

use axum::http::header::AUTHORIZATION;
use jsonwebtoken::{Algorithm, EncodingKey};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::mint::{CURVE, FIRST, Pair, SECOND, claims, head, now, signed, token, token_of};
use super::{As, Desk, reply, somebody};

/// Right claims with one member changed; null takes it away.
fn but(subject: Uuid, member: &str, value: Value) -> Value {
    changed(claims(subject), member, value)
}

fn changed(mut whole: Value, member: &str, value: Value) -> Value {
    match value {
        Value::Null => drop(whole.as_object_mut().expect("an object").remove(member)),
        value => whole[member] = value,
    }
    whole
}

/// A right token whose claims differ in one member.
fn claiming(subject: Uuid, member: &str, value: Value) -> String {
    token_of(&but(subject, member, value), &FIRST)
}

/// A token signed by the right key, whose header differs in one member.
fn headed(subject: Uuid, member: &str, value: Value) -> String {
    let head = changed(head(&FIRST), member, value).to_string();
    signed(
        head.as_bytes(),
        claims(subject).to_string().as_bytes(),
        &FIRST.key(),
        Algorithm::EdDSA,
    )
}

/// A token whose header says what it likes, signed with another key.
fn by(subject: Uuid, head: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    signed(
        head.to_string().as_bytes(),
        claims(subject).to_string().as_bytes(),
        key,
        algorithm,
    )
}

/// A pair that is published under no name.
fn as_first(pair: &Pair) -> Value {
    json!({ "alg": pair.algorithm, "typ": "at+jwt", "kid": "first" })
}

/// Every kind of wrong token, by what is wrong with it.
pub(super) fn corpus(subject: Uuid) -> Vec<(&'static str, String)> {
    let right = token(subject);
    let parts: Vec<&str> = right.split('.').collect();
    let (first, middle, last) = (parts[0], parts[1], parts[2]);
    let other = token(somebody());
    let other: Vec<&str> = other.split('.').collect();
    let secret = EncodingKey::from_secret(&FIRST.x());
    let now = now();
    let unsigned = |alg: &str| {
        let head = json!({ "alg": alg, "typ": "at+jwt", "kid": "first" }).to_string();
        let parts = signed(
            head.as_bytes(),
            claims(subject).to_string().as_bytes(),
            &FIRST.key(),
            Algorithm::EdDSA,
        );
        parts.rsplit_once('.').expect("three parts").0.to_owned()
    };
    let twice = |text: &str, member: &str| text.replacen('{', &format!("{{{member},"), 1);
    let doubled = |member: &str| {
        let claims = twice(&claims(subject).to_string(), member);
        signed(
            head(&FIRST).to_string().as_bytes(),
            claims.as_bytes(),
            &FIRST.key(),
            Algorithm::EdDSA,
        )
    };
    vec![
        ("empty", String::new()),
        ("one part", "abc".to_owned()),
        ("dots", "..".to_owned()),
        ("two parts", format!("{first}.{middle}")),
        ("four parts", format!("{right}.x")),
        ("five parts", "a.b.c.d.e".to_owned()),
        ("no signature", format!("{first}.{middle}.")),
        ("cut signature", right[..right.len() - 4].to_owned()),
        ("padded", format!("{right}=")),
        ("other claims", format!("{first}.{}.{last}", other[1])),
        ("other signature", format!("{first}.{middle}.{}", other[2])),
        ("header is no base64", format!("!!!.{middle}.{last}")),
        ("header is no JSON", format!("{}.{middle}.{last}", "AAAA")),
        ("alg none", format!("{}.", unsigned("none"))),
        ("alg None", format!("{}.", unsigned("None"))),
        ("alg NONE with a signature", format!("{}.{last}", unsigned("NONE"))),
        ("no alg", headed(subject, "alg", Value::Null)),
        ("alg unknown", headed(subject, "alg", json!("EdDSA2"))),
        ("alg a number", headed(subject, "alg", json!(1))),
        (
            "HS256 by the public key",
            by(
                subject,
                &json!({ "alg": "HS256", "typ": "at+jwt", "kid": "first" }),
                &secret,
                Algorithm::HS256,
            ),
        ),
        (
            "EdDSA said, HS256 done",
            by(subject, &head(&FIRST), &secret, Algorithm::HS256),
        ),
        ("HS256 said, EdDSA done", headed(subject, "alg", json!("HS256"))),
        ("RS256 said", headed(subject, "alg", json!("RS256"))),
        ("ES256 said", headed(subject, "alg", json!("ES256"))),
        (
            "ES256 by a key of its own",
            by(subject, &as_first(&CURVE), &CURVE.key(), Algorithm::ES256),
        ),
        (
            "another key under the right name",
            by(subject, &as_first(&SECOND), &SECOND.key(), Algorithm::EdDSA),
        ),
        ("a key nobody knows", token_of(&claims(subject), &SECOND)),
        ("no kid", headed(subject, "kid", Value::Null)),
        ("kid a number", headed(subject, "kid", json!(7))),
        ("kid a path", headed(subject, "kid", json!("../../../../dev/null"))),
        ("kid SQL", headed(subject, "kid", json!("first' or '1'='1"))),
        ("kid very long", headed(subject, "kid", json!("k".repeat(2000)))),
        ("no typ", headed(subject, "typ", Value::Null)),
        ("typ JWT", headed(subject, "typ", json!("JWT"))),
        ("typ of a log-out token", headed(subject, "typ", json!("logout+jwt"))),
        ("jku", headed(subject, "jku", json!("http://127.0.0.1:1/keys"))),
        ("x5u", headed(subject, "x5u", json!("http://127.0.0.1:1/cert"))),
        (
            "jwk",
            by(
                subject,
                &changed(as_first(&SECOND), "jwk", SECOND.jwk()),
                &SECOND.key(),
                Algorithm::EdDSA,
            ),
        ),
        ("crit", headed(subject, "crit", json!(["exp"]))),
        ("b64", headed(subject, "b64", json!(false))),
        ("zip", headed(subject, "zip", json!("DEF"))),
        ("no iss", claiming(subject, "iss", Value::Null)),
        ("iss of another", claiming(subject, "iss", json!("freehold:other"))),
        ("iss a list", claiming(subject, "iss", json!(["freehold:t"]))),
        ("no aud", claiming(subject, "aud", Value::Null)),
        ("aud another", claiming(subject, "aud", json!("other"))),
        ("aud a list", claiming(subject, "aud", json!(["t", "other"]))),
        ("no exp", claiming(subject, "exp", Value::Null)),
        ("exp a text", claiming(subject, "exp", json!((now + 600).to_string()))),
        ("exp a fraction", claiming(subject, "exp", json!(now as f64 + 600.5))),
        ("exp over", claiming(subject, "exp", json!(now - 60))),
        ("exp below zero", claiming(subject, "exp", json!(-1))),
        ("exp beyond all", claiming(subject, "exp", json!(u64::MAX))),
        ("valid for a day", claiming(subject, "exp", json!(now + 86_400))),
        ("exp true", claiming(subject, "exp", json!(true))),
        ("no nbf", claiming(subject, "nbf", Value::Null)),
        ("nbf later", claiming(subject, "nbf", json!(now + 300))),
        ("nbf a text", claiming(subject, "nbf", json!(now.to_string()))),
        ("no iat", claiming(subject, "iat", Value::Null)),
        ("iat later", claiming(subject, "iat", json!(now + 300))),
        ("no sub", claiming(subject, "sub", Value::Null)),
        ("sub empty", claiming(subject, "sub", json!(""))),
        ("sub no uuid", claiming(subject, "sub", json!("admin"))),
        ("sub nil", claiming(subject, "sub", json!(Uuid::nil()))),
        (
            "sub in capitals",
            claiming(subject, "sub", json!(subject.to_string().to_uppercase())),
        ),
        (
            "sub with a quote",
            claiming(subject, "sub", json!(format!("{subject}'; reset all; --"))),
        ),
        ("sub a number", claiming(subject, "sub", json!(7))),
        ("no jti", claiming(subject, "jti", Value::Null)),
        ("jti empty", claiming(subject, "jti", json!(""))),
        ("no sid", claiming(subject, "sid", Value::Null)),
        ("sid very long", claiming(subject, "sid", json!("s".repeat(500)))),
        ("sub twice", doubled(&format!("\"sub\":\"{}\"", somebody()))),
        ("exp twice", doubled("\"exp\":9999999999")),
        (
            "claims are a list",
            signed(
                head(&FIRST).to_string().as_bytes(),
                b"[]",
                &FIRST.key(),
                Algorithm::EdDSA,
            ),
        ),
        (
            "claims are no JSON",
            signed(
                head(&FIRST).to_string().as_bytes(),
                b"{",
                &FIRST.key(),
                Algorithm::EdDSA,
            ),
        ),
        ("too large", claiming(subject, "more", json!("m".repeat(5000)))),
        ("alg twice", {
            let head = twice(&head(&FIRST).to_string(), "\"alg\":\"none\"");
            signed(
                head.as_bytes(),
                claims(subject).to_string().as_bytes(),
                &FIRST.key(),
                Algorithm::EdDSA,
            )
        }),
    ]
}

#[tokio::test]
async fn no_wrong_token_is_taken_for_a_right_one() {
    let desk = Desk::open().await;
    let subject = somebody();
    let right = token(subject);
    let known = desk.get("/rpc/who", As::Token(&right)).await;
    assert_eq!(known.json(), json!(subject), "{known:?}");
    let corpus = corpus(subject);
    assert!(corpus.len() >= 40, "{}", corpus.len());
    for (wrong, token) in &corpus {
        for path in ["/notes", "/news", "/rpc/who"] {
            let refused = desk.get(path, As::Token(token)).await;
            assert_eq!(refused.status, 401, "{wrong}: {refused:?}");
            let challenge = refused.header("www-authenticate");
            assert!(
                challenge.starts_with("Bearer error=\"invalid_token\""),
                "{wrong}: {challenge}"
            );
            assert!(
                ["PGRST301", "PGRST303"].contains(&&*refused.code()),
                "{wrong}: {refused:?}"
            );
            assert!(!refused.text.contains(&subject.to_string()), "{wrong}: {refused:?}");
        }
    }
    // None of them was asked for at the addresses they named, and a right one is still right.
    assert_eq!(desk.get("/rpc/who", As::Token(&right)).await.json(), json!(subject));
}

#[tokio::test]
async fn a_token_is_sent_in_one_way() {
    let desk = Desk::open().await;
    let right = token(somebody());
    let send = async |values: &[String]| {
        let mut request = desk.request(Method::GET, "/notes", As::Nobody);
        for value in values {
            request = request.header(AUTHORIZATION, value);
        }
        reply(request).await.status
    };
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(send(&[format!("{scheme} {right}")]).await, 200, "{scheme}");
    }
    for wrong in [
        right.clone(),
        format!("Basic {right}"),
        format!("Bearer{right}"),
        format!("Bearer {right} {right}"),
        format!("Bearer {right},{right}"),
        "Bearer".to_owned(),
        "Bearer \u{fc}".to_owned(),
    ] {
        assert_eq!(send(std::slice::from_ref(&wrong)).await, 401, "{wrong}");
    }
    assert_eq!(send(&[format!("Bearer {right}"), format!("Bearer {right}")]).await, 401);
    let by_query = desk.get(&format!("/notes?access_token={right}"), As::Nobody).await;
    assert_eq!(by_query.status, 401);
}

#[tokio::test]
async fn both_algorithms_are_taken_each_with_its_own_key() {
    let desk = Desk::open().await;
    desk.published.publish(&[&FIRST, &CURVE]);
    let subject = somebody();
    let curved = token_of(&claims(subject), &CURVE);
    let mut status = 0;
    // Keys are not fetched again within two seconds.
    for _ in 0..50 {
        let asked = desk.get("/rpc/who", As::Token(&curved)).await;
        status = asked.status;
        if status == 200 {
            assert_eq!(asked.json(), json!(subject));
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(status, 200);
    let swapped = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "curve" });
    let swapped = by(subject, &swapped, &FIRST.key(), Algorithm::EdDSA);
    assert_eq!(desk.get("/rpc/who", As::Token(&swapped)).await.status, 401);
}
