//! A column that is in no migration.

use super::Rule;
use crate::declared::{At, DeclaredService, DeclaredTable, DeclaredView};
use crate::diagnostic::Diagnostic;
use crate::landscape::{Found, Landscape};
use crate::nearest::suggestion;

pub(super) const RULE: Rule = rule!("unknown-column", "a column that its table or view does not have");

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, table) in landscape.tables() {
        let refs = table.refs.iter().map(|reference| &reference.column);
        let cached = table.cached.iter().map(|cached| &cached.column);
        let listed = table.publishes.items.iter().chain(&table.hidden.items);
        for column in refs.chain(cached).chain(listed) {
            found.extend(unknown(service, service, table, column));
        }
    }
    for (service, copy) in landscape.copies() {
        let Some(of) = &copy.of else { continue };
        let Found::Table(owner, table) = landscape.find(&of.value) else {
            continue;
        };
        for column in &copy.columns.items {
            found.extend(unknown(service, owner, table, column));
        }
    }
    for (service, view) in landscape.views() {
        let links = view.links.iter().map(|link| &link.column);
        for column in view.key.items.iter().chain(links).chain(&view.hidden.items) {
            found.extend(unknown_of_view(service, view, column));
        }
        for to in view.links.iter().filter_map(|link| link.to.as_ref()) {
            let column = At {
                value: to.value.column.clone(),
                span: to.span.clone(),
            };
            if let Some(table) = service.table(&to.value.table) {
                found.extend(unknown(service, service, table, &column));
            }
        }
    }
}

fn unknown_of_view(service: &DeclaredService<'_>, view: &DeclaredView, column: &At<String>) -> Option<Diagnostic> {
    let sql = service.schema.view(&view.name.value)?;
    let known = sql.columns.as_ref()?;
    if known.contains(&column.value) {
        return None;
    }
    let message = format!("`{}` has no column `{}`", view.name.value, column.value);
    let known = known.iter().map(String::as_str);
    let mut finding = Diagnostic::error(RULE.name, message)
        .at(service.place(&column.span, "no such column"))
        .maybe_help(suggestion(&column.value, known, "its columns are"));
    finding.also.extend(service.sql_place(&sql.at, "the view"));
    Some(finding)
}

fn unknown(
    service: &DeclaredService<'_>,
    owner: &DeclaredService<'_>,
    table: &DeclaredTable,
    column: &At<String>,
) -> Option<Diagnostic> {
    if owner.has_column(table, &column.value)? {
        return None;
    }
    let of = if service.name == owner.name {
        table.name.value.clone()
    } else {
        format!("{}.{}", owner.name, table.name.value)
    };
    let known = owner.column_names(&table.name.value);
    let mut finding = Diagnostic::error(RULE.name, format!("`{of}` has no column `{}`", column.value))
        .at(service.place(&column.span, "no such column"))
        .maybe_help(suggestion(&column.value, known, "its columns are"));
    if let Some(sql) = owner.schema.table(&table.name.value) {
        finding.also.extend(owner.sql_place(&sql.at, "the table"));
    }
    Some(finding)
}
