//! A statement PostgreSQL refused, shown where it stands in its file.

use super::file::{File, Mode, Version};
use std::fmt;
use tokio_postgres::error::{DbError, ErrorPosition};

/// What PostgreSQL said about a file, and where. Its text (`Display`) shows the line and underlines the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The service.
    pub service: String,
    /// The file's name.
    pub file: String,
    /// Where in the file; `None` if the transaction's commit failed, as with a deferred constraint.
    pub spot: Option<Spot>,
    /// SQLSTATE.
    pub code: String,
    /// The message.
    pub message: String,
    /// The detail, if PostgreSQL gave one.
    pub detail: Option<String>,
    /// The hint, if PostgreSQL gave one.
    pub hint: Option<String>,
    /// Where inside functions and blocks it happened, if there.
    pub context: Option<String>,
    /// The version the service stands at now.
    pub stands_at: Option<Version>,
    /// What of this file stayed.
    pub kept: Kept,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The line's text.
    pub text: String,
    /// How many characters are meant, from `column`; at least 1.
    pub width: usize,
}

/// What a failed file left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// Nothing: its transaction was rolled back.
    Nothing,
    /// It runs without a transaction.
    Statements {
        /// So many of its statements had run and stay.
        ran: usize,
        /// Indexes that a failed concurrent build left invalid, quoted with their schema.
        invalid_indexes: Vec<String>,
    },
}

impl Fault {
    /// From what PostgreSQL said about `sent`, the part of the file's text from byte `from`, whose statement from byte
    /// `statement` to `end` was running.
    pub(super) fn new(service: &str, file: &File, said: &DbError, running: Running) -> Self {
        let spot = match (said.position(), running) {
            (_, Running::Commit) => None,
            (Some(ErrorPosition::Original(at)), Running::Statement { from, .. }) => {
                Some(spot_of_token(&file.text, from, *at as usize))
            }
            (_, Running::Statement { start, end, .. }) => Some(spot_of_statement(&file.text, start, end)),
        };
        Self {
            service: service.to_owned(),
            file: file.file_name(),
            spot,
            code: said.code().code().to_owned(),
            message: said.message().to_owned(),
            detail: said.detail().map(str::to_owned),
            hint: said.hint().map(str::to_owned),
            context: said.where_().map(str::to_owned),
            stands_at: None,
            kept: match file.mode {
                Mode::Transaction => Kept::Nothing,
                Mode::NoTransaction => Kept::Statements {
                    ran: 0,
                    invalid_indexes: Vec::new(),
                },
            },
        }
    }
}

/// What was running when PostgreSQL refused; all in bytes of the file's text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Running {
    /// A statement.
    Statement {
        /// Where the text that was sent begins: PostgreSQL counts from there.
        from: usize,
        /// Where the statement begins.
        start: usize,
        /// Where it ends.
        end: usize,
    },
    /// The end of the transaction.
    Commit,
}

/// The token at the `nth` character (from 1) of the text from byte `from`.
fn spot_of_token(text: &str, from: usize, nth: usize) -> Spot {
    let sent = &text[from..];
    let at = sent
        .char_indices()
        .nth(nth.saturating_sub(1))
        .map_or(text.len(), |(offset, _)| from + offset);
    let rest = &text[at..];
    let word = rest
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '$'))
        .count();
    let width = match rest.chars().next() {
        // A quoted name or string, if it ends on this line.
        Some(quote @ ('"' | '\'')) => rest
            .lines()
            .next()
            .and_then(|line| line.chars().skip(1).position(|c| c == quote))
            .map_or(1, |inside| inside + 2),
        _ => word,
    };
    spot(text, at, width)
}

/// The first line of a statement.
fn spot_of_statement(text: &str, start: usize, end: usize) -> Spot {
    let first = text[start..end].lines().next().unwrap_or_default();
    spot(text, start, first.trim_end().chars().count())
}

fn spot(text: &str, at: usize, width: usize) -> Spot {
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    Spot {
        line: text[..at].matches('\n').count() + 1,
        column: text[line_start..at].chars().count() + 1,
        text: line.to_owned(),
        width: width.max(1),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            service,
            file,
            message,
            code,
            ..
        } = self;
        match &self.spot {
            Some(Spot { line, column, .. }) => {
                write!(f, "{service}: {file}:{line}:{column}: {message} ({code})")?;
            }
            None => write!(f, "{service}: {file}: at its commit: {message} ({code})")?,
        }
        if let Some(spot) = &self.spot {
            write!(f, "{spot}")?;
        }
        for (label, text) in [("detail", &self.detail), ("hint", &self.hint), ("in", &self.context)] {
            if let Some(text) = text {
                write!(f, "\n  {label}: {}", text.replace('\n', "\n    "))?;
            }
        }
        write!(f, "\n  {service} stays at ")?;
        match self.stands_at {
            Some(version) => write!(f, "version {version}")?,
            None => write!(f, "the beginning")?,
        }
        match &self.kept {
            Kept::Nothing => write!(f, "; nothing of {file} stayed"),
            Kept::Statements { ran, invalid_indexes } => {
                write!(
                    f,
                    "; {file} runs without a transaction: {ran} statement(s) before this one stay, so make them fit to run again"
                )?;
                for index in invalid_indexes {
                    write!(
                        f,
                        "\n  an invalid index is left; before the next run: drop index concurrently {index};"
                    )?;
                }
                Ok(())
            }
        }
    }
}

/// The line, and below it carets under what is meant.
impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        // Tabs stay tabs, so that the carets stand right whatever a tab's width.
        let indent: String = self
            .text
            .chars()
            .take(self.column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let carets = "^".repeat(self.width);
        write!(f, "\n  {number} | {}\n  {gutter} | {indent}{carets}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_in_characters_becomes_line_and_column() {
        let text = "select 'é';\nselect \"nö such\" from t;\n";
        let found = spot_of_token(text, 0, 20);
        assert_eq!((found.line, found.column, found.width), (2, 8, 9));
        let second = text.find("select \"").unwrap_or_default();
        assert_eq!(spot_of_token(text, second, 8), found);
        assert_eq!(
            found.to_string(),
            "\n  2 | select \"nö such\" from t;\n    |        ^^^^^^^^^"
        );
        // Past the end, as for an unfinished statement.
        assert_eq!(spot_of_token("select", 0, 7).column, 7);
    }
}
