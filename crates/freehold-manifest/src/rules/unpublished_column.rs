//! A copy of what its owner keeps private.

use super::Rule;
use crate::diagnostic::Diagnostic;
use crate::landscape::{Found, Landscape};

pub(super) const RULE: Rule = rule!(
    "unpublished-column",
    "a copy of a column that its owner does not publish"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, copy) in landscape.copies() {
        let Some(of) = &copy.of else { continue };
        let Found::Table(owner, table) = landscape.find(&of.value) else {
            continue;
        };
        if !table.publishes.complete || owner.name == service.name {
            continue;
        }
        if table.publishes.items.is_empty() {
            let columns: Vec<String> = copy
                .columns
                .items
                .iter()
                .map(|column| format!("\"{}\"", column.value))
                .collect();
            found.push(
                Diagnostic::error(
                    RULE.name,
                    format!("`{}` publishes nothing, so nobody can keep a copy", of.value),
                )
                .at(service.place(&of.span, "private as a whole"))
                .also(owner.place(&table.name.span, "has no `publishes`"))
                .help(format!(
                    "add `publishes = [{}]` to `[owns.{}]` of `{}`",
                    columns.join(", "),
                    of.value.table,
                    owner.name
                )),
            );
            continue;
        }
        for column in &copy.columns.items {
            // A column that does not exist is another rule's.
            if table.publishes.has(&column.value) || owner.has_column(table, &column.value) == Some(false) {
                continue;
            }
            found.push(
                Diagnostic::error(RULE.name, format!("`{}` does not publish `{}`", of.value, column.value))
                    .at(service.place(&column.span, "private to its owner"))
                    .also(owner.place(&table.name.span, "the owner's declaration"))
                    .help(format!(
                        "let `{}` add \"{}\" to `publishes`, or leave it out here",
                        owner.name, column.value
                    )),
            );
        }
    }
}
