//! A promised table that is gone, has another name, or is no longer published.

use super::Rule;
use super::promises::{Broken, names, place};
use crate::contract::of_table;
use crate::declared::{DeclaredService, PromisedTable};
use crate::diagnostic::{Diagnostic, Place};
use crate::landscape::Landscape;
use crate::model::TableName;
use crate::schema::ChangeSort;

pub(super) const RULE: Rule = rule!(
    "published-table-gone",
    "a table that others copy, refer to or hear of is dropped, renamed or no longer published"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for service in landscape.services.iter().filter(|service| service.readable) {
        let Some(contract) = &service.contract else { continue };
        for table in &contract.tables {
            found.extend(gone(landscape, service, table));
        }
    }
}

fn gone(landscape: &Landscape<'_>, service: &DeclaredService<'_>, table: &PromisedTable) -> Option<Diagnostic> {
    let name = &table.name.value;
    let of = TableName {
        service: service.name.clone(),
        table: name.clone(),
    };
    let (what, at) = loss(service, name)?;
    let consumers = of_table(landscape, &of);
    let steps = format!(
        "keep the table, published, until no version of {} that runs uses it; a new shape is a new table beside it, filled by both",
        names(&consumers)
    );
    let at = at.or_else(|| Some(service.contract.as_ref()?.place(&table.name.span, "promised here")));
    let broken = Broken {
        rule: RULE.name,
        what: format!("`{of}` {what}"),
        place: at,
        consumers,
        steps,
    };
    let mut finding = broken.finding();
    // What else is said of the declaration of a table that is not there follows from this.
    if let Some(declared) = service.table(name) {
        let still = service.place(&declared.name.span, "declared here");
        let told = finding
            .place
            .as_ref()
            .is_some_and(|place| (&place.file, &place.span) == (&still.file, &still.span));
        if !told {
            finding.also.push(still);
        }
    }
    Some(finding)
}

/// What became of the table, and where.
fn loss(service: &DeclaredService<'_>, name: &str) -> Option<(String, Option<Place>)> {
    if service.schema.table(name).is_none() && service.schema.complete {
        let change = service.schema.last_change(name, |what| {
            matches!(
                what,
                ChangeSort::TableDropped | ChangeSort::TableRenamed(_) | ChangeSort::TableMoved
            )
        });
        let what = match change.map(|change| &change.what) {
            Some(ChangeSort::TableDropped) => "is dropped".to_owned(),
            Some(ChangeSort::TableRenamed(new)) => format!("is renamed to `{new}`"),
            Some(_) => "moves to another schema".to_owned(),
            None => "is no longer created by any migration".to_owned(),
        };
        return Some((what, place(service, change)));
    }
    let what = "is no longer published".to_owned();
    match service.table(name) {
        Some(table) if !table.publishes.complete || !table.publishes.items.is_empty() => None,
        Some(table) => Some((what, Some(service.place(&table.name.span, "has no `publishes`")))),
        None => Some((what, None)),
    }
}
