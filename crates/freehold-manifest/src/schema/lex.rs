//! A small SQL lexer: enough to tell words from strings and comments, in constant stack.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword, an identifier or a quoted identifier.
    Word,
    /// A string in quotes or dollars; `inner` is what is between them.
    Text,
    /// A number or a run of one sign.
    Other,
    /// One of `( ) [ ] , ; .`.
    Mark(u8),
}

/// One token.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
    /// The content of a text; the whole of anything else.
    pub(super) inner: Range<usize>,
}

/// All tokens of `sql`; unterminated texts and comments end with the input.
pub(super) fn tokens(sql: &str) -> impl Iterator<Item = Token> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at = skip_blank(sql, at);
        let token = next(sql, at)?;
        at = token.span.end;
        Some(token)
    })
}

fn skip_blank(sql: &str, mut at: usize) -> usize {
    let bytes = sql.as_bytes();
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
        } else if bytes[at..].starts_with(b"--") {
            at = find(bytes, at, b"\n").map_or(bytes.len(), |end| end + 1);
        } else if bytes[at..].starts_with(b"/*") {
            at = end_of_comment(bytes, at + 2);
        } else {
            break;
        }
    }
    at
}

/// Block comments nest.
fn end_of_comment(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 1_usize;
    while at < bytes.len() && depth > 0 {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
    }
    at.min(bytes.len())
}

fn next(sql: &str, start: usize) -> Option<Token> {
    let bytes = sql.as_bytes();
    let first = *bytes.get(start)?;
    let token = |kind, end: usize| Token {
        kind,
        span: start..end,
        inner: start..end,
    };
    Some(match first {
        b'(' | b')' | b'[' | b']' | b',' | b';' | b'.' => token(Kind::Mark(first), start + 1),
        b'\'' => quoted(bytes, start, start + 1, Escapes::No),
        b'e' | b'E' if bytes.get(start + 1) == Some(&b'\'') => quoted(bytes, start, start + 2, Escapes::Yes),
        b'"' => {
            let text = quoted_until(bytes, start + 1, b'"', Escapes::No);
            token(Kind::Word, text.end_with_quote)
        }
        b'$' => dollar_quoted(sql, start).unwrap_or_else(|| token(Kind::Other, start + 1)),
        _ if is_word(first) => token(
            Kind::Word,
            run(bytes, start, |b| is_word(b) || b.is_ascii_digit() || b == b'$'),
        ),
        _ if first.is_ascii_digit() => token(Kind::Other, run(bytes, start, |b| b.is_ascii_alphanumeric())),
        _ => token(Kind::Other, start + 1),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    Yes,
    No,
}

struct Quoted {
    end: usize,
    end_with_quote: usize,
}

fn quoted(bytes: &[u8], start: usize, inside: usize, escapes: Escapes) -> Token {
    let text = quoted_until(bytes, inside, b'\'', escapes);
    Token {
        kind: Kind::Text,
        span: start..text.end_with_quote,
        inner: inside..text.end,
    }
}

fn quoted_until(bytes: &[u8], mut at: usize, quote: u8, escapes: Escapes) -> Quoted {
    while at < bytes.len() {
        if bytes[at] == b'\\' && escapes == Escapes::Yes {
            at += 2;
        } else if bytes[at] != quote {
            at += 1;
        } else if bytes.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return Quoted {
                end: at,
                end_with_quote: at + 1,
            };
        }
    }
    Quoted {
        end: bytes.len(),
        end_with_quote: bytes.len(),
    }
}

/// `$tag$ … $tag$`; none if it is no such thing (`$1`).
fn dollar_quoted(sql: &str, start: usize) -> Option<Token> {
    let bytes = sql.as_bytes();
    let tag_end = run(bytes, start + 1, |b| is_word(b) || b.is_ascii_digit());
    if bytes.get(tag_end) != Some(&b'$') || bytes[start + 1].is_ascii_digit() {
        return None;
    }
    let tag = &bytes[start..=tag_end];
    let inside = tag_end + 1;
    let end = find(bytes, inside, tag);
    Some(Token {
        kind: Kind::Text,
        span: start..end.map_or(bytes.len(), |end| end + tag.len()),
        inner: inside..end.unwrap_or(bytes.len()),
    })
}

/// Bytes above ASCII are letters to PostgreSQL, so a token never ends inside a character.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn run(bytes: &[u8], start: usize, inside: impl Fn(u8) -> bool) -> usize {
    bytes[start..]
        .iter()
        .position(|b| !inside(*b))
        .map_or(bytes.len(), |n| start + n)
}

fn find(bytes: &[u8], start: usize, needle: &[u8]) -> Option<usize> {
    bytes[start..]
        .windows(needle.len())
        .position(|window| window == needle)
        .map(|at| start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(sql: &str) -> Vec<&str> {
        tokens(sql).map(|token| &sql[token.inner]).collect()
    }

    #[test]
    fn strings_and_comments_hide_what_is_in_them() {
        let sql = "a -- ( b\n/* ( /* ( */ */ 'it''s (' $x$ $$ ( $x$ \"q(\"\"\" e'\\'(' $1";
        assert_eq!(words(sql), ["a", "it''s (", " $$ ( ", "\"q(\"\"\"", "\\'(", "$", "1"]);
    }

    #[test]
    fn what_is_not_closed_ends_with_the_input() {
        for sql in ["'a", "$$ a", "\"a", "/* a", "e'\\", "$a", "$", "é'ü"] {
            assert!(tokens(sql).all(|token| sql.get(token.inner.clone()).is_some()), "{sql}");
        }
    }
}
