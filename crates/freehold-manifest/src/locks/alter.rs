//! `alter table`: the strongest lock and the longest work of its actions.

use squawk_syntax::ast::{self, AlterTableAction, AstNode};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::statement::referenced;
use super::{Known, Lock, TableLock, Work};
use crate::contract::is_rewritten;
use crate::schema::{SqlTable, child, column_names, table_of, text, type_text};

/// Functions whose value is one for the whole statement: a default of theirs is stored once.
const STABLE: &[&str] = &["now", "transaction_timestamp", "statement_timestamp"];

/// The locks of an `alter table`.
pub(super) fn locks(known: &Known, node: &SyntaxNode) -> Vec<TableLock> {
    let (Some(alter), Some(name)) = (ast::AlterTable::cast(node.clone()), table_of(node)) else {
        return Vec::new();
    };
    let table = known.schema.table(&name);
    let each: Vec<(Lock, Work)> = alter.actions().map(|action| of_action(table, &action)).collect();
    let lock = each
        .iter()
        .map(|(lock, _)| *lock)
        .max()
        .unwrap_or(Lock::AccessExclusive);
    let work = each.iter().map(|(_, work)| *work).max().unwrap_or(Work::Catalogue);
    let mut locks = vec![TableLock::new(name, lock, work)];
    let others = referenced(node)
        .into_iter()
        .filter(|other| other.table != locks[0].table);
    let others: Vec<TableLock> = others.collect();
    locks.extend(others);
    for part in node.children().filter(|n| n.kind() == SyntaxKind::ATTACH_PARTITION) {
        locks.extend(table_of(&part).map(|part| TableLock::new(part, Lock::AccessExclusive, Work::Scan)));
    }
    locks
}

fn of_action(table: Option<&SqlTable>, action: &AlterTableAction) -> (Lock, Work) {
    let node = action.syntax();
    match action {
        AlterTableAction::AddColumn(_) => (Lock::AccessExclusive, added(node)),
        AlterTableAction::AddConstraint(_) => constrained(node),
        AlterTableAction::AlterColumn(_) => altered(table, node),
        AlterTableAction::ValidateConstraint(_) => (Lock::ShareUpdateExclusive, Work::Scan),
        AlterTableAction::AttachPartition(_)
        | AlterTableAction::ClusterOn(_)
        | AlterTableAction::SetWithoutCluster(_)
        | AlterTableAction::SetOptions(_)
        | AlterTableAction::ResetOptions(_) => (Lock::ShareUpdateExclusive, Work::Catalogue),
        AlterTableAction::DetachPartition(_) if has(node, SyntaxKind::DETACH_CONCURRENTLY) => {
            (Lock::ShareUpdateExclusive, Work::Catalogue)
        }
        AlterTableAction::EnableTrigger(_)
        | AlterTableAction::DisableTrigger(_)
        | AlterTableAction::EnableAlwaysTrigger(_)
        | AlterTableAction::EnableReplicaTrigger(_) => (Lock::ShareRowExclusive, Work::Catalogue),
        AlterTableAction::SetLogged(_)
        | AlterTableAction::SetUnlogged(_)
        | AlterTableAction::SetAccessMethod(_)
        | AlterTableAction::SetTablespace(_) => (Lock::AccessExclusive, Work::Rewrite),
        _ => (Lock::AccessExclusive, Work::Catalogue),
    }
}

