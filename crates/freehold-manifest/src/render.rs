//! Diagnostics as people read them: the place, the text underlined, the remedy.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::source::Sources;
use crate::{rules, secret};

/// Longest text a snippet is cut from, in bytes; a longer one shows its position only.
const SNIPPET_TEXT_MAX: usize = 1 << 20;
/// Longest line shown, in bytes: longer ones are generated, not written.
const SNIPPET_LINE_MAX: usize = 2_000;

impl Diagnostic {
    /// The finding as a compiler would print it; passwords in the shown lines are hidden.
    #[must_use]
    pub fn render(&self, sources: &Sources, color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut main = level
            .primary_title(self.message.as_str())
            .id(self.rule)
            .elements(std::iter::empty::<annotate_snippets::Padding>());
        let mut unshown = Vec::new();
        for file in self.files() {
            match self.snippet(sources, file) {
                Some(snippet) => main = main.element(snippet),
                None => unshown.extend(self.places().filter(|p| p.file == file)),
            }
        }
        for place in unshown {
            main = main.element(Level::NOTE.message(format!(
                "at {}:{}:{} {}",
                place.file, place.line, place.column, place.label
            )));
        }
        if let Some(help) = &self.help {
            main = main.element(Level::HELP.message(help.as_str()));
        }
        let report: [Group<'_>; 1] = [main];
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.decor_style(DecorStyle::Ascii).render(&report)
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.place.iter().chain(&self.also)
    }

    /// The files of all places, each once, the main one first.
    fn files(&self) -> Vec<&str> {
        let mut files: Vec<&str> = Vec::new();
        for place in self.places() {
            if !files.contains(&place.file.as_str()) {
                files.push(&place.file);
            }
        }
        files
    }

    fn snippet<'a>(&'a self, sources: &Sources, file: &'a str) -> Option<Snippet<'a, Annotation<'a>>> {
        let source = sources.file(file)?;
        if source.text.len() > SNIPPET_TEXT_MAX {
            return None;
        }
        let text = secret::hide(&source.text);
        let mut snippet = Vec::new();
        for (place, kind) in self
            .place
            .iter()
            .map(|p| (p, AnnotationKind::Primary))
            .chain(self.also.iter().map(|p| (p, AnnotationKind::Context)))
            .filter(|(p, _)| p.file == file)
        {
            let span = first_line(&text, &source.clamp(&place.span));
            if line_length(&text, span.start) > SNIPPET_LINE_MAX {
                return None;
            }
            let label = (!place.label.is_empty()).then_some(place.label.as_str());
            snippet.push(kind.span(span).label(label));
        }
        Some(Snippet::source(text).path(file).annotations(snippet))
    }

    /// The rule this finding came from.
    #[must_use]
    pub fn explanation(&self) -> Option<&'static rules::Rule> {
        rules::find(self.rule)
    }
}

/// The part of the span on its first line: a whole statement underlined is unreadable.
fn first_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let end = text[span.clone()]
        .find(['\n', '\r'])
        .map_or(span.end, |at| span.start + at);
    span.start..end
}

fn line_length(text: &str, at: usize) -> usize {
    let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
    end - start
}
