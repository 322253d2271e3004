//! An auth service for tests: it publishes keys, and signs whatever it is told to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::fixture::listen;

pub(super) const ISSUER: &str = "freehold:t";
pub(super) const AUDIENCE: &str = "t";

/// A pair of keys from a standard: everybody knows the private half.
pub(super) struct Pair {
    pub(super) kid: &'static str,
    private: &'static str,
    public: &'static [(&'static str, &'static str)],
    /// What stands before the private half in PKCS #8.
    form: &'static str,
    pub(super) algorithm: Algorithm,
}

const ED25519: &str = "302e020100300506032b657004220420";
const P256: &str = "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420";

/// RFC 8037, appendix A.
pub(super) const FIRST: Pair = Pair {
    kid: "first",
    private: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    public: &[
        ("kty", "OKP"),
        ("crv", "Ed25519"),
        ("x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
    ],
    form: ED25519,
    algorithm: Algorithm::EdDSA,
};

/// RFC 8032, section 7.1, test 2.
pub(super) const SECOND: Pair = Pair {
    kid: "second",
    private: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    public: &[
        ("kty", "OKP"),
        ("crv", "Ed25519"),
        ("x", "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"),
    ],
    form: ED25519,
    algorithm: Algorithm::EdDSA,
};

/// RFC 7515, appendix A.3.
pub(super) const CURVE: Pair = Pair {
    kid: "curve",
    private: "8e9b109e719098bf980487df1f5d77e9cb29606ebed2263b5f57c213df84f4b2",
    public: &[
        ("kty", "EC"),
        ("crv", "P-256"),
        ("x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
        ("y", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
    ],
    form: P256,
    algorithm: Algorithm::ES256,
};

impl Pair {
    pub(super) fn key(&self) -> EncodingKey {
        let der = hex::decode(format!("{}{}", self.form, self.private)).expect("digits");
        match self.algorithm {
            Algorithm::ES256 => EncodingKey::from_ec_der(&der),
            _ => EncodingKey::from_ed_der(&der),
        }
    }

    pub(super) fn jwk(&self) -> Value {
        let mut jwk = json!({ "kid": self.kid, "use": "sig" });
        for (member, value) in self.public {
            jwk[member] = (*value).into();
        }
        jwk
    }

    /// The raw public half, as somebody might take it for a shared secret.
    pub(super) fn x(&self) -> Vec<u8> {
        let x = self.public.iter().find(|(member, _)| *member == "x").expect("an x").1;
        URL_SAFE_NO_PAD.decode(x).expect("base64")
    }
}

pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs()
}

/// The claims of a right token.
pub(super) fn claims(subject: Uuid) -> Value {
    let now = now();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": subject.to_string(), "iat": now, "nbf": now, "exp": now + 600,
        "jti": Uuid::new_v4().to_string(), "sid": Uuid::new_v4().to_string(),
    })
}

pub(super) fn head(pair: &Pair) -> Value {
    json!({ "alg": pair.algorithm, "typ": "at+jwt", "kid": pair.kid })
}

/// Signs whatever header and claims there are.
pub(super) fn signed(head: &[u8], claims: &[u8], key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).expect("a signature");
    format!("{message}.{signature}")
}

/// A right token of these claims.
pub(super) fn token_of(claims: &Value, pair: &Pair) -> String {
    let (head, claims) = (head(pair).to_string(), claims.to_string());
    signed(head.as_bytes(), claims.as_bytes(), &pair.key(), pair.algorithm)
}

/// A right token.
pub(super) fn token(subject: Uuid) -> String {
    token_of(&claims(subject), &FIRST)
}

/// The keys as they are published: what is answered can be changed.
#[derive(Clone)]
pub(super) struct Published(Arc<Mutex<Set>>);

struct Set {
    status: StatusCode,
    body: String,
    asked: usize,
}

impl Published {
    pub(super) fn new(pairs: &[&Pair]) -> Self {
        let published = Self(Arc::new(Mutex::new(Set {
            status: StatusCode::OK,
            body: String::new(),
            asked: 0,
        })));
        published.publish(pairs);
        published
    }

    fn set(&self) -> std::sync::MutexGuard<'_, Set> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(&self, pairs: &[&Pair]) {
        let keys: Vec<Value> = pairs.iter().map(|pair| pair.jwk()).collect();
        self.answer(StatusCode::OK, json!({ "keys": keys }).to_string());
    }

    pub(super) fn answer(&self, status: StatusCode, body: String) {
        let mut set = self.set();
        (set.status, set.body) = (status, body);
    }

    /// How often they were fetched.
    pub(super) fn asked(&self) -> usize {
        self.set().asked
    }

    /// Serves them; returns the URL.
    pub(super) async fn serve(&self, tasks: &mut JoinSet<()>) -> String {
        let published = self.clone();
        let answer = async move || {
            let mut set = published.set();
            set.asked += 1;
            (set.status, set.body.clone())
        };
        let router = axum::Router::new().route("/.well-known/jwks.json", get(answer));
        format!("{}/.well-known/jwks.json", listen(router, tasks).await)
    }
}
