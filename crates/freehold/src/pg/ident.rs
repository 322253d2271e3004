//! Quoting: names and texts as PostgreSQL reads them.

/// Quotes a name: `"order"`, with quotes inside doubled.
///
/// The result is one identifier whatever the name contains. A NUL character, which PostgreSQL cannot store in a name,
/// is left out.
#[must_use]
pub fn quote(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    push_quoted(&mut quoted, name, '"');
    quoted
}

/// Quotes a schema and a name in it: `"shop"."order"`.
#[must_use]
pub fn qualified(schema: &str, name: &str) -> String {
    let mut quoted = String::with_capacity(schema.len() + name.len() + 5);
    push_quoted(&mut quoted, schema, '"');
    quoted.push('.');
    push_quoted(&mut quoted, name, '"');
    quoted
}

/// Quotes a text: `'it''s'`, and ` e'a\\b'` when it contains a backslash, so that it reads the same whatever
/// `standard_conforming_strings` says.
///
/// For the few places where a parameter cannot stand (DDL, `comment on`); requests use parameters.
#[must_use]
pub fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 4);
    if !text.contains('\\') {
        push_quoted(&mut quoted, text, '\'');
        return quoted;
    }
    quoted.push_str(" e");
    push_quoted(&mut quoted, &text.replace('\\', "\\\\"), '\'');
    quoted
}

/// Appends a quoted name to SQL being written; [`quote`] without its allocation.
pub fn push(out: &mut String, name: &str) {
    push_quoted(out, name, '"');
}

fn push_quoted(out: &mut String, text: &str, mark: char) {
    out.push(mark);
    for c in text.chars().filter(|c| *c != '\0') {
        if c == mark {
            out.push(mark);
        }
        out.push(c);
    }
    out.push(mark);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_name_cannot_end_early() {
        assert_eq!(quote("order"), r#""order""#);
        assert_eq!(quote(r#"a" ; drop table x --"#), r#""a"" ; drop table x --""#);
        assert_eq!(qualified("s", "t\0"), r#""s"."t""#);
    }

    #[test]
    fn a_literal_cannot_end_early() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'b"), r" e'a\\''b'");
    }
}
