//! The keys that access tokens are signed with: made, published, used and forgotten by age.
//!
//! ```text
//!  made ─────── ahead ───────▶ signs ─────── signs for ───────▶ the next signs ── life of a token ──▶ gone
//!  └──────────────────────────────── in the key set ──────────────────────────────────────────────────┘
//! ```
//!
//! The private half of a key is in no database: it follows from the service's key and a salt. With another service key the
//! old keys can still be verified with, and a new one signs at once.

use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use freehold::{App, Tx};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::Accounts;
use crate::error::{Error, Result};
use crate::plant;
use crate::secret::{self, BYTES, Purpose, Secret};
use crate::settings::Settings;

/// The longest wait between two looks: what another instance made is seen this late at most.
const LOOK_MAX: Duration = Duration::from_secs(15);

/// Looks while a key is only published: it must be known here before it signs.
const LOOKS_AHEAD: u32 = 4;

/// A token of another instance may be signed by a key that this one has not seen; asked at most once in this time.
const UNKNOWN_WAIT: Duration = Duration::from_secs(1);

/// What clocks of machines may differ by, in seconds.
const LEEWAY_S: u64 = 5;

/// Bytes of a token that are read at all; ours have about 500.
const TOKEN_BYTES_MAX: usize = 4096;

/// The type of an access token: RFC 9068.
const TYPE: &str = "at+jwt";

/// A private Ed25519 key in PKCS #8 (RFC 8410) is this and the seed.
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// What an access token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) sub: Uuid,
    pub(crate) exp: i64,
    pub(crate) nbf: i64,
    pub(crate) iat: i64,
    pub(crate) jti: Uuid,
    /// The session.
    pub(crate) sid: Uuid,
}

/// One key.
struct Key {
    kid: String,
    public: Vec<u8>,
    /// Seconds since 1970.
    signs_from: i64,
    /// None if it follows from another service key.
    private: Option<EncodingKey>,
    verifies: DecodingKey,
}

/// The keys as this process knows them.
pub(crate) struct Keys {
    secret: Secret,
    issuer: String,
    audience: String,
    ages: Ages,
    known: RwLock<Arc<Vec<Key>>>,
    looked: tokio::sync::Mutex<Option<tokio::time::Instant>>,
}

/// How long what lasts, in seconds.
#[derive(Debug, Clone, Copy)]
struct Ages {
    signs: i64,
    ahead: i64,
    token: i64,
}

/// What is to be done about the keys.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    /// A new one that signs from then.
    make: Option<i64>,
    /// Keys whose last token has ended.
    forget: Vec<String>,
}

/// What a plan needs to know of a key.
#[derive(Debug, Clone)]
struct Age {
    kid: String,
    signs_from: i64,
    ours: Ours,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ours {
    Yes,
    /// Its private half follows from another service key.
    No,
}

/// Looks after the keys until dropped.
pub(crate) async fn run(accounts: Arc<Accounts>, app: App) -> freehold::Result<()> {
    loop {
        accounts.keys.look(&app).await?;
        let ahead = Duration::from_secs(accounts.keys.ages.ahead.unsigned_abs());
        tokio::time::sleep((ahead / LOOKS_AHEAD).min(LOOK_MAX)).await;
    }
}

impl Keys {
    pub(crate) fn new(settings: &Settings) -> Self {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Self {
            secret: settings.key.clone(),
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            ages: Ages {
                signs: seconds(settings.key_signs),
                ahead: seconds(settings.key_ahead),
                token: seconds(settings.access),
            },
            known: RwLock::default(),
            looked: tokio::sync::Mutex::default(),
        }
    }

    /// Signs an access token. `now` and `issued` are seconds since 1970 by the database's clock.
    ///
    /// # Errors
    /// What [`Keys::look`] says, when no key is known yet.
    pub(crate) async fn sign(&self, app: &App, subject: Uuid, session: Uuid, now: i64, issued: i64) -> Result<String> {
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: subject,
            exp: now + self.ages.token,
            nbf: now,
            iat: issued,
            jti: Uuid::new_v4(),
            sid: session,
        };
        if signing(&self.known()).is_none() {
            self.look(app).await?;
        }
        let known = self.known();
        let Some((kid, private)) = signing(&known) else {
            return Err(Error::Busy);
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(kid.to_owned());
        Ok(jsonwebtoken::encode(&header, &claims, private)?)
    }

