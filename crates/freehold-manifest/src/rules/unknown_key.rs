//! A key no manifest has.

use super::Rule;
use crate::diagnostic::{Diagnostic, Place};
use crate::nearest::suggestion;

pub(super) const RULE: Rule = rule!("unknown-key", "a key that means nothing where it stands");

/// `key` is not among the keys that `table` may have.
pub(crate) fn unknown(key: &str, table: &str, known: &[&str], place: Place) -> Diagnostic {
    Diagnostic::error(RULE.name, format!("{table} has no key `{key}`"))
        .at(place)
        .maybe_help(suggestion(key, known.iter().copied(), "its keys are"))
}
