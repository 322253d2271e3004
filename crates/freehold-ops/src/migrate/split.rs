//! Splits a file into statements as psql does: by semicolons outside of quotes, dollar quotes, comments, parentheses and
//! the `begin atomic … end` of a function's body. It does not understand SQL; PostgreSQL judges that.

/// At most this many words of a statement are kept: enough for what is asked of them.
const WORDS_MAX: usize = 32;

/// One statement of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Statement {
    /// Where its first character is, in bytes; comments before it are not part of it.
    pub(super) start: usize,
    /// Where it ends, in bytes, its semicolon included.
    pub(super) end: usize,
    /// Its first words outside of quotes and parentheses, in lower case.
    pub(super) words: Vec<String>,
}

impl Statement {
    /// Whether it begins with these words.
    pub(super) fn begins(&self, words: &[&str]) -> bool {
        self.words.len() >= words.len() && self.words.iter().zip(words).all(|(a, b)| a == b)
    }

    /// Whether one of its words is `word`.
    pub(super) fn has(&self, word: &str) -> bool {
        self.words.iter().any(|known| known == word)
    }
}

/// A text in statements.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Split {
    /// The statements in order; empty ones are left out, as PostgreSQL does.
    pub(super) statements: Vec<Statement>,
    /// Where the first backslash stands outside of quotes and comments: it means psql, never SQL.
    pub(super) backslash: Option<usize>,
}

/// Splits `text`. What is left open at the end (a quote, a comment) ends with the text; PostgreSQL will complain.
pub(super) fn split(text: &str) -> Split {
    let mut scan = Scan {
        text,
        bytes: text.as_bytes(),
        at: 0,
        parens: 0,
        body: 0,
        open: None,
        split: Split::default(),
    };
    while scan.step() {}
    scan.finish();
    scan.split
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Depth of parentheses.
    parens: usize,
    /// Depth of `begin … end` in a function's body.
    body: usize,
    open: Option<Statement>,
    split: Split,
}

