//! A migration the SQL parser does not understand.
//!
//! A warning only: the parser is not PostgreSQL, which judges when the migration runs.

use std::ops::Range;

use super::Rule;
use crate::diagnostic::{Diagnostic, Place};
use crate::source::SourceFile;

pub(super) const RULE: Rule = rule!("migration-syntax", "a migration that could not be read as SQL");

const HELP: &str = "what it creates is not checked; PostgreSQL has the last word when it runs";

/// What the parser says, in its words.
pub(crate) fn unreadable(file: &SourceFile, span: &Range<usize>, message: &str) -> Diagnostic {
    Diagnostic::warning(
        RULE.name,
        format!("{} is not read as SQL: {}", file.path, in_words(message)),
    )
    .at(Place::new(file, span, ""))
    .help(HELP)
}

/// A migration that is not given to the parser.
pub(crate) fn refused(file: &SourceFile, reason: &str) -> Diagnostic {
    Diagnostic::warning(RULE.name, format!("{} is not read: {reason}", file.path))
        .at(Place::new(file, &(0..0), ""))
        .help(HELP)
}

/// No migration was read at all.
pub(crate) fn no_thread() -> Diagnostic {
    Diagnostic::warning(
        RULE.name,
        "no migration was read: the system gave no thread to read them on",
    )
    .help(HELP)
}

/// The parser names tokens by their kinds: `CREATE_KW` is `create` to people, `IDENT` a name.
fn in_words(message: &str) -> String {
    let words: Vec<String> = message
        .split(' ')
        .map(|word| {
            let bare = word.trim_end_matches([',', '.']);
            let said = match bare {
                "IDENT" => "a name".to_owned(),
                "EOF" => "the end".to_owned(),
                _ => match bare.strip_suffix("_KW") {
                    Some(keyword) => format!("`{}`", keyword.to_lowercase()),
                    None if bare.contains('_') && bare.chars().all(|c| c.is_ascii_uppercase() || c == '_') => {
                        bare.to_lowercase().replace('_', " ")
                    }
                    None => return word.to_owned(),
                },
            };
            format!("{said}{}", &word[bare.len()..])
        })
        .collect();
    let mut message = words.join(" ");
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    message
}
