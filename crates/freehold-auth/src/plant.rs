//! Defects planted on purpose, so that the tests which must find them are seen to: feature `plant`, never in a released build.
//!
//! The environment variable `FREEHOLD_PLANT` names the one that is planted.
//!
//! | Name | What is wrong then |
//! | --- | --- |
//! | `no-dummy-hash` | an unknown account is refused without a password being hashed |
//! | `no-grace` | a refresh token shown twice is a theft at once |
//! | `replay-not-noticed` | a used refresh token is answered for ever |
//! | `one-time-token-not-locked` | whether a mail's token was used is looked up before, not by, the statement that uses it |
//! | `hashing-not-bounded` | six times as many passwords are hashed at once as there are places for |
//! | `key-signs-at-once` | a new signing key signs before other services can know it |

/// Whether this defect is planted.
#[cfg(feature = "plant")]
pub(crate) fn is(name: &str) -> bool {
    static PLANTED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let planted = PLANTED.get_or_init(|| std::env::var("FREEHOLD_PLANT").ok());
    planted.as_deref() == Some(name)
}

/// Nothing is planted.
#[cfg(not(feature = "plant"))]
pub(crate) const fn is(_name: &str) -> bool {
    false
}
