//! A promised column that is gone, has another name, or is no longer published.

use super::Rule;
use super::promises::{Broken, names, place};
use crate::contract::{Consumer, of_column};
use crate::declared::{DeclaredService, DeclaredTable, PromisedColumn};
use crate::diagnostic::{Diagnostic, Place};
use crate::landscape::Landscape;
use crate::model::TableName;
use crate::schema::ChangeSort;

pub(super) const RULE: Rule = rule!(
    "published-column-gone",
    "a column that others copy, cache or hear of is dropped, renamed or no longer published"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for service in &landscape.services {
        let Some(contract) = &service.contract else { continue };
        for promised in &contract.tables {
            // A table that is gone as a whole is another rule's.
            let Some(table) = service.table(&promised.name.value) else {
                continue;
            };
            if service.schema.table(&promised.name.value).is_none() || table.publishes.items.is_empty() {
                continue;
            }
            for column in &promised.columns {
                found.extend(gone(landscape, service, table, column));
            }
        }
    }
}

fn gone(
    landscape: &Landscape<'_>,
    service: &DeclaredService<'_>,
    table: &DeclaredTable,
    column: &PromisedColumn,
) -> Option<Diagnostic> {
    let of = TableName {
        service: service.name.clone(),
        table: table.name.value.clone(),
    };
    let name = &column.name.value;
    let consumers = of_column(landscape, &of, name);
    let (what, place, steps) = if service.has_column(table, name) == Some(false) {
        lost(service, &of, name, &consumers)
    } else if table.publishes.complete && !table.publishes.has(name) {
        let steps = format!(
            "put it back into `publishes` until no version of {} that runs uses it: take it out of `columns` and `cached` there first",
            names(&consumers)
        );
        let place = service.place(&table.name.span, format!("`publishes` lacks `{name}`"));
        ("is no longer published".to_owned(), Some(place), steps)
    } else {
        return None;
    };
    let place = place.or_else(|| Some(service.contract.as_ref()?.place(&column.name.span, "promised here")));
    let broken = Broken {
        rule: RULE.name,
        what: format!("`{of}.{name}` {what}"),
        place,
        consumers,
        steps,
    };
    let mut finding = broken.finding();
    let still = table.publishes.items.iter().find(|item| &item.value == name);
    finding
        .also
        .extend(still.map(|item| service.place(&item.span, "still published here")));
    Some(finding)
}

/// A column that its table no longer has: what became of it, where, and the way out.
fn lost(
    service: &DeclaredService<'_>,
    of: &TableName,
    column: &str,
    consumers: &[Consumer],
) -> (String, Option<Place>, String) {
    let change = service.schema.last_change(&of.table, |what| match what {
        ChangeSort::ColumnDropped(old) | ChangeSort::ColumnRenamed(old, _) => old == column,
        _ => false,
    });
    let users = names(consumers);
    let (what, steps) = match change.map(|change| &change.what) {
        Some(ChangeSort::ColumnRenamed(_, new)) => (
            format!("is renamed to `{new}`"),
            format!(
                "expand: add `{new}` beside it, keep both equal, publish both; move {users} to `{new}`; \
                 contract: take `{column}` out of `publishes`, then drop it"
            ),
        ),
        changed => (
            changed
                .map_or("is in no migration any more", |_| "is dropped")
                .to_owned(),
            format!(
                "let {users} let go of it first: out of `columns` and `cached`, and release that; \
                 then take it out of `publishes`, and drop it in a later migration"
            ),
        ),
    };
    (what, place(service, change), steps)
}
