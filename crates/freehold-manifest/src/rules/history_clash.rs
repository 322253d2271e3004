//! `history = true` where its companion or its function cannot be made.

use super::Rule;
use crate::declared::{DeclaredService, DeclaredTable};
use crate::diagnostic::{Diagnostic, Place};
use crate::history;
use crate::landscape::Landscape;
use crate::model::{History, Mode};

pub(super) const RULE: Rule = rule!(
    "history-clash",
    "a table with history whose companion or restoring function has no place"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, table) in landscape.tables() {
        if table.history == History::Kept {
            found.extend(of_table(service, table));
        }
    }
}

fn of_table(service: &DeclaredService<'_>, table: &DeclaredTable) -> Vec<Diagnostic> {
    let name = &table.name.value;
    let report = |message: String, label: String| {
        Diagnostic::error(RULE.name, message).at(service.place(&table.name.span, label))
    };
    if table.mode.value == Mode::AppendOnly {
        let message = format!("`{name}` is append-only and needs no history");
        let help = "leave `history` out: every row of it stays as it was written";
        return vec![report(message, "rows of it never change".to_owned()).help(help)];
    }
    if name.len() > history::NAME_MAX {
        let message = format!("`{name}` is too long a name for a table with history");
        let label = format!("more than {} bytes", history::NAME_MAX);
        let help = format!("rename it: `{}` would be cut", history::companion(name));
        return vec![report(message, label).help(help)];
    }
    let mut found = Vec::new();
    let (companion, restore) = (history::companion(name), history::restore(name));
    for (taken, (label, place)) in [
        (&companion, relation(service, &companion)),
        (&restore, function(service, &restore)),
    ]
    .into_iter()
    .filter_map(|(taken, by)| Some((taken, by?)))
    {
        let mut finding = report(
            format!("the name `{taken}` is needed for the history of `{name}`"),
            "its history is kept".to_owned(),
        )
        .help(format!("give the {label} another name"));
        finding.also.extend(place);
        found.push(finding);
    }
    for column in service.key(table).unwrap_or_default() {
        let has = |names: &[&str]| names.contains(&column.as_str());
        let other = if has(&history::COLUMNS) {
            format!("column of `{companion}`")
        } else if has(&history::ARGUMENTS) {
            format!("argument of `{restore}`")
        } else {
            continue;
        };
        let message = format!("`{column}` is in the key of `{name}`, and a {other} beside the key");
        let help = "rename the column by a migration".to_owned();
        found.push(report(message, "its history is kept".to_owned()).help(help));
    }
    found
}

/// What has this name where only one table or view can have it.
fn relation(service: &DeclaredService<'_>, name: &str) -> Option<(&'static str, Option<Place>)> {
    if let Some(table) = service.table(name) {
        return Some(("table", Some(service.place(&table.name.span, "an owned table"))));
    }
    if let Some(copy) = service.copies.iter().find(|copy| copy.name.value == name) {
        return Some(("copy", Some(service.place(&copy.name.span, "a copy"))));
    }
    if let Some(view) = service.schema.view(name) {
        return Some(("view", service.sql_place(&view.at, "created here")));
    }
    let table = service.schema.table(name)?;
    Some(("table", service.sql_place(&table.at, "created here")))
}

fn function(service: &DeclaredService<'_>, name: &str) -> Option<(&'static str, Option<Place>)> {
    if let Some(function) = service.functions.iter().find(|function| function.name.value == name) {
        let place = service.place(&function.name.span, "a function to be served");
        return Some(("function", Some(place)));
    }
    let function = service.schema.functions_of(name).next()?;
    Some(("function", service.sql_place(&function.at, "created here")))
}
