//! How the tour looks: a numbered sentence, the `curl` line, the answer. Colours on terminals only.

use anstyle::{AnsiColor, Style};

use crate::api::{Answer, Api, Call};

/// Lines of an answer that are shown; what follows is only counted.
const ANSWER_LINES_MAX: usize = 40;

const NUMBER: Style = AnsiColor::Cyan.on_default().bold();
const SENTENCE: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const REFUSED: Style = AnsiColor::Yellow.on_default();

/// Prints the tour and counts its stops.
#[derive(Debug, Default)]
pub struct Screen {
    stop: u32,
}

impl Screen {
    /// Begins a stop with its sentence.
    pub fn stop(&mut self, sentence: &str) {
        self.stop += 1;
        anstream::println!("\n{NUMBER}{:>2}.{NUMBER:#} {SENTENCE}{sentence}{SENTENCE:#}", self.stop);
    }

    /// The stop the tour is at, from 1.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.stop
    }

    /// Prints a call as the `curl` line that does the same.
    pub fn call(&self, api: &Api, call: &Call) {
        self.command(&api.curl(call));
    }

    /// Prints a command.
    pub fn command(&self, line: &str) {
        anstream::println!("    {FAINT}$ {line}{FAINT:#}");
    }

    /// Prints an answer: status, version, body.
    pub fn answer(&self, answer: &Answer) {
        let style = if answer.is_success() { GOOD } else { REFUSED };
        let etag = answer
            .etag
            .as_ref()
            .map(|etag| format!("   ETag: {etag}"))
            .unwrap_or_default();
        anstream::println!("    {style}{}{style:#}{FAINT}{etag}{FAINT:#}", answer.status);
        if answer.body.is_null() {
            return;
        }
        let text = serde_json::to_string_pretty(&answer.body).unwrap_or_default();
        for line in text.lines().take(ANSWER_LINES_MAX) {
            anstream::println!("    {line}");
        }
        let more = text.lines().count().saturating_sub(ANSWER_LINES_MAX);
        if more > 0 {
            anstream::println!("    {FAINT}and {more} more lines{FAINT:#}");
        }
    }

    /// Prints what was just seen.
    pub fn note(&self, text: &str) {
        anstream::println!("    {GOOD}{text}{GOOD:#}");
    }

    /// Prints a refusal that was expected.
    pub fn refusal(&self, text: &str) {
        anstream::println!("    {REFUSED}{text}{REFUSED:#}");
    }
}
