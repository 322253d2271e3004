//! A key that must be there.

use super::Rule;
use crate::diagnostic::{Diagnostic, Place};

pub(super) const RULE: Rule = rule!("missing-value", "a key that must be there and is not");

/// `table` lacks `key`.
pub(crate) fn absent(key: &str, table: &str, example: &str, place: Place) -> Diagnostic {
    Diagnostic::error(RULE.name, format!("{table} lacks `{key}`"))
        .at(place)
        .help(format!("add a line like `{example}`"))
}
