//! The keys that tokens are verified with: published by the auth service as a JWK set (RFC 7517), fetched in the background.
//!
//! A key that is not known yet makes the next fetch come sooner, and the request waits a moment for it: a rotation refuses nobody.
//! When the auth service is away, the keys stay. It gives no tokens then, and those that it gave end by themselves.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::redirect::Policy;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::error::Error;

/// The wait between two fetches while nothing is missing: a key is published for longer than this before it signs.
const FETCH_EVERY: Duration = Duration::from_secs(60);

/// The shortest wait between two fetches, whatever keys are asked for: strangers choose those.
const FETCH_MIN: Duration = Duration::from_secs(2);

/// The wait after a fetch that failed before any succeeded: the auth service may start a moment later.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// The longest a fetch may take.
const FETCH_MAX: Duration = Duration::from_secs(2);

/// Keys are used for so long after they were last published: longer than any token that they signed is valid.
const KEPT_MAX: Duration = Duration::from_secs(60 * 60);

/// Requests that wait for a key at the same time; others are answered at once.
const WAITING_MAX: usize = 64;

/// Bytes of a set, and keys in it.
const SET_BYTES_MAX: usize = 64 * 1024;
const KEYS_MAX: usize = 16;

/// Bytes of a key's name.
const KID_BYTES_MAX: usize = 128;

/// One key, and the only algorithm that it verifies.
pub(super) struct Key {
    pub(super) decoding: DecodingKey,
    pub(super) algorithm: Algorithm,
}

/// What is known of a key.
pub(super) enum Found {
    Key(Arc<Key>),
    /// The auth service has published no such key.
    Unknown,
    /// The auth service has not been heard, or too long ago.
    NoKeys,
}

/// The keys of one auth service.
pub(super) struct Keys {
    url: String,
    http: reqwest::Client,
    known: watch::Sender<Known>,
    wanted: Notify,
    waiting: Semaphore,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, Arc<Key>>,
    /// When they were last published.
    heard: Option<Instant>,
    /// When the last fetch ended, however.
    asked: Option<Instant>,
}

impl Known {
    fn find(&self, kid: &str) -> Found {
        if self.heard.is_none_or(|heard| heard.elapsed() > KEPT_MAX) {
            return Found::NoKeys;
        }
        self.keys
            .get(kid)
            .map_or(Found::Unknown, |key| Found::Key(Arc::clone(key)))
    }
}

impl Keys {
    /// The keys published at `url`.
    pub(super) fn at(url: &str) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .timeout(FETCH_MAX)
            .redirect(Policy::none())
            .no_proxy()
            .build();
        let http = http.map_err(|source| Error::Setting {
            name: "http client".to_owned(),
            problem: source.to_string(),
        })?;
        Ok(Self {
            url: url.to_owned(),
            http,
            known: watch::Sender::default(),
            wanted: Notify::new(),
            waiting: Semaphore::new(WAITING_MAX),
        })
    }

    /// Looks a key up; one that is not there is waited for if it may come.
    pub(super) async fn find(&self, kid: &str) -> Found {
        let mut next = self.known.subscribe();
        let (found, asked) = {
            let known = next.borrow_and_update();
            (known.find(kid), known.asked)
        };
        if matches!(found, Found::Key(_)) || kid.len() > KID_BYTES_MAX {
            return found;
        }
        self.wanted.notify_one();
        // A moment ago it was not there: the next fetch is not yet due.
        if asked.is_some_and(|asked| asked.elapsed() < FETCH_MIN) {
            return found;
        }
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return found;
        };
        match timeout(FETCH_MAX, next.changed()).await {
            Ok(Ok(())) => next.borrow().find(kid),
            _ => found,
        }
    }

    /// Fetches the keys, now and again; runs until dropped.
    pub(super) async fn run(&self) {
        let mut failing = false;
        loop {
            let fetched = self.fetch().await;
            match &fetched {
                Err(reason) if !failing => {
                    tracing::warn!(
                        reason,
                        "the keys that tokens are verified with cannot be fetched and are tried again"
                    );
                }
                Ok(_) if failing => tracing::info!("the keys that tokens are verified with are fetched again"),
                _ => {}
            }
            failing = fetched.is_err();
            let mut is_first = false;
            self.known.send_modify(|known| {
                known.asked = Some(Instant::now());
                if let Ok(keys) = fetched {
                    known.heard = known.asked;
                    known.keys = keys;
                }
                is_first = known.heard.is_none();
            });
            if is_first {
                sleep(FIRST_WAIT).await;
                continue;
            }
            sleep(FETCH_MIN).await;
            // One that is asked for meanwhile is not forgotten.
            let wait = if failing { FETCH_MIN } else { FETCH_EVERY };
            let _ = timeout(wait, self.wanted.notified()).await;
        }
    }

    async fn fetch(&self) -> Result<HashMap<String, Arc<Key>>, String> {
        let said = |error: reqwest::Error| error.without_url().to_string();
        let mut response = self.http.get(&self.url).send().await.map_err(said)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("the answer is {}", response.status()));
        }
        let mut set = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(said)? {
            set.extend_from_slice(&chunk);
            if set.len() > SET_BYTES_MAX {
                return Err(format!("the set is larger than {SET_BYTES_MAX} bytes"));
            }
        }
        let keys = read(&set)?;
        match keys.is_empty() {
            true => Err("the set has no key for EdDSA or ES256".to_owned()),
            false => Ok(keys),
        }
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    kid: String,
    x: String,
    y: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    alg: Option<String>,
}

