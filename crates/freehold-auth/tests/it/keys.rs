//! Access tokens and the keys that they are signed with, as another service sees them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde_json::{Value, json};

use crate::fixture::{Person, Running, Stage, address};

/// What a token says, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

async fn key_set(at: &Running) -> JwkSet {
    let answer = at
        .http
        .get(format!("{}/.well-known/jwks.json", at.url))
        .send()
        .await
        .expect("an answer");
    answer.json().await.expect("a key set")
}

/// As a service verifies it that knows nothing but the key set.
fn verified(token: &str, set: &JwkSet) -> Result<Value, String> {
    let kid = decode_header(token).map_err(|e| e.to_string())?.kid.ok_or("no kid")?;
    let key = set.find(&kid).ok_or("an unknown key")?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["accounts"]);
    validation.set_issuer(&["freehold:accounts"]);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    validation.validate_nbf = true;
    validation.leeway = 2;
    let key = DecodingKey::from_jwk(key).map_err(|e| e.to_string())?;
    decode::<Value>(token, &key, &validation)
        .map(|read| read.claims)
        .map_err(|e| e.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_is_what_other_services_agreed_on() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let ann = Person::registered("ann", &stage, &at).await;
    let tokens = ann.log_in(&at).await.tokens();
    let set = key_set(&at).await;
    let said = verified(&tokens.access, &set).expect("a good token");
    let me = ann.me(&at, &tokens).await.body;
    assert_eq!((&said["sub"], &said["sid"]), (&me["id"], &me["session"]));
    assert!(said["aud"].is_string() && said["jti"].is_string() && said["iat"].is_i64());
    let life = said["exp"]
        .as_i64()
        .zip(said["nbf"].as_i64())
        .map(|(exp, nbf)| exp - nbf);
    assert_eq!(life, Some(600));
    let header = part(&tokens.access, 0);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("EdDSA"), &json!("at+jwt")));
    let key = serde_json::to_value(&set.keys[0]).expect("JSON");
    for (name, value) in [("kty", "OKP"), ("crv", "Ed25519"), ("use", "sig"), ("alg", "EdDSA")] {
        assert_eq!(key[name], json!(value), "{name}");
    }
    assert_eq!(key["kid"], header["kid"]);
    assert!(key.get("d").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_forged_or_changed_is_refused() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let ann = Person::registered("ann", &stage, &at).await;
    let good = ann.log_in(&at).await.tokens().access;
    assert_eq!(
        at.ask("GET", "/me", &ann.address, &good, &Value::Null).await.status,
        200
    );
    let (header, said) = (part(&good, 0), claims(&good));
    let parts: Vec<&str> = good.split('.').collect();
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let with = |name: &str, value: Value, of: &Value| {
        let mut of = of.clone();
        of[name] = value;
        encoded(&of)
    };
    let stranger = EncodingKey::from_ed_der(
        &[
            &[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..],
            &[7; 32],
        ]
        .concat(),
    );
    let mut strange = Header::new(Algorithm::EdDSA);
    strange.typ = Some("at+jwt".to_owned());
    strange.kid = header["kid"].as_str().map(str::to_owned);
    let mut hmac = Header::new(Algorithm::HS256);
    hmac.typ.clone_from(&strange.typ);
    hmac.kid.clone_from(&strange.kid);
    let public = stage
        .sql
        .query_one("select public_key from signing_keys", &[])
        .await
        .expect("the key");
    let public: Vec<u8> = public.get(0);
    let forged = [
        String::new(),
        "nonsense".to_owned(),
        "..".to_owned(),
        good.replace('.', ","),
        format!("{good}A"),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{}", with("alg", json!("none"), &header), parts[1], ""),
        format!("{}.{}.{}", with("alg", json!("none"), &header), parts[1], parts[2]),
        format!("{}.{}.{}", with("typ", json!("JWT"), &header), parts[1], parts[2]),
        format!("{}.{}.{}", with("kid", json!("../../etc"), &header), parts[1], parts[2]),
        format!(
            "{}.{}.{}",
            parts[0],
            with("sub", json!(uuid::Uuid::new_v4()), &said),
            parts[2]
        ),
        format!(
            "{}.{}.{}",
            parts[0],
            with("exp", json!(9_999_999_999_i64), &said),
            parts[2]
        ),
        encode(&strange, &said, &stranger).expect("a token"),
        encode(&hmac, &said, &EncodingKey::from_secret(&public)).expect("a token"),
        "A".repeat(5_000),
        format!("{good} {good}"),
    ];
    for token in forged {
        let refused = at
            .http
            .get(format!("{}/me", at.url))
            .header("authorization", format!("Bearer {token}"));
        let refused = refused.send().await.expect("an answer");
        assert_eq!(refused.status().as_u16(), 401, "{token}");
        let asks = refused.headers()["www-authenticate"].to_str().expect("text");
        assert!(asks.starts_with("Bearer error="), "{asks}");
    }
    for value in [good.clone(), format!("Basic {good}"), format!("Bearer{good}")] {
        let refused = at
            .http
            .get(format!("{}/me", at.url))
            .header("authorization", value)
            .send()
            .await;
        assert_eq!(refused.expect("an answer").status().as_u16(), 401);
    }
}

