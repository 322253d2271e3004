//! Columns and constraints, as `create table` and `alter table` write them.

use std::ops::Range;

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::names::fold;
use super::{ForeignKey, SqlColumn, SqlName, SqlPlace, SqlTable};

/// What a table's elements add to the schema besides columns.
pub(super) type Keys = Vec<ForeignKey>;

/// Adds a column definition (`COLUMN` or `ADD_COLUMN`) to the table.
pub(super) fn add_column(table: &mut SqlTable, keys: &mut Keys, file: usize, node: &SyntaxNode) {
    let Some(name_node) = child(node, SyntaxKind::COLUMN_NAME) else {
        return;
    };
    let name = fold(&text(&name_node));
    if table.column(&name).is_some() {
        return;
    }
    let ty = node
        .children()
        .find(|n| ast::Type::can_cast(n.kind()))
        .map(|n| type_text(&n));
    let mut column = SqlColumn {
        not_null: ty.as_deref().is_some_and(|ty| ty.contains("serial")),
        ty: ty.unwrap_or_default(),
        at: SqlPlace {
            file,
            span: trimmed(&name_node),
        },
        name,
    };
    for constraint in node.children() {
        match constraint.kind() {
            SyntaxKind::NOT_NULL_CONSTRAINT => column.not_null = true,
            SyntaxKind::GENERATED_CONSTRAINT if child(&constraint, SyntaxKind::GENERATED_IDENTITY).is_some() => {
                column.not_null = true;
            }
            SyntaxKind::PRIMARY_KEY_CONSTRAINT => {
                table.key = vec![column.name.clone()];
                table.key_name =
                    Some(constraint_name(&constraint).unwrap_or_else(|| format!("{}_pkey", table.name.name)));
            }
            SyntaxKind::REFERENCES_CONSTRAINT => {
                keys.extend(foreign_key(table, file, &constraint, vec![column.name.clone()]));
            }
            _ => {}
        }
    }
    table.columns.push(column);
}

/// Adds a table constraint.
pub(super) fn add_constraint(table: &mut SqlTable, keys: &mut Keys, file: usize, node: &SyntaxNode) {
    match node.kind() {
        SyntaxKind::PRIMARY_KEY_CONSTRAINT => {
            let columns = node
                .descendants()
                .find(|n| n.kind() == SyntaxKind::CONSTRAINT_COLUMN_REF_LIST)
                .map(|list| column_names(&list))
                .unwrap_or_default();
            if columns.is_empty() {
                // `using index`: the key is the index's, which is not followed.
                table.columns_known = false;
            }
            table.key = columns;
            table.key_name = Some(constraint_name(node).unwrap_or_else(|| format!("{}_pkey", table.name.name)));
        }
        SyntaxKind::FOREIGN_KEY_CONSTRAINT => {
            let columns = child(node, SyntaxKind::FOREIGN_KEY_COLUMN_LIST)
                .map(|list| column_names(&list))
                .unwrap_or_default();
            keys.extend(foreign_key(table, file, node, columns));
        }
        SyntaxKind::NOT_NULL_CONSTRAINT => {
            for name in column_names(node) {
                if let Some(column) = table.columns.iter_mut().find(|c| c.name == name) {
                    column.not_null = true;
                }
            }
        }
        _ => {}
    }
}

fn foreign_key(table: &SqlTable, file: usize, node: &SyntaxNode, columns: Vec<String>) -> Option<ForeignKey> {
    let to = child(node, SyntaxKind::TABLE_NAME_REF)?;
    let name = constraint_name(node).unwrap_or_else(|| format!("{}_{}_fkey", table.name.name, columns.join("_")));
    Some(ForeignKey {
        table: table.name.name.clone(),
        name: Some(name),
        columns,
        to: SqlName::of(&to)?,
        at: SqlPlace {
            file,
            span: trimmed(&to),
        },
    })
}

fn constraint_name(node: &SyntaxNode) -> Option<String> {
    let clause = child(node, SyntaxKind::CONSTRAINT_NAME_CLAUSE)?;
    Some(fold(&text(&child(&clause, SyntaxKind::CONSTRAINT_NAME)?)))
}

/// The columns named in a list, in order.
pub(crate) fn column_names(node: &SyntaxNode) -> Vec<String> {
    node.descendants()
        .filter(|n| n.kind() == SyntaxKind::COLUMN_NAME_REF)
        .map(|n| fold(&text(&n)))
        .collect()
}

/// A type as written: lowercase, comments gone, single spaces.
pub(crate) fn type_text(node: &SyntaxNode) -> String {
    let mut ty = String::new();
    for token in node
        .descendants_with_tokens()
        .filter_map(|element| element.into_token())
    {
        match token.kind() {
            SyntaxKind::COMMENT => {}
            SyntaxKind::WHITESPACE => ty.push(' '),
            _ => ty.push_str(token.text()),
        }
    }
    ty.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The first child of that kind.
pub(crate) fn child(node: &SyntaxNode, kind: SyntaxKind) -> Option<SyntaxNode> {
    node.children().find(|n| n.kind() == kind)
}

/// The text of a node without the blanks and comments around it.
pub(crate) fn text(node: &SyntaxNode) -> String {
    node.descendants_with_tokens()
        .filter_map(|element| element.into_token())
        .filter(|token| !token.kind().is_trivia())
        .map(|token| token.text().to_owned())
        .collect()
}

/// The span of a node without the blanks and comments around it.
pub(crate) fn trimmed(node: &SyntaxNode) -> Range<usize> {
    let mut tokens = node
        .descendants_with_tokens()
        .filter_map(|element| element.into_token())
        .filter(|token| !token.kind().is_trivia());
    let Some(first) = tokens.next() else {
        return span(node.text_range());
    };
    let end = tokens
        .last()
        .map_or_else(|| first.text_range().end(), |last| last.text_range().end());
    usize::from(first.text_range().start())..usize::from(end)
}

/// A parser's range as bytes.
pub(crate) fn span(range: impl Into<Range<u32>>) -> Range<usize> {
    let range = range.into();
    range.start as usize..range.end as usize
}
