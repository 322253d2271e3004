//! A statement that makes others wait, or fails for versions of the service that still run.

use super::Rule;
use crate::diagnostic::{Diagnostic, Place};

pub(crate) const RULE: Rule = rule!(
    "unsafe-migration",
    "a statement that locks a table for long, or breaks the version of the service that still runs"
);

/// A finding of the linter in our words.
pub(crate) fn found(place: Place, case: &str, sentence: &str, remedy: &str) -> Diagnostic {
    let message = format!("{sentence} ({case})");
    Diagnostic::warning(RULE.name, message).at(place).help(format!(
        "{remedy}; if it is meant, write `-- freehold: allow {case}: <reason>` above the statement"
    ))
}

/// A comment that would allow something and does not say why, or not what.
pub(crate) fn idle(place: Place, message: &str) -> Diagnostic {
    Diagnostic::warning(RULE.name, message)
        .at(place)
        .help("write `-- freehold: allow <case>: <reason>` above the statement; the cases are in the page of this rule")
}
