//! Names and values inside statements that take no parameters.

pub use freehold::pg::ident::{literal, quote as identifier};

/// Several texts, quoted, with commas. Not empty, so that `in (…)` can be written around it.
pub(super) fn literals(texts: &[&str]) -> String {
    if texts.is_empty() {
        return "null".to_owned();
    }
    let quoted: Vec<_> = texts.iter().map(|text| literal(text)).collect();
    quoted.join(", ")
}