/// Another service: its key set is as old as it may become before it looks anew.
struct Verifier {
    set: JwkSet,
    looked: tokio::time::Instant,
}

/// The oldest copy of the key set; the next key is published for longer before it signs.
const COPY_MAX: Duration = Duration::from_millis(1_500);

impl Verifier {
    async fn judge(&mut self, at: &Running, token: &str) -> Result<(), String> {
        if self.looked.elapsed() > COPY_MAX {
            self.set = key_set(at).await;
            self.looked = tokio::time::Instant::now();
        }
        verified(token, &self.set).map(|_| ())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_under_load_and_no_good_token_is_refused() {
    let stage = Stage::open().await;
    let mut settings = stage.settings();
    settings.key_signs = Duration::from_secs(5);
    settings.key_ahead = Duration::from_secs(3);
    settings.access = Duration::from_secs(2);
    let (one, two) = (
        stage.serve_with(settings.clone()).await,
        stage.serve_with(settings).await,
    );
    let (one, two) = (Arc::new(one), Arc::new(two));
    let ann = Person::registered("ann", &stage, &one).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for n in 0..4 {
        let (one, two, ann, over) = (Arc::clone(&one), Arc::clone(&two), ann.clone(), Arc::clone(&over));
        let mut tokens = ann.log_in(&one).await.tokens();
        let mut verifier = Verifier {
            set: key_set(&one).await,
            looked: tokio::time::Instant::now(),
        };
        clients.spawn(async move {
            let (mut judged, mut refused, mut kids) = (0, Vec::new(), std::collections::BTreeSet::new());
            while !over.load(Ordering::Relaxed) {
                let (gives, shows) = if (judged + n) % 2 == 0 {
                    (&one, &two)
                } else {
                    (&two, &one)
                };
                tokens = gives.refresh(&tokens.refresh, &ann.address).await.tokens();
                kids.insert(part(&tokens.access, 0)["kid"].to_string());
                refused.extend(verifier.judge(shows, &tokens.access).await.err());
                let me = ann.me(shows, &tokens).await;
                if me.status != 200 {
                    refused.push(format!("{me:?}"));
                }
                judged += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            (judged, refused, kids)
        });
    }
    tokio::time::sleep(Duration::from_secs(18)).await;
    over.store(true, Ordering::Relaxed);
    let (mut judged, mut kids) = (0, std::collections::BTreeSet::new());
    while let Some(done) = clients.join_next().await {
        let (more, refused, seen) = done.expect("a client ends");
        assert!(
            refused.is_empty(),
            "{} of {more} refused: {:?}",
            refused.len(),
            refused.first()
        );
        judged += more;
        kids.extend(seen);
    }
    println!("{judged} tokens of {} keys by two instances: 0 refused", kids.len());
    assert!(kids.len() >= 3, "{kids:?}");
    // One key is made for each period, though two instances look after them.
    let made = stage.number("select count(*) from signing_keys").await;
    assert!((2..=9).contains(&made), "{made}");
    let double = "select count(*) from (select from signing_keys group by signs_from having count(*) > 1) d";
    assert_eq!(stage.number(double).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_that_start_together_make_one_key() {
    let stage = Stage::open().await;
    let (one, two) = tokio::join!(stage.serve(), stage.serve());
    let (first, second) = tokio::join!(key_set(&one), key_set(&two));
    assert_eq!(first, second);
    assert_eq!(first.keys.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_another_service_key_a_new_key_signs_and_the_old_one_verifies_on() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let ann = Person::registered("ann", &stage, &at).await;
    let before = ann.log_in(&at).await.tokens();
    drop(at);
    let mut settings = stage.settings();
    let read = |name: &str| match name {
        "FREEHOLD_KEY" => Some("another key of the tests, which is long".to_owned()),
        "FREEHOLD_SYSTEM" => Some("accounts".to_owned()),
        _ => None,
    };
    settings.key = freehold_auth::Settings::read(read).expect("settings").key;
    let at = stage.serve_with(settings).await;
    let set = key_set(&at).await;
    assert_eq!(set.keys.len(), 2);
    assert!(verified(&before.access, &set).is_ok());
    let after = ann.log_in(&at).await.tokens();
    assert!(verified(&after.access, &set).is_ok());
    assert_ne!(part(&before.access, 0)["kid"], part(&after.access, 0)["kid"]);
    assert_eq!(
        at.ask("GET", "/me", &address(), &before.access, &Value::Null)
            .await
            .status,
        200
    );
}
