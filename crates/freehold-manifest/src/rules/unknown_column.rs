//! A column that is in no migration.

use super::Rule;
use crate::declared::{At, DeclaredService, DeclaredTable};
use crate::diagnostic::Diagnostic;
use crate::landscape::{Found, Landscape};
use crate::nearest::suggestion;

pub(super) const RULE: Rule = rule!("unknown-column", "a column that its table does not have");

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
