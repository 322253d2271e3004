//! A projection's table that is not its own, or not a projection's at all.

use super::Rule;
use crate::declared::{At, DeclaredService, DeclaredTable, Span};
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::model::Mode;

pub(super) const RULE: Rule = rule!(
    "projection-table",
    "a projection without a table of its own, or a table without a projection"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, projection) in landscape.projections() {
        for name in &projection.tables.items {
            match service.table(&name.value) {
                None if service.readable => found.push(absent(service, name)),
                Some(table) if table.mode.value != Mode::Projection => found.push(otherwise(service, name, table)),
                _ => {}
            }
        }
    }
    let projected = |(_, table): &(&DeclaredService<'_>, &DeclaredTable)| table.mode.value == Mode::Projection;
    for (service, table) in landscape.tables().filter(projected) {
        found.extend(filled(service, table));
        found.extend(crossing(service, table));
        found.extend(referred(service, table));
    }
}

fn absent(service: &DeclaredService<'_>, name: &At<String>) -> Diagnostic {
    let message = format!("`{}` owns no table `{}`", service.name, name.value);
    Diagnostic::error(RULE.name, message)
        .at(service.place(&name.span, "to be filled"))
        .help(format!(
            "own it: `[owns.{}]` with `mode = \"projection\"`, or name others in `tables`",
            name.value
        ))
}

fn otherwise(service: &DeclaredService<'_>, name: &At<String>, table: &DeclaredTable) -> Diagnostic {
    let message = format!("`{}` is filled by a projection, and others may write it", name.value);
    Diagnostic::error(RULE.name, message)
        .at(service.place(&table.name.span, "owned here"))
        .also(service.place(&name.span, "filled here"))
        .help("write `mode = \"projection\"` in its entry")
}

/// One projection fills a table, and one only.
fn filled(service: &DeclaredService<'_>, table: &DeclaredTable) -> Option<Diagnostic> {
    let name = &table.name.value;
    let named = service
        .projections
        .iter()
        .flat_map(|projection| &projection.tables.items);
    let by: Vec<&Span> = named
        .filter(|listed| listed.value == *name)
        .map(|listed| &listed.span)
        .collect();
    match by[..] {
        [_] => None,
        [] if service.projections.iter().any(|projection| !projection.tables.complete) => None,
        [] => Some(
            Diagnostic::error(RULE.name, format!("no projection fills `{name}`"))
                .at(service.place(&table.mode.span, "would stay empty"))
                .help(format!("add `[projections.{name}]` with its `streams`")),
        ),
        [first, second, ..] => Some(
            Diagnostic::error(RULE.name, format!("two projections fill `{name}`"))
                .at(service.place(second, "filled here too"))
                .also(service.place(first, "filled here"))
                .help("give each a table of its own: a rebuild of one would undo the other"),
        ),
    }
}

/// What a projection holds is its fold's alone.
fn crossing(service: &DeclaredService<'_>, table: &DeclaredTable) -> Option<Diagnostic> {
    let published = table.publishes.items.first().map(|column| (&column.span, "published"));
    let referring = table
        .refs
        .first()
        .map(|reference| (&reference.column.span, "checked when it is written"));
    let cached = table
        .cached
        .first()
        .map(|cached| (&cached.column.span, "kept by the library"));
    let within = table.within.as_ref().map(|root| (&root.span, "written with its root"));
    let (span, label) = published.or(referring).or(cached).or(within)?;
    let message = format!("`{}` is a projection: nothing but its fold writes it", table.name.value);
    Some(
        Diagnostic::error(RULE.name, message)
            .at(service.place(span, label))
            .help("publish the stream, or keep the value in a table that is written"),
    )
}

/// A rebuild takes rows away and brings them back.
fn referred(service: &DeclaredService<'_>, table: &DeclaredTable) -> Option<Diagnostic> {
    let name = &table.name.value;
    let key = service.schema.foreign_keys.iter().find(|key| key.to.is_own(name))?;
    let message = format!("a foreign key of `{}` leads to `{name}`, a projection", key.table);
    let mut finding = Diagnostic::error(RULE.name, message)
        .also(service.place(&table.mode.span, "rebuilt row by row"))
        .help("drop the constraint: a projection's rows come and go with its rebuilds");
    finding.place = service.sql_place(&key.at, "would forbid a rebuild, or lose rows by it");
    Some(finding)
}
