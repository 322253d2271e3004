//! A value of the right type that cannot be.

use super::Rule;
use crate::diagnostic::{Diagnostic, Place};

pub(super) const RULE: Rule = rule!("invalid-value", "a value its key cannot have");

/// The message says what cannot be, the place's label what was expected.
pub(crate) fn invalid(message: String, place: Place, help: Option<String>) -> Diagnostic {
    Diagnostic::error(RULE.name, message).at(place).maybe_help(help)
}
