//! Typed access to a manifest: every value of the type it should have, everything else reported.

use std::ops::RangeInclusive;

use toml_edit::{Document, Item, Value};

use super::fields::Fields;
use crate::declared::{At, Listed, Span};
use crate::diagnostic::{Diagnostic, Place};
use crate::rules::{invalid_value, manifest_syntax, missing_value, unknown_key, wrong_type};
use crate::source::SourceFile;

/// A file being read, and what was found wrong with it so far.
pub(super) struct Reader<'a> {
    pub(super) file: &'a SourceFile,
    pub(super) found: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a SourceFile) -> Self {
        Self {
            file,
            found: Vec::new(),
        }
    }

    /// The whole file as TOML; none, and a finding, if it is not TOML.
    pub(super) fn document(&mut self) -> Option<Document<&'a str>> {
        match Document::parse(self.file.text.as_str()) {
            Ok(document) => Some(document),
            Err(error) => {
                self.found.push(manifest_syntax::not_toml(self.file, &error));
                None
            }
        }
    }

    pub(super) fn place(&self, span: &Span, label: impl Into<String>) -> Place {
        Place::new(self.file, span, label)
    }

    /// Reports every key that is not among `known`.
    pub(super) fn only(&mut self, fields: &Fields<'_>, known: &[&str]) {
        for (key, _) in fields.items() {
            if !known.contains(&key) {
                let place = self.place(&fields.key_span(key), "not known here");
                self.found.push(unknown_key::unknown(key, &fields.name, known, place));
            }
        }
    }

    /// Reports that a key must be there.
    pub(super) fn missing(&mut self, fields: &Fields<'_>, key: &str, example: &str) {
        let place = self.place(&fields.span, "");
        self.found
            .push(missing_value::absent(key, &fields.name, example, place));
    }

    /// Reports a value that cannot be.
    pub(super) fn invalid(&mut self, span: &Span, message: String, label: &str, help: Option<String>) {
        let place = self.place(span, label);
        self.found.push(invalid_value::invalid(message, place, help));
    }

    fn wrong_type(&mut self, fields: &Fields<'_>, key: &str, expected: &str, found: &Item) {
        let span = found.span().unwrap_or_else(|| fields.key_span(key));
        let place = self.place(&span, format!("found {}", type_name(found)));
        self.found.push(wrong_type::wrong(&fields.path(key), expected, place));
    }

    /// A string; none if it is absent or not a string.
    pub(super) fn string(&mut self, fields: &Fields<'_>, key: &str) -> Option<At<String>> {
        let item = fields.get(key)?;
        let Some(value) = item.as_str() else {
            self.wrong_type(fields, key, "a string", item);
            return None;
        };
        Some(At {
            value: value.to_owned(),
            span: item.span().unwrap_or_else(|| fields.key_span(key)),
        })
    }

    /// A string that must be there.
    pub(super) fn required(&mut self, fields: &Fields<'_>, key: &str, example: &str) -> Option<At<String>> {
        if fields.get(key).is_none() {
            self.missing(fields, key, example);
        }
        self.string(fields, key)
    }

    /// A TCP port.
    pub(super) fn port(&mut self, fields: &Fields<'_>, key: &str) -> Option<At<u16>> {
        let item = fields.get(key)?;
        let Some(number) = item.as_integer() else {
            self.wrong_type(fields, key, "a port number", item);
            return None;
        };
        let span = item.span().unwrap_or_else(|| fields.key_span(key));
        match u16::try_from(number) {
            Ok(value) if value > 0 => Some(At { value, span }),
            _ => {
                let message = format!("{} is not a TCP port", fields.path(key));
                self.invalid(&span, message, "must be between 1 and 65535", None);
                None
            }
        }
    }

    /// A whole number within `range`; none if it is absent or another value.
    pub(super) fn whole(&mut self, fields: &Fields<'_>, key: &str, range: RangeInclusive<u64>) -> Option<At<u64>> {
        let item = fields.get(key)?;
        let Some(number) = item.as_integer() else {
            self.wrong_type(fields, key, "a whole number", item);
            return None;
        };
        let span = item.span().unwrap_or_else(|| fields.key_span(key));
        match u64::try_from(number).ok().filter(|number| range.contains(number)) {
            Some(value) => Some(At { value, span }),
            None => {
                let message = format!("{} cannot be {number}", fields.path(key));
                let label = format!("must be between {} and {}", range.start(), range.end());
                self.invalid(&span, message, &label, None);
                None
            }
        }
    }

    /// A boolean; `default` if it is absent.
    pub(super) fn boolean(&mut self, fields: &Fields<'_>, key: &str, default: bool) -> bool {
        let Some(item) = fields.get(key) else {
            return default;
        };
        item.as_bool().unwrap_or_else(|| {
            self.wrong_type(fields, key, "true or false", item);
            default
        })
    }

    /// One of a few words; `default` if it is absent.
    pub(super) fn word<T: Copy>(&mut self, fields: &Fields<'_>, key: &str, words: &[(&str, T)], default: T) -> At<T> {
        let Some(found) = self.string(fields, key) else {
            return At {
                value: default,
                span: fields.key_span(key),
            };
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == found.value) {
            return At {
                value: *value,
                span: found.span,
            };
        }
        let known = words.iter().map(|(word, _)| *word);
        let message = format!("{} cannot be `{}`", fields.path(key), found.value);
        let label = format!("expected one of {}", crate::nearest::list(known.clone()));
        let help = crate::nearest::nearest(&found.value, known).map(|near| format!("did you mean `{near}`?"));
        self.invalid(&found.span, message, &label, help);
        At {
            value: default,
            span: found.span,
        }
    }

    /// An array of strings, each once; empty if it is absent.
    pub(super) fn strings(&mut self, fields: &Fields<'_>, key: &str) -> Listed {
        let mut listed = Listed::empty();
        let Some(item) = fields.get(key) else {
            return listed;
        };
        let Some(array) = item.as_array() else {
            self.wrong_type(fields, key, "an array of strings", item);
            listed.complete = false;
            return listed;
        };
        for element in array {
            let span = element.span().unwrap_or_else(|| fields.key_span(key));
            let Value::String(text) = element else {
                let place = self.place(&span, format!("found {}", article(element.type_name())));
                let what = format!("every element of {}", fields.path(key));
                self.found.push(wrong_type::wrong(&what, "a string", place));
                listed.complete = false;
                continue;
            };
            listed.items.push(At {
                value: text.value().clone(),
                span,
            });
        }
        listed
    }

    /// Reports strings that are listed twice and keeps the first of each.
    pub(super) fn distinct(&mut self, listed: &mut Listed, what: &str) {
        let mut seen = std::collections::HashSet::new();
        let (kept, repeated) = std::mem::take(&mut listed.items)
            .into_iter()
            .partition::<Vec<_>, _>(|item| seen.insert(item.value.clone()));
        listed.items = kept;
        for item in repeated {
            let message = format!("`{}` is listed twice in {what}", item.value);
            self.invalid(&item.span, message, "listed before", None);
        }
    }

    /// A table under that key, however it is written; none if it is absent or not a table.
    pub(super) fn table<'t>(&mut self, fields: &Fields<'t>, key: &str) -> Option<Fields<'t>> {
        let item = fields.get(key)?;
        let Some(table) = item.as_table_like() else {
            self.wrong_type(fields, key, "a table", item);
            return None;
        };
        Some(fields.child(key, table))
    }
}

fn type_name(item: &Item) -> String {
    article(item.type_name())
}

fn article(name: &str) -> String {
    let article = if name.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {name}")
}
