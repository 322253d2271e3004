//! Reading a text from left to right. Nothing is read twice, but for a quote that turns out not to be one.

use std::borrow::Cow;

use crate::entity::problem::Problem;

/// Characters of a client's text that a message repeats.
const SHOWN_CHARS: usize = 40;

/// A text and how far it was read.
#[derive(Clone)]
pub(super) struct Scan<'t> {
    /// The key whose value is read, for messages.
    part: &'t str,
    rest: &'t str,
}

impl<'t> Scan<'t> {
    pub(super) fn new(part: &'t str, text: &'t str) -> Self {
        Self { part, rest: text }
    }

    /// The key whose value is read.
    pub(super) fn part(&self) -> &'t str {
        self.part
    }

    pub(super) fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn stands(&self, text: &str) -> bool {
        self.rest.starts_with(text)
    }

    /// Goes past `text` if it stands here.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else {
            return false;
        };
        self.rest = rest;
        true
    }

    /// Goes past `text`, or refuses because `what` is missing.
    pub(super) fn expect(&mut self, text: &str, what: &str) -> Result<(), Problem> {
        if self.eat(text) {
            Ok(())
        } else {
            Err(self.expected(what))
        }
    }

    /// Refuses whatever is left.
    pub(super) fn end(&mut self, what: &str) -> Result<(), Problem> {
        self.skip_blank();
        if self.is_over() {
            Ok(())
        } else {
            Err(self.expected(what))
        }
    }

    pub(super) fn skip_blank(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    pub(super) fn take_rest(&mut self) -> &'t str {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn take_char(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        Some(c)
    }

    pub(super) fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    /// Takes characters as long as each, seen with what follows it, belongs.
    pub(super) fn take_while_next(&mut self, belongs: impl Fn(char, &str) -> bool) -> &'t str {
        let ends = |(at, c): &(usize, char)| {
            let next = self.rest.get(at + c.len_utf8()..).unwrap_or_default();
            !belongs(*c, next)
        };
        let end = self.rest.char_indices().find(ends);
        self.take(end.map_or(self.rest.len(), |(at, _)| at))
    }

    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Reads a text in double quotes, in which `\` makes the next character an ordinary one.
    ///
    /// Without an opening and a closing quote nothing is read.
    pub(super) fn quoted(&mut self) -> Option<String> {
        let mut chars = self.rest.strip_prefix('"')?.chars();
        let mut text = String::new();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => text.push(chars.next()?),
                c => text.push(c),
            }
        }
        self.rest = chars.as_str();
        Some(text)
    }

    /// A refusal: something else should stand here.
    pub(super) fn expected(&self, what: &str) -> Problem {
        let part = shown(self.part);
        if self.is_over() {
            return Problem::grammar(format!("`{part}` ends too early: {what} is missing"));
        }
        let rest = shown(self.rest);
        Problem::grammar(format!(
            "`{part}` is not understood from `{rest}` on: {what} is expected"
        ))
    }
}

/// What a message repeats of a client's text.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_CHARS) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
    }
}
