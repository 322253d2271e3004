//! A manifest that is not TOML.

use super::Rule;
use crate::diagnostic::{Diagnostic, Place};
use crate::source::SourceFile;

pub(super) const RULE: Rule = rule!("manifest-syntax", "a manifest that is not TOML");

/// What the TOML parser says, in its words.
pub(crate) fn not_toml(file: &SourceFile, error: &toml_edit::TomlError) -> Diagnostic {
    let end = file.text.len();
    let span = error.span().unwrap_or(end..end);
    Diagnostic::error(RULE.name, format!("{} is not TOML: {}", file.path, error.message()))
        .at(Place::new(file, &span, ""))
}
