//! A value of the wrong TOML type.

use super::Rule;
use crate::diagnostic::{Diagnostic, Place};

pub(super) const RULE: Rule = rule!("wrong-type", "a value of another type than its key takes");

/// `what` must be `expected`; the place's label says what was found.
pub(crate) fn wrong(what: &str, expected: &str, place: Place) -> Diagnostic {
    Diagnostic::error(RULE.name, format!("{what} must be {expected}")).at(place)
}