impl Scan<'_> {
    /// Moves over one token; false at the end.
    fn step(&mut self) -> bool {
        let Some(&byte) = self.bytes.get(self.at) else {
            return false;
        };
        let next = self.bytes.get(self.at + 1).copied();
        match (byte, next) {
            (b'-', Some(b'-')) => self.at = self.find(b"\n", self.at),
            (b'/', Some(b'*')) => self.skip_comment(),
            (b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, _) => self.at += 1,
            (b';', _) => self.semicolon(),
            _ => {
                self.open.get_or_insert_with(|| Statement {
                    start: self.at,
                    ..Statement::default()
                });
                self.token(byte);
                // Where the statement ends if no semicolon follows.
                if let Some(open) = &mut self.open {
                    open.end = self.at;
                }
            }
        }
        true
    }

    fn token(&mut self, byte: u8) {
        match byte {
            b'\'' => self.skip_quoted(b'\'', Escape::None),
            b'"' => self.skip_quoted(b'"', Escape::None),
            b'$' => self.skip_dollar(),
            b'(' => {
                self.parens += 1;
                self.at += 1;
            }
            b')' => {
                self.parens = self.parens.saturating_sub(1);
                self.at += 1;
            }
            b'\\' => {
                self.split.backslash.get_or_insert(self.at);
                self.at += 1;
            }
            _ if is_word(byte) => self.word(),
            _ => self.at += 1,
        }
    }

    fn word(&mut self) {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|b| is_word(*b) || *b == b'$') {
            self.at += 1;
        }
        let word = self.text[start..self.at].to_lowercase();
        if word == "e" && self.bytes.get(self.at) == Some(&b'\'') {
            return self.skip_quoted(b'\'', Escape::Backslash);
        }
        if self.parens > 0 {
            return;
        }
        let Some(open) = &mut self.open else {
            return;
        };
        // As psql: only a routine's body nests statements.
        if open.begins(&["create"]) && (open.has("function") || open.has("procedure")) {
            match word.as_str() {
                "begin" => self.body += 1,
                "case" if self.body > 0 => self.body += 1,
                "end" => self.body = self.body.saturating_sub(1),
                _ => {}
            }
        }
        if open.words.len() < WORDS_MAX {
            open.words.push(word);
        }
    }

    fn semicolon(&mut self) {
        self.at += 1;
        if let Some(open) = &mut self.open {
            open.end = self.at;
        }
        if self.parens == 0 && self.body == 0 {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.split.statements.extend(self.open.take());
        (self.parens, self.body) = (0, 0);
    }

    /// Where `needle` next stands from `from`, or the end of the text.
    fn find(&self, needle: &[u8], from: usize) -> usize {
        self.bytes
            .get(from..)
            .and_then(|rest| rest.windows(needle.len()).position(|part| part == needle))
            .map_or(self.bytes.len(), |found| from + found)
    }

    /// Comments nest.
    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.bytes.len() {
            let rest = &self.bytes[self.at..];
            if rest.starts_with(b"/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with(b"*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return;
                }
            } else {
                self.at += 1;
            }
        }
    }

    /// A doubled quote reads as the end of one string and the beginning of the next, which comes to the same.
    fn skip_quoted(&mut self, quote: u8, escape: Escape) {
        self.at += 1;
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += match byte {
                b'\\' if escape == Escape::Backslash => 2,
                _ => 1,
            };
            if byte == quote {
                if escape == Escape::Backslash && self.bytes.get(self.at) == Some(&quote) {
                    self.at += 1;
                } else {
                    break;
                }
            }
        }
        self.at = self.at.min(self.bytes.len());
    }

    fn skip_dollar(&mut self) {
        let start = self.at;
        let mut end = start + 1;
        while self.bytes.get(end).is_some_and(|b| is_word(*b)) {
            end += 1;
        }
        let is_tag = self.bytes.get(end) == Some(&b'$') && !self.bytes[start + 1].is_ascii_digit();
        if !is_tag {
            self.at += 1;
            return;
        }
        let tag = &self.bytes[start..=end];
        self.at = (self.find(tag, end + 1) + tag.len()).min(self.bytes.len());
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    Backslash,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<&str> {
        split(text).statements.iter().map(|s| &text[s.start..s.end]).collect()
    }

    #[test]
    fn semicolons_in_quotes_comments_and_parentheses_split_nothing() {
        for whole in [
            "select ';' as \"a;b\", 'it''s; fine';",
            r"select e'\';', E'a''; b';",
            "do $$ begin; end $$;",
            "do $a$ select $b$ ; $b$; $$ ; $$ $a$;",
            "select 1 /* ; /* ; */ ; */ + 1 -- ; no\n + 2;",
            "create rule r as on insert to t do (delete from a; delete from b);",
            "select a$1$ from é_t$x$;",
            "select $1;",
            "create function f() returns int begin atomic select case when true then 1 end; select 2; end;",
            "create or replace procedure p() begin atomic select 1; end;",
        ] {
            assert_eq!(parts(whole), [whole]);
            let twice = format!("{whole}\n{whole}");
            assert_eq!(parts(&twice), [whole, whole]);
        }
    }

    #[test]
    fn comments_and_empty_statements_belong_to_none() {
        assert_eq!(
            parts(";; -- first; one\n select 1 ; /* x */ ; select 2 -- end"),
            ["select 1 ;", "select 2"]
        );
        assert_eq!(parts(" -- nothing\n"), [""; 0]);
    }

    #[test]
    fn what_is_left_open_reaches_to_the_end() {
        for open in ["select 'a;", "select $$ ; $", "select (1;", "select e'\\"] {
            assert_eq!(parts(open), [open]);
        }
        assert_eq!(parts("select 1 /* ;"), ["select 1"]);
    }

    #[test]
    fn words_are_kept_and_a_backslash_is_found() {
        let text = "-- \\not\nCreate Index concurrently \"on\" on t (b); select '\\';\n\\i x.sql";
        let split = split(text);
        assert!(split.statements[0].begins(&["create", "index", "concurrently", "on", "t"]));
        assert!(!split.statements[0].has("b"));
        assert_eq!(split.backslash, text.rfind('\\'));
    }
}
