//! Names and values inside statements that take no parameters.

/// A name in SQL, always quoted: `order` and `user` are reserved words.
#[must_use]
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQL. Right with every setting of `standard_conforming_strings`.
#[must_use]
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// Several texts, quoted, with commas. Not empty, so that `in (…)` can be written around it.
pub(super) fn literals(texts: &[&str]) -> String {
    if texts.is_empty() {
        return "null".to_owned();
    }
    let quoted: Vec<_> = texts.iter().map(|text| literal(text)).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_cannot_be_left() {
        assert_eq!(identifier("a\"; drop"), "\"a\"\"; drop\"");
        assert_eq!(literal("a'b"), "'a''b'");
        assert_eq!(literal("a\\'"), "E'a\\\\'''");
    }
}
