//! A service listed twice.

use super::Rule;
use crate::declared::At;
use crate::diagnostic::{Diagnostic, Place};
use crate::source::SourceFile;

pub(super) const RULE: Rule = rule!("duplicate-service", "a service that system.toml lists twice");

/// The name is listed at `first` and again at `second`.
pub(crate) fn twice(file: &SourceFile, first: &At<String>, second: &At<String>) -> Diagnostic {
    Diagnostic::error(RULE.name, format!("the service `{}` is listed twice", second.value))
        .at(Place::new(file, &second.span, "listed again"))
        .also(Place::new(file, &first.span, "listed first"))
        .help("remove one of them")
}
