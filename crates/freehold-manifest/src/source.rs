//! The texts a system is read from, as the caller found them.

use std::collections::BTreeMap;

/// One text and the path people know it by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as shown to people: `order/freehold.toml`.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// What was found in one service's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceSource {
    /// Its `freehold.toml`.
    pub manifest: SourceFile,
    /// Its SQL migrations, sorted by file name.
    pub migrations: Vec<SourceFile>,
    /// Its `contract.toml`: what it promised others when that was last accepted; none if it states nothing.
    pub contract: Option<SourceFile>,
}

/// All texts of a system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The `system.toml`.
    pub system: SourceFile,
    /// The services by the name of their folder; only those found.
    pub services: BTreeMap<String, ServiceSource>,
}

impl Sources {
    /// The file shown to people under that path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&SourceFile> {
        let of_services = self.services.values().flat_map(ServiceSource::files);
        std::iter::once(&self.system)
            .chain(of_services)
            .find(|file| file.path == path)
    }
}

impl ServiceSource {
    /// Its files, manifest first.
    pub(crate) fn files(&self) -> impl Iterator<Item = &SourceFile> {
        std::iter::once(&self.manifest)
            .chain(&self.contract)
            .chain(&self.migrations)
    }
}

impl SourceFile {
    /// The nearest character boundary at or before `offset`.
    fn boundary(&self, offset: usize) -> usize {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// A span that lies inside the text, on character boundaries.
    pub(crate) fn clamp(&self, span: &std::ops::Range<usize>) -> std::ops::Range<usize> {
        let start = self.boundary(span.start);
        start..self.boundary(span.end).max(start)
    }

    /// Line and column of an offset, both from 1; the column counts characters.
    pub(crate) fn position(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.boundary(offset)];
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        (line, before[start..].chars().count() + 1)
    }
}
