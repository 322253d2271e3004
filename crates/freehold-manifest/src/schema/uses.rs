//! The tables that statements, views and functions name.

use std::ops::Range;

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::columns::{child, span, text, trimmed};
use super::lex::{Kind, Token, tokens};
use super::names::fold;
use super::{Schema, SqlName, SqlPlace, TableUse};

/// Notes every table named in a migration.
pub(super) fn of_migration(schema: &mut Schema, file: usize, root: &SyntaxNode) {
    of_tree(root, |name, node| {
        schema.uses.push(TableUse {
            name,
            at: SqlPlace {
                file,
                span: trimmed(node),
            },
        })
    });
    for node in root.descendants() {
        let sql = match node.kind() {
            SyntaxKind::CREATE_FUNCTION => ast::CreateFunction::cast(node.clone()).and_then(|f| f.sql_body()),
            SyntaxKind::CREATE_PROCEDURE => ast::CreateProcedure::cast(node.clone()).and_then(|p| p.sql_body()),
            SyntaxKind::DO => None,
            _ => continue,
        };
        if let Some(body) = sql {
            of_tree(&body.syntax(), |name, node| {
                let span = span(body.source_range(node.text_range()));
                schema.uses.push(TableUse {
                    name,
                    at: SqlPlace { file, span },
                });
            });
        } else if is_plpgsql(&node) {
            of_plpgsql(schema, file, &node);
        }
    }
}

fn of_tree(root: &SyntaxNode, mut note: impl FnMut(SqlName, &SyntaxNode)) {
    for node in root.descendants() {
        if !matches!(node.kind(), SyntaxKind::RELATION_NAME_REF | SyntaxKind::TABLE_NAME_REF) || is_foreign_key(&node) {
            continue;
        }
        if let Some(name) = SqlName::of(&node).filter(|name| !is_with_query(&node, name)) {
            note(name, &node);
        }
    }
}

/// Foreign keys have a rule of their own.
fn is_foreign_key(node: &SyntaxNode) -> bool {
    node.parent().is_some_and(|parent| {
        matches!(
            parent.kind(),
            SyntaxKind::REFERENCES_CONSTRAINT | SyntaxKind::FOREIGN_KEY_CONSTRAINT
        )
    })
}

/// Whether the name means a `with` query visible there.
fn is_with_query(node: &SyntaxNode, name: &SqlName) -> bool {
    if name.schema.is_some() {
        return false;
    }
    node.ancestors().any(|ancestor| {
        let Some(with) = child(&ancestor, SyntaxKind::WITH_CLAUSE) else {
            return false;
        };
        let recursive = with
            .children_with_tokens()
            .any(|t| t.kind() == SyntaxKind::RECURSIVE_KW);
        let inside = with.text_range().contains_range(node.text_range());
        with.children()
            .filter(|query| query.kind() == SyntaxKind::WITH_TABLE)
            // A plain query sees those before it, not itself.
            .take_while(|query| !inside || recursive || query.text_range().end() <= node.text_range().start())
            .filter_map(|query| child(&query, SyntaxKind::CTE_NAME))
            .any(|query| fold(&text(&query)) == name.name)
    })
}

fn is_plpgsql(node: &SyntaxNode) -> bool {
    let language = node.descendants().find(|n| n.kind() == SyntaxKind::LANGUAGE_REF);
    match language {
        Some(language) => fold(text(&language).trim_matches('\'')).to_lowercase() == "plpgsql",
        None => node.kind() == SyntaxKind::DO,
    }
}

/// A PL/pgSQL body is read word by word: the parser does not know `select … into`.
fn of_plpgsql(schema: &mut Schema, file: usize, node: &SyntaxNode) {
    let literal = match node.kind() {
        SyntaxKind::DO => child(node, SyntaxKind::LITERAL),
        _ => node
            .descendants()
            .find(|n| n.kind() == SyntaxKind::AS_DEFINITION)
            .and_then(|definition| child(&definition, SyntaxKind::LITERAL)),
    };
    let Some(literal) = literal else {
        return;
    };
    let written = text(&literal);
    let Some(token) = tokens(&written).next().filter(|token| token.kind == Kind::Text) else {
        return;
    };
    let start = trimmed(&literal).start + token.inner.start;
    let body = Body::new(&written[token.inner]);
    for (name, inner) in body.tables() {
        let span = start + inner.start..start + inner.end;
        schema.uses.push(TableUse {
            name,
            at: SqlPlace { file, span },
        });
    }
    if node.kind() == SyntaxKind::DO && body.changes_schema() {
        schema.forget();
    }
}

