//! Passwords: what is taken as a new one.

use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::email::Email;
use crate::error::{Error, Result};

/// OWASP ASVS 5.0, 6.2.1: counted in characters.
const CHARS_MIN: usize = 8;

/// Longer ones are refused rather than cut: what is hashed is bounded.
const BYTES_MAX: usize = 1024;

/// The 10,000 commonest of at least eight characters, lowercase, the commonest first: from the list `passwords` of zxcvbn 4.5.0
/// (MIT, <https://pypi.org/project/zxcvbn/4.5.0>), which counts them in leaks. See decision 0022.
static COMMONEST: LazyLock<HashSet<&'static str>> = LazyLock::new(|| include_str!("commonest.txt").lines().collect());

/// A password as somebody typed it: wiped from memory when dropped, never shown.
#[derive(Clone, Deserialize)]
pub(crate) struct Password(Zeroizing<String>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    /// The password, unless it is too long to have been anybody's.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        (self.0.len() <= BYTES_MAX).then(|| self.0.as_bytes())
    }

    /// Whether it may become somebody's password. No rule says which characters it must have: length is what counts.
    ///
    /// # Errors
    /// [`Error::Password`] says what is wrong with it.
    pub(crate) fn is_good_for(&self, email: &Email) -> Result<()> {
        let problem = match self.0.as_str() {
            long if long.len() > BYTES_MAX => "is longer than 1024 bytes",
            short if short.chars().count() < CHARS_MIN => "must have at least 8 characters",
            common if COMMONEST.contains(common.to_lowercase().as_str()) => {
                "is among the commonest of all, which are guessed first"
            }
            own if own.eq_ignore_ascii_case(email.as_str()) || own.eq_ignore_ascii_case(email.local()) => {
                "must not be the e-mail address"
            }
            _ => return Ok(()),
        };
        Err(Error::Password(problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Option<String> {
        let email = Email::read("ann-lee-1984@mail.example").expect("an address");
        let password = Password(Zeroizing::new(text.to_owned()));
        password.is_good_for(&email).err().map(|error| error.to_string())
    }

    #[test]
    fn long_enough_and_uncommon_is_all_that_is_asked() {
        for good in [
            "correct horse",
            "ääääääää",
            "        x",
            &"x".repeat(1024),
            "'; drop table users; --",
        ] {
            assert_eq!(judged(good), None, "{good}");
        }
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        for bad in [
            "",
            "1234567",
            "äääääää",
            "password",
            "Password",
            "QWERTYUIOP",
            "iloveyou",
            "1qaz2wsx",
            "ann-lee-1984",
            "Ann-Lee-1984@mail.example",
            &"x".repeat(1025),
            &"ä".repeat(513),
        ] {
            assert!(judged(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn the_list_is_whole() {
        assert_eq!(COMMONEST.len(), 10_000);
        assert!(
            COMMONEST
                .iter()
                .all(|word| word.chars().count() >= CHARS_MIN && *word == word.to_lowercase())
        );
    }
}
