//! Rows that cannot be told apart, here or in a copy.

use super::Rule;
use crate::declared::{DeclaredService, DeclaredTable, Listed};
use crate::diagnostic::Diagnostic;
use crate::landscape::{Found, Landscape};
use crate::model::Mode;
use crate::nearest::list;

pub(super) const RULE: Rule = rule!(
    "missing-key",
    "a table without a primary key, or a contract or copy without its columns"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, table) in landscape.tables() {
        let Some(key) = service.key(table) else {
            continue;
        };
        if key.is_empty() {
            found.extend(without_key(service, table));
        } else if !table.publishes.items.is_empty() {
            let lacking = lacking(key, &table.publishes);
            if let (false, Some(first)) = (lacking.is_empty(), table.publishes.items.first()) {
                let message = format!("`{}` publishes rows without their key", table.name.value);
                found.push(
                    Diagnostic::error(RULE.name, message)
                        .at(service.place(
                            &first.span,
                            format!("expected {} here too", list(lacking.iter().copied())),
                        ))
                        .help(format!(
                            "add {} to `publishes`: without it nobody can tell which row changed",
                            list(lacking)
                        )),
                );
            }
        }
    }
    for (service, copy) in landscape.copies() {
        let Some(of) = &copy.of else { continue };
        let Found::Table(owner, table) = landscape.find(&of.value) else {
            continue;
        };
        let lacking = lacking(owner.key(table).unwrap_or_default(), &copy.columns);
        if lacking.is_empty() {
            continue;
        }
        let span = copy.columns.items.first().map_or(&copy.name.span, |first| &first.span);
        found.push(
            Diagnostic::error(
                RULE.name,
                format!("the copy `{}` lacks the key of `{}`", copy.name.value, of.value),
            )
            .at(service.place(span, format!("expected {} here too", list(lacking.iter().copied()))))
            .help(format!("add {} to `columns`: a copy is kept row by row", list(lacking))),
        );
    }
}

fn without_key(service: &DeclaredService<'_>, table: &DeclaredTable) -> Option<Diagnostic> {
    let name = &table.name.value;
    let why = match table.mode.value {
        _ if !table.publishes.items.is_empty() => "its changes are published, and nobody could tell which row changed",
        Mode::ReadWrite => "its rows are written one by one, and none could be named",
        Mode::Projection => "a rebuild brings its rows back by it",
        Mode::AppendOnly => "the log holds a digest of each of its rows, and none could be named",
    };
    let sql = service.schema.table(name)?;
    let mut finding = Diagnostic::error(RULE.name, format!("`{name}` has no primary key"))
        .also(service.place(&table.name.span, "owned here"))
        .help(format!(
            "add one, as `id bigint generated always as identity primary key`: {why}"
        ));
    finding.place = service.sql_place(&sql.at, "created here without a primary key");
    Some(finding)
}

fn lacking<'k>(key: &'k [String], listed: &Listed) -> Vec<&'k str> {
    if !listed.complete {
        return Vec::new();
    }
    key.iter()
        .map(String::as_str)
        .filter(|column| !listed.has(column))
        .collect()
}
