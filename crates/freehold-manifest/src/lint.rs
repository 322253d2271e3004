//! Statements that make others wait, or break the version that still runs: found by squawk, told in our words.
//!
//! The runner gives what squawk would ask each file for: a transaction around it, and a limit to each wait for a lock.

use std::collections::BTreeSet;
use std::ops::Range;

use squawk_linter::{Linter, LinterSettings, Rule, Violation};
use squawk_syntax::{Parse, SourceFile as Sql, SyntaxKind, SyntaxNode};

use crate::diagnostic::{Diagnostic, Place};
use crate::rules::unsafe_migration;
use crate::schema::{SqlName, span, table_of, trimmed};
use crate::source::SourceFile;

/// The oldest PostgreSQL that Freehold works with: what it can do, all can.
const OLDEST: &str = "15";
/// What makes a file run without a transaction, as its first line.
const NO_TRANSACTION: &str = "-- freehold: no-transaction";
/// What begins a comment that allows the statement below it something.
const ALLOW: &str = "-- freehold: allow";

/// What is told of one of squawk's rules.
struct Case {
    rule: Rule,
    sentence: &'static str,
    remedy: &'static str,
}

const fn case(rule: Rule, sentence: &'static str, remedy: &'static str) -> Case {
    Case { rule, sentence, remedy }
}

/// The rules that are asked. What squawk says of style, and of what the runner does itself, is left out.
const CASES: &[Case] = &[
    case(
        Rule::RequireConcurrentIndexCreation,
        "nobody can write to the table while this index is built",
        "build it by `create index concurrently` in a file that begins with `-- freehold: no-transaction`",
    ),
    case(
        Rule::RequireConcurrentIndexDeletion,
        "nobody can read or write the table while this waits to drop its index",
        "drop it by `drop index concurrently` in a file that begins with `-- freehold: no-transaction`",
    ),
    case(
        Rule::BanConcurrentIndexCreationInTransaction,
        "`concurrently` does not run in the transaction of a file",
        "move it into a file that begins with `-- freehold: no-transaction`",
    ),
    case(
        Rule::ConstraintMissingNotValid,
        "nobody can write to the table while all its rows are checked",
        "add the constraint `not valid`, and `validate constraint` in a later migration",
    ),
    case(
        Rule::AddingForeignKeyConstraint,
        "nobody can write to either table while all rows are checked",
        "add the foreign key `not valid`, and `validate constraint` in a later migration",
    ),
    case(
        Rule::AddingNotNullableField,
        "nobody can read or write the table while all its rows are looked at for nulls",
        "add `check (… is not null) not valid`, validate it in a later migration, then set not null and drop the check",
    ),
    case(
        Rule::AddingRequiredField,
        "this fails if the table has rows, and the version that still runs does not fill the column",
        "add it with a constant default, or nullable, and require it once everybody fills it",
    ),
    case(
        Rule::AddingFieldWithDefault,
        "nobody can read or write the table while it is rewritten with a value for each row",
        "add the column without the default, set the default, then fill old rows in portions",
    ),
    case(
        Rule::AddingSerialPrimaryKeyField,
        "nobody can read or write the table while the index of its primary key is built",
        "build a unique index concurrently, then `add constraint … primary key using index`",
    ),
    case(
        Rule::DisallowedUniqueConstraint,
        "nobody can read or write the table while the index of the constraint is built",
        "build a unique index concurrently, then `add constraint … unique using index`",
    ),
    case(
        Rule::ChangingColumnType,
        "nobody can read or write the table while it is rewritten with another type",
        "add a column of the new type beside it, keep both filled, move the readers, then drop the old one",
    ),
    case(
        Rule::RenamingColumn,
        "the version of the service that still runs knows the old name only",
        "add a column of the new name beside it, keep both filled, then drop the old one",
    ),
    case(
        Rule::RenamingTable,
        "the version of the service that still runs knows the old name only",
        "rename it and create a view of the old name in the same file, until that version is gone",
    ),
    case(
        Rule::BanDropColumn,
        "the version of the service that still runs may name this column",
        "release a version that does not name it first",
    ),
    case(
        Rule::BanDropTable,
        "the version of the service that still runs may name this table",
        "release a version that does not name it first",
    ),
    case(
        Rule::BanDropNotNull,
        "the version of the service that still runs may not expect null",
        "release a version that does first",
    ),
    case(
        Rule::BanTruncateCascade,
        "this empties every table that refers to it too",
        "name each table that is to be emptied",
    ),
];