/// The keys of a set that we verify with; others, of kinds we do not know, are passed over.
fn read(set: &[u8]) -> Result<HashMap<String, Arc<Key>>, String> {
    let set: Set = serde_json::from_slice(set).map_err(|error| format!("it is no set of keys: {error}"))?;
    let ours = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
    Ok(ours.filter_map(key).take(KEYS_MAX).collect())
}

fn key(jwk: Jwk) -> Option<(String, Arc<Key>)> {
    let signs = jwk.used_for.as_deref().is_none_or(|used_for| used_for == "sig");
    if !signs || jwk.kid.is_empty() || jwk.kid.len() > KID_BYTES_MAX {
        return None;
    }
    let (decoding, algorithm, name) = match (jwk.kty.as_str(), jwk.crv.as_str(), &jwk.y) {
        ("OKP", "Ed25519", None) => (DecodingKey::from_ed_components(&jwk.x), Algorithm::EdDSA, "EdDSA"),
        ("EC", "P-256", Some(y)) => (DecodingKey::from_ec_components(&jwk.x, y), Algorithm::ES256, "ES256"),
        _ => return None,
    };
    if jwk.alg.is_some_and(|alg| alg != name) {
        return None;
    }
    let decoding = decoding.ok()?;
    Some((jwk.kid, Arc::new(Key { decoding, algorithm })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_we_verify_with_are_taken() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let set = serde_json::json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "kid": "ours", "x": x, "use": "sig", "alg": "EdDSA" },
            { "kty": "OKP", "crv": "Ed25519", "kid": "plain", "x": x },
            { "kty": "OKP", "crv": "Ed25519", "kid": "encrypts", "x": x, "use": "enc" },
            { "kty": "OKP", "crv": "Ed25519", "kid": "other-algorithm", "x": x, "alg": "ES256" },
            { "kty": "OKP", "crv": "X25519", "kid": "other-curve", "x": x },
            { "kty": "OKP", "crv": "Ed25519", "kid": "", "x": x },
            { "kty": "OKP", "crv": "Ed25519", "x": x },
            { "kty": "oct", "kid": "secret", "k": x },
            { "kty": "RSA", "kid": "rsa", "n": x, "e": "AQAB" },
            7,
        ] });
        let keys = read(set.to_string().as_bytes()).expect("a set");
        let mut names: Vec<_> = keys.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["ours", "plain"]);
        for wrong in ["", "[]", "{}", "{\"keys\":{}}"] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
