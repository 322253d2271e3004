//! Migrations in; a schema out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use squawk_syntax::{Parse, SourceFile as Sql};

use super::{Schema, columns, follow, limits, uses};
use crate::diagnostic::Diagnostic;
use crate::rules::migration_syntax;
use crate::source::SourceFile;
use crate::{contract, lint};

/// Stack of the thread that parses, in bytes: enough for the deepest input [`limits`] lets through, even in a debug build, four times over.
const STACK_BYTES: usize = 64 << 20;
/// Syntax findings reported per migration: the first is the cause, the rest mostly its consequences.
const SYNTAX_FINDINGS_MAX: usize = 3;

/// The migrations of one service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migrations<'a> {
    /// In order.
    pub(crate) files: &'a [SourceFile],
    /// Up to this number they were accepted: what is unsafe in them is done.
    pub(crate) accepted: u64,
}

/// Reads the migrations of each service.
///
/// The parser recurses, so it runs on a thread with a stack of known size. A migration it cannot read leaves its service's schema incomplete and a
/// finding; it never takes the others down.
pub(crate) fn read_all(services: &[Migrations<'_>]) -> (Vec<Schema>, Vec<Diagnostic>) {
    let unread = || services.iter().map(|_| Schema::unknown()).collect();
    let read = || services.iter().map(read).unzip::<_, _, Vec<_>, Vec<_>>();
    match on_a_deep_stack(read) {
        Some((schemas, found)) => (schemas, found.concat()),
        None => (unread(), vec![migration_syntax::no_thread()]),
    }
}

/// Runs what parses on a thread with a stack of known size; none if there is no thread, or it gave up.
pub(crate) fn on_a_deep_stack<T: Send>(parsing: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        thread.spawn_scoped(scope, parsing).ok()?.join().ok()
    })
}

fn read(migrations: &Migrations<'_>) -> (Schema, Vec<Diagnostic>) {
    let mut schema = Schema {
        complete: true,
        ..Schema::default()
    };
    let mut found = Vec::new();
    for (index, migration) in migrations.files.iter().enumerate() {
        if let Some(reason) = limits::refusal(&migration.text) {
            found.push(migration_syntax::refused(migration, &reason));
            schema.forget();
            continue;
        }
        let reading = catch_unwind(AssertUnwindSafe(|| {
            let parse = Sql::parse(&migration.text);
            found.extend(read_one(&mut schema, index, migration, &parse));
            parse
        }));
        let Ok(parse) = reading else {
            found.push(migration_syntax::refused(migration, "the parser gave up"));
            schema.forget();
            continue;
        };
        if contract::number(migration) > migrations.accepted {
            let linting = AssertUnwindSafe(|| lint::of_migration(migration, &parse));
            // A linter that gives up says nothing; the schema does not depend on it.
            found.extend(catch_unwind(linting).unwrap_or_default());
        }
    }
    (schema, found)
}

fn read_one(schema: &mut Schema, index: usize, migration: &SourceFile, parse: &Parse<Sql>) -> Vec<Diagnostic> {
    let root = parse.syntax_node();
    let errors = parse.errors();
    for statement in root.children() {
        follow::statement(schema, index, &statement);
    }
    uses::of_migration(schema, index, &root);
    if !errors.is_empty() {
        schema.forget();
    }
    let mut found: Vec<Diagnostic> = Vec::new();
    let mut read_to = None;
    for error in errors {
        let span = columns::span(error.range());
        // One per line: the parser starts over at every word it does not know.
        let same_line = read_to.is_some_and(|from: usize| {
            migration
                .text
                .get(from..span.start.max(from))
                .is_none_or(|between| !between.contains('\n'))
        });
        if same_line {
            continue;
        }
        read_to = Some(span.start);
        found.push(migration_syntax::unreadable(migration, &span, error.message()));
        if found.len() == SYNTAX_FINDINGS_MAX {
            break;
        }
    }
    found
}

impl Schema {
    /// Marks everything as possibly different: something could not be read.
    pub(super) fn forget(&mut self) {
        self.complete = false;
        for table in &mut self.tables {
            table.columns_known = false;
        }
        for view in &mut self.views {
            view.columns = None;
        }
    }
}