/// A new column: its value for the rows there are is stored once, unless each row needs its own.
fn added(node: &SyntaxNode) -> Work {
    let serial = node
        .children()
        .find(|n| ast::Type::can_cast(n.kind()))
        .is_some_and(|ty| type_text(&ty).contains("serial"));
    let each = |constraint: SyntaxNode| match constraint.kind() {
        SyntaxKind::GENERATED_CONSTRAINT => Work::Rewrite,
        SyntaxKind::DEFAULT_CONSTRAINT if is_volatile(&constraint) => Work::Rewrite,
        SyntaxKind::UNIQUE_CONSTRAINT | SyntaxKind::PRIMARY_KEY_CONSTRAINT => Work::Index,
        SyntaxKind::CHECK_CONSTRAINT | SyntaxKind::NOT_NULL_CONSTRAINT => Work::Scan,
        _ => Work::Catalogue,
    };
    let longest = node.children().map(each).max().unwrap_or(Work::Catalogue);
    // A default that is stored once is not null for any row.
    let constant = node.children().any(|n| n.kind() == SyntaxKind::DEFAULT_CONSTRAINT);
    match longest {
        _ if serial => Work::Rewrite,
        Work::Scan if constant && !has(node, SyntaxKind::CHECK_CONSTRAINT) => Work::Catalogue,
        longest => longest,
    }
}

/// Whether a default may differ from row to row. Only the server knows of a function whether it is volatile; one that is not known not to be is
/// taken to be so.
fn is_volatile(node: &SyntaxNode) -> bool {
    let calls = node.descendants().filter(|n| n.kind() == SyntaxKind::CALL_EXPR);
    let mut names = calls.map(|call| {
        let written = text(&call).to_lowercase();
        let name = written.split('(').next().unwrap_or_default().to_owned();
        name.trim_start_matches("pg_catalog.").to_owned()
    });
    names.any(|name| !STABLE.contains(&name.as_str()))
}

fn constrained(node: &SyntaxNode) -> (Lock, Work) {
    let valid = !has(node, SyntaxKind::NOT_VALID);
    let scan = if valid { Work::Scan } else { Work::Catalogue };
    let index = if has(node, SyntaxKind::USING_INDEX_NAME) || has(node, SyntaxKind::USING_INDEX) {
        Work::Catalogue
    } else {
        Work::Index
    };
    let constraint = node.children().map(|n| n.kind()).find(|kind| {
        matches!(
            kind,
            SyntaxKind::FOREIGN_KEY_CONSTRAINT
                | SyntaxKind::UNIQUE_CONSTRAINT
                | SyntaxKind::PRIMARY_KEY_CONSTRAINT
                | SyntaxKind::EXCLUDE_CONSTRAINT
        )
    });
    match constraint {
        Some(SyntaxKind::FOREIGN_KEY_CONSTRAINT) => (Lock::ShareRowExclusive, scan),
        Some(_) => (Lock::AccessExclusive, index),
        None => (Lock::AccessExclusive, scan),
    }
}

fn altered(table: Option<&SqlTable>, node: &SyntaxNode) -> (Lock, Work) {
    let column = column_names(node).into_iter().next().unwrap_or_default();
    let old = table.and_then(|table| table.column(&column));
    let each = node.children().map(|change| match change.kind() {
        SyntaxKind::SET_TYPE => {
            let new = change.children().find(|n| ast::Type::can_cast(n.kind()));
            let kept = old
                .zip(new)
                .is_some_and(|(old, new)| !is_rewritten(&old.ty, &type_text(&new)));
            let kept = kept && child(&change, SyntaxKind::USING_EXPR).is_none();
            let work = if kept { Work::Catalogue } else { Work::Rewrite };
            (Lock::AccessExclusive, work)
        }
        SyntaxKind::SET_NOT_NULL => (Lock::AccessExclusive, Work::Scan),
        SyntaxKind::SET_STATISTICS | SyntaxKind::SET_OPTIONS_LIST | SyntaxKind::RESET_OPTIONS => {
            (Lock::ShareUpdateExclusive, Work::Catalogue)
        }
        SyntaxKind::COLUMN_NAME_REF => (Lock::AccessShare, Work::Catalogue),
        _ => (Lock::AccessExclusive, Work::Catalogue),
    });
    each.max().unwrap_or((Lock::AccessExclusive, Work::Catalogue))
}

fn has(node: &SyntaxNode, kind: SyntaxKind) -> bool {
    node.descendants().any(|n| n.kind() == kind)
}
