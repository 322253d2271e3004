//! Statement by statement, but for `alter table`.

use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::{Known, Lock, TableLock, Work, alter};
use crate::schema::{SqlName, child, fold, table_of, text};

/// The locks that a statement takes on tables.
pub(super) fn locks(known: &mut Known, node: &SyntaxNode) -> Vec<TableLock> {
    let concurrently = node
        .children_with_tokens()
        .any(|element| element.kind() == SyntaxKind::CONCURRENTLY_KW);
    let about = || table_of(node);
    let one = |lock, work| {
        about()
            .map(|table| TableLock::new(table, lock, work))
            .into_iter()
            .collect()
    };
    match node.kind() {
        SyntaxKind::CREATE_TABLE | SyntaxKind::CREATE_TABLE_AS => {
            known.new.extend(about());
            let mut locks: Vec<TableLock> = one(Lock::AccessExclusive, Work::Catalogue);
            locks.extend(referenced(node));
            locks
        }
        SyntaxKind::ALTER_TABLE => alter::locks(known, node),
        SyntaxKind::DROP_TABLE => tables(node, SyntaxKind::TABLE_NAME_REF, Lock::AccessExclusive, Work::Catalogue),
        SyntaxKind::TRUNCATE => tables(node, SyntaxKind::TABLE_NAME_REF, Lock::AccessExclusive, Work::Catalogue),
        SyntaxKind::CREATE_INDEX => {
            if let (Some(index), Some(table)) = (child(node, SyntaxKind::INDEX), about()) {
                known.indexes.insert(name(&index), table);
            }
            let lock = if concurrently {
                Lock::ShareUpdateExclusive
            } else {
                Lock::Share
            };
            one(lock, Work::Index)
        }
        SyntaxKind::DROP_INDEX => {
            let lock = if concurrently {
                Lock::ShareUpdateExclusive
            } else {
                Lock::AccessExclusive
            };
            let dropped = node.children().filter(|n| n.kind() == SyntaxKind::INDEX_REF);
            let tables = dropped.filter_map(|index| known.indexes.get(&name(&index)).cloned());
            tables
                .map(|table| TableLock::new(table, lock, Work::Catalogue))
                .collect()
        }
        SyntaxKind::CREATE_TRIGGER => one(Lock::ShareRowExclusive, Work::Catalogue),
        SyntaxKind::DROP_TRIGGER
        | SyntaxKind::ALTER_TRIGGER
        | SyntaxKind::CREATE_POLICY
        | SyntaxKind::ALTER_POLICY
        | SyntaxKind::DROP_POLICY
        | SyntaxKind::CREATE_RULE
        | SyntaxKind::DROP_RULE => one(Lock::AccessExclusive, Work::Catalogue),
        SyntaxKind::COMMENT_ON => commented(node),
        SyntaxKind::INSERT | SyntaxKind::UPDATE | SyntaxKind::DELETE | SyntaxKind::MERGE | SyntaxKind::COPY => {
            one(Lock::RowExclusive, Work::Rows)
        }
        SyntaxKind::CLUSTER => one(Lock::AccessExclusive, Work::Rewrite),
        SyntaxKind::CREATE_STATISTICS => one(Lock::ShareUpdateExclusive, Work::Catalogue),
        SyntaxKind::ANALYZE => one(Lock::ShareUpdateExclusive, Work::Rows),
        SyntaxKind::LOCK => one(asked(node), Work::Catalogue),
        _ => Vec::new(),
    }
}

/// The tables that foreign keys lead to, once each: their writers wait while the triggers are made.
pub(super) fn referenced(node: &SyntaxNode) -> Vec<TableLock> {
    let keys = node.descendants().filter(|n| {
        matches!(
            n.kind(),
            SyntaxKind::REFERENCES_CONSTRAINT | SyntaxKind::FOREIGN_KEY_CONSTRAINT
        )
    });
    let mut tables: Vec<String> = keys
        .filter_map(|key| SqlName::of(&child(&key, SyntaxKind::TABLE_NAME_REF)?))
        .map(|name| name.name)
        .collect();
    tables.sort();
    tables.dedup();
    let lock = |table| TableLock::new(table, Lock::ShareRowExclusive, Work::Catalogue);
    tables.into_iter().map(lock).collect()
}

fn tables(node: &SyntaxNode, kind: SyntaxKind, lock: Lock, work: Work) -> Vec<TableLock> {
    let names = node.descendants().filter(|n| n.kind() == kind);
    let names = names.filter_map(|n| SqlName::of(&n));
    names.map(|name| TableLock::new(name.name, lock, work)).collect()
}

/// `comment on table` and `comment on column`.
fn commented(node: &SyntaxNode) -> Vec<TableLock> {
    let parts: Vec<String> = node
        .children()
        .filter(|n| matches!(n.kind(), SyntaxKind::OBJECT_TABLE | SyntaxKind::OBJECT_COLUMN))
        .flat_map(|object| {
            let words = text(&object).to_lowercase();
            let column = words.starts_with("column");
            let named = words
                .trim_start_matches("table")
                .trim_start_matches("column")
                .to_owned();
            let mut parts: Vec<String> = named.split('.').map(fold).collect();
            if column {
                parts.pop();
            }
            parts.pop()
        })
        .collect();
    let lock = |table| TableLock::new(table, Lock::ShareUpdateExclusive, Work::Catalogue);
    parts.into_iter().map(lock).collect()
}

/// The mode that `lock table` names; the strongest if it names none.
fn asked(node: &SyntaxNode) -> Lock {
    let Some(mode) = child(node, SyntaxKind::LOCK_MODE_CLAUSE) else {
        return Lock::AccessExclusive;
    };
    let asked = text(&mode).to_lowercase();
    let modes = [
        Lock::AccessShare,
        Lock::RowShare,
        Lock::RowExclusive,
        Lock::ShareUpdateExclusive,
        Lock::Share,
        Lock::ShareRowExclusive,
        Lock::Exclusive,
    ];
    let named = |lock: &Lock| asked == format!("in{}mode", lock.name().to_lowercase().replace(' ', ""));
    modes.into_iter().find(named).unwrap_or(Lock::AccessExclusive)
}

/// The last part of an index's name.
fn name(node: &SyntaxNode) -> String {
    let written = text(node);
    fold(written.rsplit('.').next().unwrap_or_default())
}
