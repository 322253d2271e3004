//! A hidden column that has to be seen.

use super::Rule;
use crate::declared::{At, DeclaredService, DeclaredTable, DeclaredView};
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;

pub(super) const RULE: Rule = rule!(
    "hidden-published",
    "a hidden column that is published, or that says which row is meant"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, table) in landscape.tables() {
        for column in &table.hidden.items {
            found.extend(
                published(service, table, column)
                    .or_else(|| of_key(service, table, column))
                    .or_else(|| of_link(service, table, column)),
            );
        }
    }
    for (service, view) in landscape.views() {
        for column in &view.hidden.items {
            found.extend(of_view(service, view, column));
        }
    }
}

fn of_view(service: &DeclaredService<'_>, view: &DeclaredView, column: &At<String>) -> Option<Diagnostic> {
    let key = view.key.items.iter().find(|item| item.value == column.value)?;
    let message = format!(
        "`{}` is hidden, but it is part of the key of `{}`",
        column.value, view.name.value
    );
    Some(
        Diagnostic::error(RULE.name, message)
            .at(service.place(&column.span, "for nobody"))
            .also(service.place(&key.span, "names the row in links to the next page"))
            .help("take it out of `key`, or out of `hidden`"),
    )
}

fn published(service: &DeclaredService<'_>, table: &DeclaredTable, column: &At<String>) -> Option<Diagnostic> {
    let listed = table.publishes.items.iter().find(|item| item.value == column.value)?;
    let message = format!("`{}` of `{}` is hidden and published", column.value, table.name.value);
    Some(
        Diagnostic::error(RULE.name, message)
            .at(service.place(&column.span, "for nobody"))
            .also(service.place(&listed.span, "for every service"))
            .help("take it out of `publishes`, or out of `hidden`"),
    )
}

fn of_key(service: &DeclaredService<'_>, table: &DeclaredTable, column: &At<String>) -> Option<Diagnostic> {
    if !service.key(table)?.contains(&column.value) {
        return None;
    }
    let message = format!(
        "`{}` is hidden, but it is part of the primary key of `{}`",
        column.value, table.name.value
    );
    let mut finding = Diagnostic::error(RULE.name, message)
        .at(service.place(&column.span, "names the row in every request"))
        .help("take it out of `hidden`: without its key no row could be asked for");
    if let Some(sql) = service.schema.table(&table.name.value) {
        finding.also.extend(service.sql_place(&sql.at, "the table"));
    }
    Some(finding)
}

fn of_link(service: &DeclaredService<'_>, table: &DeclaredTable, column: &At<String>) -> Option<Diagnostic> {
    let root = &table.within.as_ref()?.value;
    let link = service
        .schema
        .foreign_keys
        .iter()
        .find(|key| key.table == table.name.value && key.to.is_own(root) && key.columns.contains(&column.value))?;
    let message = format!(
        "`{}` is hidden, but it says to which row of `{root}` one of `{}` belongs",
        column.value, table.name.value
    );
    let mut finding = Diagnostic::error(RULE.name, message)
        .at(service.place(&column.span, "the link to the root"))
        .help("take it out of `hidden`: the rows are asked for and written by it");
    finding.also.extend(service.sql_place(&link.at, "the root"));
    Some(finding)
}