    /// Reads an access token that this service gave.
    ///
    /// # Errors
    /// [`Error::SignedOut`] for any that is not ours, not whole, or over.
    pub(crate) async fn read(&self, app: &App, token: &str) -> Result<Claims> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Error::SignedOut);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Error::SignedOut)?;
        let (Algorithm::EdDSA, Some(TYPE), Some(kid)) = (header.alg, header.typ.as_deref(), &header.kid) else {
            return Err(Error::SignedOut);
        };
        let is_this = |key: &&Key| key.kid == *kid;
        let mut known = self.known();
        if !known.iter().any(|key| key.kid == *kid) && self.may_look_again().await {
            self.look(app).await?;
            known = self.known();
        }
        let key = known.iter().find(is_this).ok_or(Error::SignedOut)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[&self.audience]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp", "nbf"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_S;
        let read = jsonwebtoken::decode(token, &key.verifies, &validation);
        read.map(|read| read.claims).map_err(|_| Error::SignedOut)
    }

    /// The key set: RFC 7517, RFC 8037.
    pub(crate) async fn set(&self, app: &App) -> Result<serde_json::Value> {
        if self.known().is_empty() {
            self.look(app).await?;
        }
        let known = self.known();
        let keys = known.iter().map(|key| {
            let x = URL_SAFE_NO_PAD.encode(&key.public);
            json!({"kty": "OKP", "crv": "Ed25519", "kid": key.kid, "use": "sig", "alg": "EdDSA", "x": x})
        });
        Ok(json!({"keys": keys.collect::<Vec<_>>()}))
    }

    /// Learns the keys, and makes and forgets what their ages demand. Of several instances one does it, under the table's lock.
    ///
    /// # Errors
    /// [`Error::Freehold`] when the database does not answer: the keys stay as they were known.
    pub(crate) async fn look(&self, app: &App) -> Result<()> {
        let mut looked = self.looked.lock().await;
        let tx = app.begin().await?;
        let (mut keys, now) = self.load(&tx).await?;
        if self.ages.plan(&ages_of(&keys), now) != Plan::default() {
            tx.execute("lock table signing_keys in share row exclusive mode", &[])
                .await?;
            // In a new statement: another instance may just have done it.
            let (seen, now) = self.load(&tx).await?;
            self.carry_out(&tx, self.ages.plan(&ages_of(&seen), now)).await?;
            keys = self.load(&tx).await?.0;
        }
        tx.commit().await?;
        *self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(keys);
        *looked = Some(tokio::time::Instant::now());
        Ok(())
    }

    async fn may_look_again(&self) -> bool {
        let looked = self.looked.lock().await;
        looked.is_none_or(|at| at.elapsed() >= UNKNOWN_WAIT)
    }

    /// The keys by age, and the time by the database's clock.
    async fn load(&self, tx: &Tx) -> Result<(Vec<Key>, i64)> {
        let rows = tx
            .query(
                "select k.kid, k.salt, k.public_key, floor(extract(epoch from k.signs_from))::bigint
                 from signing_keys k
                 order by k.signs_from, k.created_at",
                &[],
            )
            .await?;
        let keys = rows.iter().map(|row| {
            let (kid, salt, public): (String, Vec<u8>, Vec<u8>) = (row.get(0), row.get(1), row.get(2));
            let seed = self.secret.derive(Purpose::Signing, &salt, kid.as_bytes());
            let ours = SigningKey::from_bytes(&seed).verifying_key().as_bytes()[..] == public[..];
            Key {
                private: ours.then(|| EncodingKey::from_ed_der(&[&PKCS8[..], &seed[..]].concat())),
                verifies: DecodingKey::from_ed_der(&public),
                kid,
                public,
                signs_from: row.get(3),
            }
        });
        let now = tx
            .query_one("select floor(extract(epoch from clock_timestamp()))::bigint", &[])
            .await?;
        Ok((keys.collect(), now.get(0)))
    }

    async fn carry_out(&self, tx: &Tx, plan: Plan) -> Result<()> {
        if let Some(signs_from) = plan.make {
            let (kid, salt): (String, [u8; BYTES]) = (Uuid::new_v4().simple().to_string(), secret::random()?);
            let seed = self.secret.derive(Purpose::Signing, &salt, kid.as_bytes());
            let public = SigningKey::from_bytes(&seed).verifying_key();
            tx.execute(
                "insert into signing_keys (kid, salt, public_key, signs_from)
                 values ($1, $2, $3, to_timestamp($4::bigint))",
                &[&kid, &&salt[..], &&public.as_bytes()[..], &signs_from],
            )
            .await?;
            tracing::info!(kid, "a signing key was made");
        }
        tx.execute("delete from signing_keys where kid = any($1)", &[&plan.forget])
            .await?;
        Ok(())
    }

    fn known(&self) -> Arc<Vec<Key>> {
        let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(&known)
    }
}

