//! Which locks a migration's statements take, on which tables, and what they do while they hold them.
//!
//! As PostgreSQL's manual has it (Explicit Locking; ALTER TABLE). What a function or a trigger does when it runs is not seen.

mod alter;
mod statement;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use squawk_syntax::SourceFile as Sql;

use crate::schema::{Schema, follow, on_a_deep_stack, refusal, trimmed};
use crate::source::SourceFile;

/// A lock on a table, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lock {
    /// Of those who read.
    AccessShare,
    /// Of `select … for update` and of what refers to a row.
    RowShare,
    /// Of those who write.
    RowExclusive,
    /// Stops other changes of the table's shape.
    ShareUpdateExclusive,
    /// Stops writes.
    Share,
    /// Stops writes, and others of its kind.
    ShareRowExclusive,
    /// Stops all but reads.
    Exclusive,
    /// Stops everybody.
    AccessExclusive,
}

impl Lock {
    /// As PostgreSQL calls it: `ACCESS EXCLUSIVE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Lock::AccessShare => "ACCESS SHARE",
            Lock::RowShare => "ROW SHARE",
            Lock::RowExclusive => "ROW EXCLUSIVE",
            Lock::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Lock::Share => "SHARE",
            Lock::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Lock::Exclusive => "EXCLUSIVE",
            Lock::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// Who has to wait for it.
    #[must_use]
    pub fn stops(self) -> &'static str {
        match self {
            Lock::AccessShare | Lock::RowShare | Lock::RowExclusive => "nobody",
            Lock::ShareUpdateExclusive => "changes of shape",
            Lock::Share | Lock::ShareRowExclusive | Lock::Exclusive => "writers",
            Lock::AccessExclusive => "everybody",
        }
    }
}

/// What is done while a lock is held, quickest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// The catalogue changes; it takes no longer for a large table.
    Catalogue,
    /// Rows are read or written, as many as the statement is about.
    Rows,
    /// All rows are read.
    Scan,
    /// An index is built.
    Index,
    /// All rows are written anew.
    Rewrite,
}

impl Work {
    /// One word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Work::Catalogue => "catalogue only",
            Work::Rows => "rows",
            Work::Scan => "reads all rows",
            Work::Index => "builds an index",
            Work::Rewrite => "rewrites the table",
        }
    }
}

/// A lock that a statement takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableLock {
    /// The table, by its name at that time.
    pub table: String,
    /// How it is locked; none if the same file created it, so that nobody else can meet it.
    pub lock: Option<Lock>,
    /// What is done meanwhile.
    pub work: Work,
}

impl TableLock {
    fn new(table: impl Into<String>, lock: Lock, work: Work) -> Self {
        Self {
            table: table.into(),
            lock: Some(lock),
            work,
        }
    }
}

/// A statement of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The line it begins in, from 1.
    pub line: usize,
    /// Its first line.
    pub text: String,
    /// The locks it takes on tables; none if it takes none that anybody could meet.
    pub locks: Vec<TableLock>,
}

/// The statements of each migration of a service, in order.
///
/// All its migrations are needed: what an index belongs to, and which type a column had, stands in earlier ones. None in the place of a
/// migration that cannot be read.
#[must_use]
pub fn of_migrations(files: &[SourceFile]) -> Vec<Option<Vec<Statement>>> {
    let read = || {
        let mut known = Known::default();
        let each = files.iter().enumerate().map(|(index, file)| {
            if refusal(&file.text).is_some() {
                return None;
            }
            catch_unwind(AssertUnwindSafe(|| known.read(index, file)))
                .ok()
                .flatten()
        });
        each.collect()
    };
    on_a_deep_stack(read).unwrap_or_else(|| files.iter().map(|_| None).collect())
}

/// What earlier statements made.
#[derive(Default)]
struct Known {
    schema: Schema,
    /// The table of each index that a statement named.
    indexes: BTreeMap<String, String>,
    /// Tables that the file at hand created.
    new: BTreeSet<String>,
}

impl Known {
    fn read(&mut self, index: usize, file: &SourceFile) -> Option<Vec<Statement>> {
        let parse = Sql::parse(&file.text);
        self.new.clear();
        let mut statements = Vec::new();
        for node in parse.syntax_node().children() {
            let at = trimmed(&node);
            let mut locks = statement::locks(self, &node);
            for lock in locks.iter_mut().filter(|lock| self.new.contains(&lock.table)) {
                lock.lock = None;
            }
            follow::statement(&mut self.schema, index, &node);
            let text = file.text.get(at.clone()).unwrap_or_default();
            let text = text.lines().next().unwrap_or_default().trim_end().to_owned();
            if text.is_empty() {
                continue;
            }
            statements.push(Statement {
                line: file.position(at.start).0,
                text,
                locks,
            });
        }
        parse.errors().is_empty().then_some(statements)
    }
}
