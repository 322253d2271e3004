//! A cached column that cannot be filled.

use super::Rule;
use crate::declared::{At, CachedFrom, DeclaredCached, DeclaredService, DeclaredTable};
use crate::diagnostic::Diagnostic;
use crate::landscape::{Found, Landscape};
use crate::nearest::nearest;

pub(super) const RULE: Rule = rule!(
    "cached-without-ref",
    "a cached column without the reference or the copy it is read from"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, table) in landscape.tables() {
        for cached in &table.cached {
            if let Some(from) = &cached.from {
                found.extend(unfilled(landscape, service, table, cached, from));
            }
        }
    }
}

fn unfilled(
    landscape: &Landscape<'_>,
    service: &DeclaredService<'_>,
    table: &DeclaredTable,
    cached: &DeclaredCached,
    from: &At<CachedFrom>,
) -> Option<Diagnostic> {
    let CachedFrom {
        reference: column,
        source,
    } = &from.value;
    let what = format!("the cached column `{}`", cached.column.value);
    let Some(reference) = table.refs.iter().find(|reference| &reference.column.value == column) else {
        let declared = table.refs.iter().map(|reference| reference.column.value.as_str());
        let help = nearest(column, declared).map_or_else(
            || {
                format!(
                    "add `refs.{column} = {{ to = \"<service>.<table>\" }}` to `[owns.{}]`",
                    table.name.value
                )
            },
            |near| format!("did you mean `{near}`?"),
        );
        return Some(
            Diagnostic::error(
                RULE.name,
                format!("{what} follows `{column}`, which is not a declared reference"),
            )
            .at(service.place(&from.span, format!("no `refs.{column}` in this table")))
            .help(help),
        );
    };
    let to = reference.to.as_ref()?;
    if !matches!(landscape.find(&to.value), Found::Table(owner, _) if owner.name != service.name) {
        // Where the reference leads is wrong, which another rule says.
        return None;
    }
    let Some(copy) = service.copy_of(&to.value) else {
        if !service.copies_readable() {
            return None;
        }
        let message = format!("{what} needs a copy of `{}`, and there is none", to.value);
        return Some(
            Diagnostic::error(RULE.name, message)
                .at(service.place(&from.span, "read from the copy"))
                .also(service.place(&to.span, "the table it is a copy of"))
                .help(format!(
                    "add `[copies.{}]` with `of = \"{}\"` and \"{source}\" among its `columns`",
                    to.value.table, to.value
                )),
        );
    };
    if copy.columns.has(source) || !copy.columns.complete {
        return None;
    }
    let known = copy.columns.items.iter().map(|column| column.value.as_str());
    let help = nearest(source, known).map_or_else(
        || format!("add \"{source}\" to `columns` of `[copies.{}]`", copy.name.value),
        |near| format!("did you mean `{near}`?"),
    );
    let message = format!(
        "{what} needs `{source}`, which the copy `{}` does not keep",
        copy.name.value
    );
    Some(
        Diagnostic::error(RULE.name, message)
            .at(service.place(&from.span, format!("no `{source}` in the copy")))
            .also(service.place(&copy.name.span, "the copy"))
            .help(help),
    )
}
