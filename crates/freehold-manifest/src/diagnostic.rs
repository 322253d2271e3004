//! One finding: which rule, where, what to do.

use std::ops::Range;

use crate::secret;
use crate::source::SourceFile;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The system is refused.
    Error,
    /// The system is read; somebody should look.
    Warning,
}

/// A stretch of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path of the file as shown to people.
    pub file: String,
    /// Bytes of the file's text, on character boundaries.
    pub span: Range<usize>,
    /// Line of the start, from 1.
    pub line: usize,
    /// Column of the start in characters, from 1.
    pub column: usize,
    /// What is to be seen there; may be empty.
    pub label: String,
}

impl Place {
    /// A place in `file`; a span outside of the text is cut to fit.
    pub(crate) fn new(file: &SourceFile, span: &Range<usize>, label: impl Into<String>) -> Self {
        let span = file.clamp(span);
        let (line, column) = file.position(span.start);
        Self {
            file: file.path.clone(),
            span,
            line,
            column,
            label: visible(label.into()),
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Kebab-case name of the rule; its page is [`crate::rules::find`]'s.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence: the thing and what is wrong with it. Never a secret.
    pub message: String,
    /// Where; none if the text must not be shown or there is no text.
    pub place: Option<Place>,
    /// Other places that explain it.
    pub also: Vec<Place>,
    /// What to do.
    pub help: Option<String>,
    /// Whether accepting the contract as it stands (`freehold check --accept`) is a remedy.
    pub acceptable: bool,
}

impl Diagnostic {
    /// A finding that refuses the system.
    pub(crate) fn error(rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            rule,
            severity: Severity::Error,
            message: visible(message.into()),
            place: None,
            also: Vec::new(),
            help: None,
            acceptable: false,
        }
    }

    /// A finding that lets the system pass.
    pub(crate) fn warning(rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(rule, message)
        }
    }

    /// Says where.
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Adds a place that explains it.
    pub(crate) fn also(mut self, place: Place) -> Self {
        self.also.push(place);
        self
    }

    /// Says what to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(visible(help.into()));
        self
    }

    /// Says that accepting the contract as it stands is a remedy.
    pub(crate) fn acceptable(mut self) -> Self {
        self.acceptable = true;
        self
    }

    /// Says what to do, if anything is known.
    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.map(visible);
        self
    }
}

/// Names come from strangers' files: passwords are hidden, and control characters spelled out so that none reaches a terminal.
fn visible(text: String) -> String {
    let text = secret::hide(&text);
    if !text.chars().any(char::is_control) {
        return text;
    }
    text.chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect()
}
