//! A part of an aggregate without its root.

use super::Rule;
use crate::declared::{At, DeclaredService, DeclaredTable};
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::nearest::nearest;

pub(super) const RULE: Rule = rule!(
    "missing-root",
    "`within` names no owned table the rows point to by a foreign key"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, table) in landscape.tables() {
        let Some(within) = &table.within else {
            continue;
        };
        if service.table(&within.value).is_none() {
            found.extend(unknown_root(service, table, within));
        } else if is_cycle(service, table) {
            let message = format!("`{}` is within itself", table.name.value);
            found.push(
                Diagnostic::error(RULE.name, message)
                    .at(service.place(&within.span, "leads back here"))
                    .help("let the root of the aggregate have no `within`"),
            );
        } else {
            found.extend(without_foreign_key(service, table, within));
        }
    }
}

fn unknown_root(service: &DeclaredService<'_>, table: &DeclaredTable, within: &At<String>) -> Option<Diagnostic> {
    if !service.readable {
        return None;
    }
    let owned = service.owns.iter().map(|owned| owned.name.value.as_str());
    let help = nearest(&within.value, owned.filter(|name| *name != table.name.value)).map_or_else(
        || "a root is an owned table of the same service".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    let message = format!(
        "`{}` is within `{}`, which `{}` does not own",
        table.name.value, within.value, service.name
    );
    Some(
        Diagnostic::error(RULE.name, message)
            .at(service.place(&within.span, "no owned table of this name"))
            .help(help),
    )
}

fn is_cycle(service: &DeclaredService<'_>, table: &DeclaredTable) -> bool {
    let mut at = table;
    // A chain longer than there are tables has gone round; whoever only leads into a circle is not on it.
    for _ in 0..service.owns.len() {
        let Some(root) = at.within.as_ref().and_then(|within| service.table(&within.value)) else {
            return false;
        };
        if root.name.value == table.name.value {
            return true;
        }
        at = root;
    }
    false
}

fn without_foreign_key(
    service: &DeclaredService<'_>,
    table: &DeclaredTable,
    within: &At<String>,
) -> Option<Diagnostic> {
    let name = &table.name.value;
    let sql = service.schema.table(name).filter(|sql| sql.columns_known)?;
    if !service.schema.complete {
        return None;
    }
    let points = |key: &&crate::schema::ForeignKey| &key.table == name && key.to.is_own(&within.value);
    if service.schema.foreign_keys.iter().any(|key| points(&key)) {
        return None;
    }
    let root = &within.value;
    let singular = root.strip_suffix('s').unwrap_or(root);
    let mut finding = Diagnostic::error(
        RULE.name,
        format!("`{name}` is within `{root}` but has no foreign key to it"),
    )
    .at(service.place(&within.span, "the root"))
    .help(format!(
        "add `{singular}_id bigint not null references {root}`, so that each row has its root"
    ));
    finding.also.extend(service.sql_place(&sql.at, "created without one"));
    Some(finding)
}
