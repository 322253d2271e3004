//! Names in SQL: unquoted ones fold to lowercase, quoted ones stay.

use squawk_syntax::{SyntaxKind, SyntaxNode};

/// The name of a table, view or function, qualified or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SqlName {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

impl SqlName {
    /// Whether it is `name` in the service's own schema.
    pub(crate) fn is_own(&self, name: &str) -> bool {
        self.name == name && self.in_own_schema()
    }

    /// Whether it is in the service's own schema: unqualified, or in `public`.
    pub(crate) fn in_own_schema(&self) -> bool {
        self.schema.as_deref().is_none_or(|schema| schema == "public")
    }

    /// Whether both mean the same thing.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && (self.schema == other.schema || (self.in_own_schema() && other.in_own_schema()))
    }

    /// From the parts of a dotted name, as written.
    pub(super) fn from_parts(parts: &[&str]) -> Option<Self> {
        let (last, before) = parts.split_last()?;
        Some(Self {
            schema: before.last().map(|schema| fold(schema)),
            name: fold(last),
        })
    }

    /// From a node that holds a dotted name and nothing else.
    pub(crate) fn of(node: &SyntaxNode) -> Option<Self> {
        let tokens: Vec<String> = node
            .descendants_with_tokens()
            .filter_map(|element| element.into_token())
            .filter(|token| !token.kind().is_trivia() && token.kind() != SyntaxKind::DOT)
            .map(|token| token.text().to_owned())
            .collect();
        let parts: Vec<&str> = tokens.iter().map(String::as_str).collect();
        Self::from_parts(&parts)
    }
}

impl std::fmt::Display for SqlName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The table or view that a statement is about: the first it names, in its own schema.
pub(crate) fn table_of(statement: &SyntaxNode) -> Option<String> {
    let mut names = statement.descendants().filter(|node| {
        matches!(
            node.kind(),
            SyntaxKind::TABLE_NAME
                | SyntaxKind::TABLE_NAME_REF
                | SyntaxKind::RELATION_NAME_REF
                | SyntaxKind::VIEW
                | SyntaxKind::VIEW_REF
        )
    });
    names
        .find_map(|node| SqlName::of(&node))
        .filter(SqlName::in_own_schema)
        .map(|name| name.name)
}

/// An identifier as PostgreSQL stores it.
pub(crate) fn fold(written: &str) -> String {
    match written.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"').unwrap_or(quoted).replace("\"\"", "\""),
        None => written.to_lowercase(),
    }
}
