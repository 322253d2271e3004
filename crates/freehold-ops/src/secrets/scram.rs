//! SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677): what PostgreSQL keeps instead of a password.

use super::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// A verifier for the password, with a new random salt: what `ALTER ROLE … PASSWORD` is given, so that the password
/// itself never travels and is in no log of statements.
#[must_use]
pub fn verifier_of(password: &Secret) -> String {
    postgres_protocol::password::scram_sha_256(password.expose().as_bytes())
}

/// Whether `verifier` is of this password. One of another kind, or a broken one, is not.
///
/// Compares generated passwords as they are: an ASCII password has no other form under RFC 4013.
#[must_use]
pub fn is_verifier_of(verifier: &str, password: &Secret) -> bool {
    let Some((iterations, salt, stored_key)) = parse(verifier) else {
        return false;
    };
    let Some(salted) = salt_password(password.expose().as_bytes(), &salt, iterations) else {
        return false;
    };
    keyed(&salted, &[b"Client Key"]).is_some_and(|client_key| Sha256::digest(client_key)[..] == stored_key)
}

/// `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`.
fn parse(verifier: &str) -> Option<(u32, Vec<u8>, Vec<u8>)> {
    /// A verifier beyond this is not ours, and would take long to check.
    const ITERATIONS_MAX: u32 = 100_000;
    let rest = verifier.strip_prefix("SCRAM-SHA-256$")?;
    let (head, keys) = rest.split_once('$')?;
    let (iterations, salt) = head.split_once(':')?;
    let (stored_key, _server_key) = keys.split_once(':')?;
    let iterations = iterations.parse().ok().filter(|n| *n <= ITERATIONS_MAX)?;
    Some((
        iterations,
        STANDARD.decode(salt).ok()?,
        STANDARD.decode(stored_key).ok()?,
    ))
}

/// `Hi` of RFC 5802, 2.2: PBKDF2 of one block.
fn salt_password(password: &[u8], salt: &[u8], iterations: u32) -> Option<[u8; 32]> {
    let mut last = keyed(password, &[salt, &1_u32.to_be_bytes()])?;
    let mut salted = last;
    for _ in 1..iterations {
        last = keyed(password, &[&last])?;
        for (sum, byte) in salted.iter_mut().zip(last) {
            *sum ^= byte;
        }
    }
    Some(salted)
}

/// HMAC-SHA-256. `None` never happens: any key length is right.
fn keyed(key: &[u8], parts: &[&[u8]]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac.finalize().into_bytes().into())
}
