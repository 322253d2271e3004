//! A reference that cannot be checked or followed.

use super::Rule;
use crate::diagnostic::Diagnostic;
use crate::landscape::{Found, Landscape};
use crate::model::{OnDelete, RefCheck};

pub(super) const RULE: Rule = rule!(
    "ref-without-copy",
    "a reference whose check or `on_delete` needs a copy that is not kept"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, table) in landscape.tables() {
        for reference in &table.refs {
            let Some(to) = &reference.to else { continue };
            let known = matches!(landscape.find(&to.value), Found::Table(owner, _) if owner.name != service.name);
            if !known || service.copy_of(&to.value).is_some() || !service.copies_readable() {
                continue;
            }
            let column = &reference.column.value;
            let (why, way_out) = match (reference.check.value, reference.on_delete.value) {
                (RefCheck::None, OnDelete::Keep) => continue,
                (RefCheck::Copy, OnDelete::Keep) => (
                    "new ids are looked up in it",
                    "or take ids as they are: `check = \"none\"`",
                ),
                (RefCheck::Copy, _) => (
                    "new ids are looked up in it, and deletions arrive with it",
                    "or neither check nor follow: `check = \"none\", on_delete = \"keep\"`",
                ),
                (RefCheck::None, _) => (
                    "deletions arrive with it",
                    "or let the id be history: `on_delete = \"keep\"`",
                ),
            };
            let message = format!("the reference `{column}` needs a copy of `{}`: {why}", to.value);
            found.push(
                Diagnostic::error(RULE.name, message)
                    .at(service.place(&to.span, "no copy of it here"))
                    .help(format!(
                        "add `[copies.{}]` with `of = \"{}\"` and its key as `columns`, {way_out}",
                        to.value.table, to.value
                    )),
            );
        }
    }
}