/// What is unsafe in a migration; nothing about tables that it creates itself, which nobody uses yet.
pub(crate) fn of_migration(file: &SourceFile, parse: &Parse<Sql>) -> Vec<Diagnostic> {
    let statements: Vec<SyntaxNode> = parse.syntax_node().children().collect();
    let new = created(&statements);
    let asked = CASES.iter().map(|case| case.rule);
    let mut linter = Linter::from(asked.filter(|rule| *rule != Rule::BanConcurrentIndexCreationInTransaction));
    linter.settings = LinterSettings {
        pg_version: OLDEST.parse().unwrap_or_default(),
        assume_in_transaction: !file.text.starts_with(NO_TRANSACTION),
    };
    let mut found = idle(file);
    let mut violations = without_echoes(linter.lint(parse, &file.text));
    if linter.settings.assume_in_transaction {
        violations.extend(statements.iter().filter_map(concurrently));
    }
    for violation in violations {
        let at = span(violation.text_range);
        let statement = statements
            .iter()
            .find(|statement| span(statement.text_range()).contains(&at.start));
        let about = statement.and_then(table_of);
        if about.is_some_and(|table| new.contains(&table)) {
            continue;
        }
        let Some(case) = CASES.iter().find(|case| case.rule == violation.code) else {
            continue;
        };
        let name = case.rule.to_string();
        let start = statement.map_or(at.start, |statement| trimmed(statement).start);
        if allowed(&file.text, start).any(|(allowed, reason)| allowed == name && !reason.is_empty()) {
            continue;
        }
        let place = Place::new(file, &first_line(&file.text, &at), "");
        found.push(unsafe_migration::found(place, &name, case.sentence, case.remedy));
    }
    found
}

/// The tables and views that the statements create, by every name they get.
fn created(statements: &[SyntaxNode]) -> BTreeSet<String> {
    let mut new = BTreeSet::new();
    for node in statements {
        match node.kind() {
            SyntaxKind::CREATE_TABLE
            | SyntaxKind::CREATE_TABLE_AS
            | SyntaxKind::CREATE_VIEW
            | SyntaxKind::CREATE_MATERIALIZED_VIEW => new.extend(table_of(node)),
            SyntaxKind::ALTER_TABLE if table_of(node).is_some_and(|table| new.contains(&table)) => {
                let names = node.descendants().filter(|n| n.kind() == SyntaxKind::TABLE_NAME);
                new.extend(names.filter_map(|name| SqlName::of(&name)).map(|name| name.name));
            }
            _ => {}
        }
    }
    new
}

/// What cannot run in the transaction of a file. Squawk lets a file of one statement pass; the runner gives that a transaction too.
fn concurrently(statement: &SyntaxNode) -> Option<Violation> {
    let indexes = [SyntaxKind::CREATE_INDEX, SyntaxKind::DROP_INDEX];
    let mut tokens = statement.children_with_tokens();
    let found = indexes.contains(&statement.kind()) && tokens.any(|t| t.kind() == SyntaxKind::CONCURRENTLY_KW);
    found.then(|| Violation::for_node(Rule::BanConcurrentIndexCreationInTransaction, String::new(), statement))
}

/// Leaves out what squawk says twice: that a constraint is not `not valid`, where a rule about its kind speaks.
fn without_echoes(violations: Vec<Violation>) -> Vec<Violation> {
    let echo = |general: &Violation| {
        general.code == Rule::ConstraintMissingNotValid
            && violations
                .iter()
                .any(|special| special.code != general.code && general.text_range.contains_range(special.text_range))
    };
    let kept: Vec<bool> = violations.iter().map(|violation| !echo(violation)).collect();
    let each = violations.into_iter().zip(kept);
    each.filter(|(_, kept)| *kept).map(|(violation, _)| violation).collect()
}

/// The part of the span on its first line.
fn first_line(text: &str, at: &Range<usize>) -> Range<usize> {
    let part = text.get(at.clone()).unwrap_or_default();
    at.start..at.start + part.find('\n').unwrap_or(part.len())
}

/// What the comment lines directly above a statement allow it: the case and the reason.
fn allowed(text: &str, statement: usize) -> impl Iterator<Item = (&str, &str)> {
    let above = text.get(..statement).unwrap_or_default();
    // The statement's own line, as far as it goes, has nothing but blanks before it.
    let lines = above.trim_end().lines().rev().map(str::trim);
    let comments = lines.take_while(|line| line.starts_with("--"));
    comments.filter_map(allowance)
}

/// The case and the reason of a comment that allows something.
fn allowance(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix(ALLOW)?;
    let (case, reason) = rest.split_once(':').unwrap_or((rest, ""));
    Some((case.trim(), reason.trim()))
}

/// Allowances that allow nothing: no such case, or no reason.
fn idle(file: &SourceFile) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in file.text.split_inclusive('\n') {
        if let Some((case, reason)) = allowance(line.trim()) {
            let known = CASES.iter().any(|known| known.rule.to_string() == case);
            let message = match (known, reason) {
                (false, _) => Some(format!("`{case}` is nothing that can be allowed")),
                (true, "") => Some(format!("`{case}` is allowed here without a reason")),
                (true, _) => None,
            };
            let from = start + line.len() - line.trim_start().len();
            let place = Place::new(file, &(from..start + line.trim_end().len()), "allows nothing");
            found.extend(message.map(|message| unsafe_migration::idle(place, &message)));
        }
        start += line.len();
    }
    found
}
