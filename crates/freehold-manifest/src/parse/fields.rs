//! A TOML table while it is read: its keys, their places, and what messages call them.

use toml_edit::{Item, TableLike};

use crate::declared::{At, Span};

/// A table being read.
#[derive(Clone)]
pub(super) struct Fields<'t> {
    table: &'t dyn TableLike,
    /// Where the table itself stands: its header or its braces.
    pub(super) span: Span,
    /// What it is called in messages: `[owns.orders]`.
    pub(super) name: String,
}

impl<'t> Fields<'t> {
    /// The table at the root of a document.
    pub(super) fn root(table: &'t dyn TableLike, file: &str) -> Self {
        Self {
            table,
            span: 0..0,
            name: file.to_owned(),
        }
    }

    /// The value under that key, if there is one.
    pub(super) fn get(&self, key: &str) -> Option<&'t Item> {
        self.table.get(key).filter(|item| !item.is_none())
    }

    /// All keys with their places, in the order of the file.
    pub(super) fn keys(&self) -> Vec<At<String>> {
        let mut keys: Vec<At<String>> = self
            .items()
            .map(|(key, _)| At {
                value: key.to_owned(),
                span: self.key_span(key),
            })
            .collect();
        keys.sort_by_key(|key| key.span.start);
        keys
    }

    /// Where the key stands; where the table stands if that is not known.
    pub(super) fn key_span(&self, key: &str) -> Span {
        self.table
            .key(key)
            .and_then(toml_edit::Key::span)
            .unwrap_or_else(|| self.span.clone())
    }

    fn is_root(&self) -> bool {
        !self.name.starts_with('[')
    }

    /// The table under that key.
    pub(super) fn child(&self, key: &str, table: &'t dyn TableLike) -> Self {
        let bare = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let written = if bare { key.to_owned() } else { format!("\"{key}\"") };
        let name = if self.is_root() {
            format!("[{written}]")
        } else {
            format!("{}.{written}]", self.name.trim_end_matches(']'))
        };
        Fields {
            table,
            span: self.key_span(key),
            name,
        }
    }

    /// All keys with their values.
    pub(super) fn items(&self) -> impl Iterator<Item = (&'t str, &'t Item)> {
        self.table.iter().filter(|(_, item)| !item.is_none())
    }

    /// How messages call a key of this table.
    pub(super) fn path(&self, key: &str) -> String {
        if self.is_root() {
            return format!("`{key}`");
        }
        format!("`{key}` of {}", self.name)
    }
}