/// The key that signs now, and its name.
fn signing(known: &[Key]) -> Option<(&str, &EncodingKey)> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let begun = |key: &&Key| key.signs_from.unsigned_abs() <= now || plant::is("key-signs-at-once");
    let ours = known.iter().filter(|key| key.private.is_some());
    // One that has begun by the database's clock only is better than none.
    let key = ours.clone().rfind(begun).or_else(|| ours.clone().next())?;
    Some((&key.kid, key.private.as_ref()?))
}

fn ages_of(keys: &[Key]) -> Vec<Age> {
    let age = |key: &Key| Age {
        kid: key.kid.clone(),
        signs_from: key.signs_from,
        ours: if key.private.is_some() { Ours::Yes } else { Ours::No },
    };
    keys.iter().map(age).collect()
}

impl Ages {
    /// What is to be done, of keys in the order in which they sign.
    fn plan(&self, keys: &[Age], now: i64) -> Plan {
        let ours = keys.iter().filter(|key| key.ours == Ours::Yes);
        let signing = ours.clone().rfind(|key| key.signs_from <= now);
        let newest = ours.clone().next_back();
        let make = match (signing, newest) {
            (None, _) | (_, None) => Some(now),
            (Some(signing), Some(newest)) if newest.kid == signing.kid => {
                let until = signing.signs_from + self.signs;
                (until - self.ahead <= now).then_some(until.max(now + self.ahead))
            }
            _ => None,
        };
        let over = now - self.token - i64::try_from(LOOK_MAX.as_secs() + LEEWAY_S).unwrap_or_default();
        let is_over = |key: &&Age| {
            let followed = |other: &Age| other.signs_from > key.signs_from && other.signs_from < over;
            keys.iter().any(|other| other.ours == Ours::Yes && followed(other))
        };
        Plan {
            make,
            forget: keys.iter().filter(is_over).map(|key| key.kid.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGES: Ages = Ages {
        signs: 1_000,
        ahead: 100,
        token: 60,
    };

    fn key(kid: &str, signs_from: i64) -> Age {
        Age {
            kid: kid.to_owned(),
            signs_from,
            ours: Ours::Yes,
        }
    }

    fn made(signs_from: i64) -> Plan {
        Plan {
            make: Some(signs_from),
            forget: Vec::new(),
        }
    }

    #[test]
    fn the_first_key_signs_at_once() {
        assert_eq!(AGES.plan(&[], 5_000), made(5_000));
    }

    #[test]
    fn the_next_key_is_published_before_it_signs_and_made_once() {
        assert_eq!(AGES.plan(&[key("a", 0)], 899), Plan::default());
        assert_eq!(AGES.plan(&[key("a", 0)], 900), made(1_000));
        assert_eq!(AGES.plan(&[key("a", 0), key("b", 1_000)], 950), Plan::default());
        // After a long sleep too.
        assert_eq!(AGES.plan(&[key("a", 0)], 9_000), made(9_100));
    }

    #[test]
    fn a_key_is_forgotten_when_its_last_token_has_ended() {
        let keys = [key("a", 0), key("b", 1_000)];
        assert_eq!(AGES.plan(&keys, 1_080), Plan::default());
        assert_eq!(AGES.plan(&keys, 1_081).forget, ["a"]);
    }

    #[test]
    fn keys_of_another_service_key_verify_on_while_a_new_one_signs() {
        let other = Age {
            ours: Ours::No,
            ..key("a", 0)
        };
        assert_eq!(AGES.plan(std::slice::from_ref(&other), 10), made(10));
        assert_eq!(AGES.plan(&[other.clone(), key("b", 10)], 11), Plan::default());
        assert_eq!(AGES.plan(&[other, key("b", 10)], 91).forget, ["a"]);
    }
}
