//! What each statement takes away or makes another: where a promise that no longer holds was broken.

use squawk_syntax::ast::{self, AlterTableAction, AstNode};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::columns::{child, column_names, text, trimmed, type_text};
use super::names::fold;
use super::{Schema, SqlName, SqlPlace};

/// One change of a table that exists, as a statement made it.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// The table, by the name it had before.
    pub(crate) table: String,
    pub(crate) what: ChangeSort,
    pub(crate) at: SqlPlace,
}

/// What a statement did to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChangeSort {
    /// `drop table`.
    TableDropped,
    /// `rename to`, with the new name.
    TableRenamed(String),
    /// `set schema`.
    TableMoved,
    /// `drop column`.
    ColumnDropped(String),
    /// `rename column`, old and new.
    ColumnRenamed(String, String),
    /// `alter column … type`, with the new type as written.
    ColumnRetyped(String, String),
    /// `alter column … drop not null`.
    NullAllowed(String),
    /// A constraint was dropped or a primary key added: either may change the key.
    KeyTouched,
}

impl Schema {
    /// The last change of that table for which `is` holds.
    pub(crate) fn last_change(&self, table: &str, is: impl Fn(&ChangeSort) -> bool) -> Option<&Change> {
        self.changes
            .iter()
            .rev()
            .find(|change| change.table == table && is(&change.what))
    }
}

/// Notes what a statement changes.
pub(super) fn of_statement(schema: &mut Schema, file: usize, node: &SyntaxNode) {
    match node.kind() {
        SyntaxKind::DROP_TABLE => {
            for name in node.children().filter(|n| n.kind() == SyntaxKind::TABLE_NAME_REF) {
                note(schema, file, &name, &name, ChangeSort::TableDropped);
            }
        }
        SyntaxKind::ALTER_TABLE => {
            let Some(alter) = ast::AlterTable::cast(node.clone()) else {
                return;
            };
            let name = alter
                .table_relation_name()
                .and_then(|relation| child(relation.syntax(), SyntaxKind::TABLE_NAME_REF));
            let Some(name) = name else {
                return;
            };
            for action in alter.actions() {
                for what in of_action(&action) {
                    note(schema, file, &name, action.syntax(), what);
                }
            }
        }
        _ => {}
    }
}

fn note(schema: &mut Schema, file: usize, name: &SyntaxNode, at: &SyntaxNode, what: ChangeSort) {
    let Some(name) = SqlName::of(name).filter(SqlName::in_own_schema) else {
        return;
    };
    schema.changes.push(Change {
        table: name.name,
        what,
        at: SqlPlace {
            file,
            span: trimmed(at),
        },
    });
}

fn of_action(action: &AlterTableAction) -> Vec<ChangeSort> {
    let node = action.syntax();
    match action {
        AlterTableAction::DropColumn(_) => column_names(node).into_iter().map(ChangeSort::ColumnDropped).collect(),
        AlterTableAction::RenameColumn(_) => {
            let old = column_names(node).into_iter().next();
            let new = child(node, SyntaxKind::COLUMN_NAME).map(|new| fold(&text(&new)));
            old.zip(new)
                .map(|(old, new)| ChangeSort::ColumnRenamed(old, new))
                .into_iter()
                .collect()
        }
        AlterTableAction::TableRenameTo(_) => {
            let new = child(node, SyntaxKind::TABLE_NAME).as_ref().and_then(SqlName::of);
            new.map(|new| ChangeSort::TableRenamed(new.name)).into_iter().collect()
        }
        AlterTableAction::SetSchema(_) => vec![ChangeSort::TableMoved],
        AlterTableAction::AlterColumn(_) => of_column(node),
        AlterTableAction::DropConstraint(_) => vec![ChangeSort::KeyTouched],
        AlterTableAction::AddConstraint(_)
            if node
                .descendants()
                .any(|n| n.kind() == SyntaxKind::PRIMARY_KEY_CONSTRAINT) =>
        {
            vec![ChangeSort::KeyTouched]
        }
        _ => Vec::new(),
    }
}

fn of_column(node: &SyntaxNode) -> Vec<ChangeSort> {
    let Some(column) = column_names(node).into_iter().next() else {
        return Vec::new();
    };
    let changed = |change: SyntaxNode| match change.kind() {
        SyntaxKind::DROP_NOT_NULL => Some(ChangeSort::NullAllowed(column.clone())),
        SyntaxKind::SET_TYPE => {
            let ty = change.children().find(|n| ast::Type::can_cast(n.kind()))?;
            Some(ChangeSort::ColumnRetyped(column.clone(), type_text(&ty)))
        }
        _ => None,
    };
    node.children().filter_map(changed).collect()
}