/// Whether the word after `create`, `alter` or `drop` leads to what is followed here.
fn is_defined(word: &str) -> bool {
    // `or`: replace.
    matches!(
        word,
        "table" | "view" | "materialized" | "recursive" | "function" | "routine" | "or"
    )
}

/// The tokens of a PL/pgSQL body.
struct Body<'a> {
    text: &'a str,
    tokens: Vec<Token>,
}

impl<'a> Body<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            tokens: tokens(text).collect(),
        }
    }

    /// The word at `at` in lowercase; empty if there is none.
    fn word(&self, at: usize) -> String {
        match self.tokens.get(at) {
            Some(token) if token.kind == Kind::Word => self.text[token.span.clone()].to_lowercase(),
            _ => String::new(),
        }
    }

    fn is_mark(&self, at: usize, mark: u8) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == Kind::Mark(mark))
    }

    /// Whether what it does to tables, views and functions cannot be told from its words.
    fn changes_schema(&self) -> bool {
        (0..self.tokens.len()).any(|at| {
            let word = self.word(at);
            word == "execute"
                || (matches!(word.as_str(), "create" | "alter" | "drop") && is_defined(&self.word(at + 1)))
        })
    }

    fn tables(&self) -> Vec<(SqlName, Range<usize>)> {
        let with = self.with_queries();
        let mut found = Vec::new();
        for at in 0..self.tokens.len() {
            let before = if at == 0 { String::new() } else { self.word(at - 1) };
            match self.word(at).as_str() {
                "from" | "join" | "using" | "update" if before != "distinct" => self.list(at + 1, &mut found),
                "into" if matches!(before.as_str(), "insert" | "merge") => {
                    found.extend(self.name(at + 1).map(|(name, span, _)| (name, span)));
                }
                "truncate" => self.list(at + 1, &mut found),
                _ => {}
            }
        }
        found.retain(|(name, _)| name.schema.is_some() || !with.contains(&name.name));
        found
    }

    /// Names in a row: `only a, b as c, d`. What is followed by a parenthesis is a function.
    fn list(&self, mut at: usize, found: &mut Vec<(SqlName, Range<usize>)>) {
        loop {
            while matches!(self.word(at).as_str(), "only" | "lateral" | "table") {
                at += 1;
            }
            let Some((name, span, next)) = self.name(at) else {
                return;
            };
            at = next;
            if !self.is_mark(at, b'(') {
                found.push((name, span));
            }
            if self.word(at) == "as" {
                at += 1;
            }
            if !self.is_mark(at, b',') {
                at += 1;
            }
            if !self.is_mark(at, b',') {
                return;
            }
            at += 1;
        }
    }

    /// A dotted name, its place, and the token after it.
    fn name(&self, at: usize) -> Option<(SqlName, Range<usize>, usize)> {
        let word = |at: usize| self.tokens.get(at).filter(|token| token.kind == Kind::Word);
        let first = word(at)?;
        let mut parts = vec![&self.text[first.span.clone()]];
        let (mut end, mut next) = (first.span.end, at + 1);
        while self.is_mark(next, b'.')
            && let Some(part) = word(next + 1)
        {
            parts.push(&self.text[part.span.clone()]);
            end = part.span.end;
            next += 2;
        }
        Some((SqlName::from_parts(&parts)?, first.span.start..end, next))
    }

    /// Every name that could be a `with` query: `with a`, `b as (`, `c as materialized (`.
    fn with_queries(&self) -> Vec<String> {
        (0..self.tokens.len())
            .filter(|at| self.tokens[*at].kind == Kind::Word)
            .filter(|at| {
                let before = at.checked_sub(1).map(|at| self.word(at)).unwrap_or_default();
                let opens =
                    |at: usize| self.is_mark(at, b'(') || matches!(self.word(at).as_str(), "materialized" | "not");
                matches!(before.as_str(), "with" | "recursive") || (self.word(at + 1) == "as" && opens(at + 2))
            })
            .map(|at| fold(&self.text[self.tokens[at].span.clone()]))
            .collect()
    }
}
