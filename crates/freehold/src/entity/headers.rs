//! What the request's headers ask for, beside the guards. PURE.
//!
//! | Header | Read by | Says |
//! | --- | --- | --- |
//! | `Prefer` | [`preferences`] | what a write answers, how rows are counted, what becomes of duplicates, … |
//! | `Accept` | [`accepted`], [`accepted_of_value`] | the form of the answer |
//! | `Content-Type` | [`content()`] | the form of the body |
//! | `Range`, `Range-Unit` | [`window`] | which rows of a list, as `limit` and `offset` do |

mod accept;
mod content;
mod prefer;
mod range;

pub(super) use accept::{Form, accepted, accepted_of_value};
pub(super) use content::{Content, content};
pub(super) use prefer::{
    CALL, CHANGE, Count, INSERT, Missing, PUT, Preference, Preferences, READ, Resolution, Return, Tx, WHOLE,
    preferences,
};
pub(super) use range::{Window, window};

/// Headers of a request, for tests.
#[cfg(test)]
fn map(pairs: &[(&'static str, &'static str)]) -> axum::http::HeaderMap {
    let mut headers = axum::http::HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, axum::http::HeaderValue::from_static(value));
    }
    headers
}
