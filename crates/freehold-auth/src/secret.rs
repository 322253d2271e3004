//! The service's key and what follows from it; random bytes; tokens.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// 256 bits.
pub(crate) const BYTES: usize = 32;

/// What a derived value is for: one purpose never yields the value of another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// The private half of a signing key.
    Signing,
    /// The refresh token that follows another.
    Successor,
    /// The token of a mail.
    Mail,
}

impl Purpose {
    /// Written into the derivation, so it outlives the process.
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Signing => b"freehold-auth signing key 1",
            Self::Successor => b"freehold-auth refresh token 1",
            Self::Mail => b"freehold-auth mail token 1",
        }
    }
}

/// Bytes of a key of HMAC-SHA-256 as it is used: its block, of which 256 bits are ours.
const BLOCK_BYTES: usize = 64;

/// The key that only this service knows.
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; BLOCK_BYTES]>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Takes a text of at least 32 bytes, in whatever alphabet: it is hashed.
    pub(crate) fn of(text: &str) -> Option<Self> {
        if text.len() < BYTES {
            return None;
        }
        let mut block = Zeroizing::new([0; BLOCK_BYTES]);
        block[..BYTES].copy_from_slice(&Sha256::digest(text.as_bytes()));
        Some(Self(block))
    }

    /// A value that follows from the key, a purpose and two public parts: HMAC-SHA-256. Without the key it is random.
    pub(crate) fn derive(&self, purpose: Purpose, salt: &[u8], of: &[u8]) -> Zeroizing<[u8; BYTES]> {
        let block: &[u8; BLOCK_BYTES] = &self.0;
        let mut mac = Hmac::<Sha256>::new(block.into());
        // Lengths first: no two inputs are one text.
        for part in [purpose.label(), salt, of] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

/// A token that a client holds: 256 bits, stored nowhere but as their digest.
pub(crate) struct Token(Zeroizing<[u8; BYTES]>);

impl Token {
    pub(crate) fn random() -> Result<Self> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    pub(crate) fn derived(bytes: Zeroizing<[u8; BYTES]>) -> Self {
        Self(bytes)
    }

    /// Reads what a client sent; none if no token ever looked like it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// As a client gets it: 43 letters, digits, `-` and `_`.
    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0[..])
    }

    /// As it is stored. What is found by it was compared in the database: of 256 random bits nobody learns by the time that takes.
    pub(crate) fn digest(&self) -> Vec<u8> {
        Sha256::digest(&self.0[..]).to_vec()
    }

    pub(crate) fn bytes(&self) -> &[u8; BYTES] {
        &self.0
    }
}

/// Bytes of the operating system's random source.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::of("a key of the tests, which is long enough").expect("32 bytes")
    }

    #[test]
    fn a_token_is_read_as_it_was_written_and_nothing_else_is() {
        let token = Token::random().expect("random bytes");
        let read = Token::read(&token.text()).expect("a token");
        assert_eq!(read.bytes(), token.bytes());
        for text in [
            "",
            "short",
            &format!("{}A", token.text()),
            &format!("{}=", token.text()),
            "ä",
        ] {
            assert!(Token::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn values_of_two_purposes_salts_or_parts_differ() {
        let derived = [
            secret().derive(Purpose::Signing, b"a", b"bc"),
            secret().derive(Purpose::Successor, b"a", b"bc"),
            secret().derive(Purpose::Mail, b"a", b"bc"),
            secret().derive(Purpose::Mail, b"ab", b"c"),
            Secret::of("another key of the tests, long enough")
                .expect("32 bytes")
                .derive(Purpose::Mail, b"a", b"bc"),
        ];
        for (at, one) in derived.iter().enumerate() {
            assert!(derived[..at].iter().all(|other| other != one), "{at}");
        }
        assert_eq!(derived[2], secret().derive(Purpose::Mail, b"a", b"bc"));
    }

    #[test]
    fn a_short_key_is_no_key() {
        assert!(Secret::of("thirty-one bytes are too few...").is_none());
    }
}
