//! A bearer token, read with suspicion: RFC 8725 (best practices) and RFC 9068 (access tokens), as narrow as our own auth service
//! writes them.
//!
//! The header may say algorithm, type and key, and nothing else: a key or an address of one in it (`jwk`, `jku`, `x5u`), or
//! an extension to be understood (`crit`), is refused unread. The algorithm is the key's, not the token's to choose.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use uuid::Uuid;

use super::keys::Key;
use super::refusal::{bad_claims, expired, invalid};
use crate::entity::problem::Problem;
use crate::settings::Auth;

/// Bytes of a token: ours have some 500.
const TOKEN_BYTES_MAX: usize = 4 * 1024;

/// Seconds that a token may be valid: what ends a session is remembered for longer than that, and not for ever.
pub(super) const LIFETIME_MAX_S: u64 = 15 * 60;

/// Seconds by which clocks of services may differ.
pub(super) const LEEWAY_S: u64 = 10;

/// Bytes of a `jti` or `sid`, of which a UUID has 36.
const ID_BYTES_MAX: usize = 128;

/// What every token must say.
#[derive(Debug)]
pub(super) struct Expected {
    issuer: String,
    audience: String,
}

impl Expected {
    pub(super) fn of(auth: &Auth) -> Self {
        Self {
            issuer: auth.issuer.clone(),
            audience: auth.audience.clone(),
        }
    }
}

/// The header of a token.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    alg: Algorithm,
    typ: String,
    pub(super) kid: String,
}

/// The claims, each of which must be there and of its type.
#[derive(Debug, Deserialize)]
struct Written {
    sub: String,
    exp: u64,
    nbf: u64,
    iat: u64,
    jti: String,
    sid: String,
    #[serde(rename = "iss")]
    _issuer: String,
    /// One audience, not several: a token for more than this system is not ours.
    #[serde(rename = "aud")]
    _audience: String,
}

/// What a valid token says.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) subject: Uuid,
    pub(super) session: String,
    /// Seconds since 1970.
    pub(super) issued: u64,
}

/// The token of a request; none without the header `Authorization`.
///
/// # Errors
/// A 401 for another scheme, for two tokens, and for one that is too large.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).into_iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(invalid("there is more than one Authorization"));
    }
    let text = value.to_str().map_err(|_| invalid("the Authorization is no text"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(invalid("the Authorization is no bearer token"));
    }
    let token = token.trim_matches(' ');
    if token.len() > TOKEN_BYTES_MAX {
        return Err(invalid("the token is too large"));
    }
    Ok(Some(token))
}

/// Reads the header of a token: nothing of it is true yet.
///
/// # Errors
/// A 401 for anything but a header as our own auth service writes it.
pub(super) fn head(token: &str) -> Result<Head, Problem> {
    let malformed = || invalid("the token is malformed");
    let mut parts = token.split('.');
    let (Some(head), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(malformed());
    };
    let head = URL_SAFE_NO_PAD.decode(head).map_err(|_| malformed())?;
    let head: Head = serde_json::from_slice(&head).map_err(|_| malformed())?;
    if !head.typ.eq_ignore_ascii_case("at+jwt") {
        return Err(invalid("the token is no access token"));
    }
    Ok(head)
}

/// Verifies a token with the key it names, and reads its claims.
///
/// # Errors
/// A 401 for a signature that is not the key's, for claims that are missing or of another type, for another issuer or audience,
/// outside of its time, and for a time that is too long.
pub(super) fn claims(token: &str, head: &Head, key: &Key, expected: &Expected) -> Result<Claims, Problem> {
    if head.alg != key.algorithm {
        return Err(invalid("the token is not signed as its key signs"));
    }
    let mut validation = Validation::new(key.algorithm);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    validation.set_issuer(&[&expected.issuer]);
    validation.set_audience(&[&expected.audience]);
    validation.validate_nbf = true;
    validation.leeway = LEEWAY_S;
    let read = jsonwebtoken::decode::<Written>(token, &key.decoding, &validation);
    let written = read.map_err(|error| refused(error.kind()))?.claims;
    check(&written, now()?)?;
    let subject = Uuid::try_parse(&written.sub).ok();
    // In one notation: as it stands in the claim, policies and keys see it.
    let subject = subject.filter(|id| !id.is_nil() && id.to_string() == written.sub);
    Ok(Claims {
        subject: subject.ok_or_else(|| bad_claims("the token names no subject"))?,
        session: written.sid,
        issued: written.iat,
    })
}

/// What the library does not look at.
fn check(written: &Written, now: u64) -> Result<(), Problem> {
    let is_id = |id: &str| !id.is_empty() && id.len() <= ID_BYTES_MAX;
    if !is_id(&written.jti) || !is_id(&written.sid) {
        return Err(bad_claims("the token names no session"));
    }
    if written.iat > now.saturating_add(LEEWAY_S) {
        return Err(bad_claims("the token is from the future"));
    }
    match written.exp.checked_sub(written.iat) {
        Some(lifetime) if lifetime <= LIFETIME_MAX_S => {}
        _ => return Err(bad_claims("the token is valid for too long")),
    }
    // A token is not valid before it was given.
    if written.nbf > written.exp {
        return Err(bad_claims("the token is never valid"));
    }
    Ok(())
}

fn refused(kind: &ErrorKind) -> Problem {
    match kind {
        ErrorKind::ExpiredSignature => expired(),
        ErrorKind::ImmatureSignature => bad_claims("the token is not valid yet"),
        ErrorKind::InvalidIssuer => bad_claims("the token is of another issuer"),
        ErrorKind::InvalidAudience => bad_claims("the token is for others"),
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => bad_claims("the token lacks a claim"),
        ErrorKind::InvalidSignature => invalid("the token is not signed by its key"),
        _ => invalid("the token is malformed"),
    }
}

fn now() -> Result<u64, Problem> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock before 1970 tells nothing about a token.
    since
        .map(|since| since.as_secs())
        .map_err(|_| super::refusal::no_keys())
}
