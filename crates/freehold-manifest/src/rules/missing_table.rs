//! An owned table that no migration creates.

use super::Rule;
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::nearest::nearest;

pub(super) const RULE: Rule = rule!("missing-table", "an owned table that no migration creates");

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, table) in landscape.tables() {
        let name = &table.name.value;
        if !service.schema.complete || service.schema.table(name).is_some() {
            continue;
        }
        // It is another's, which says more: two-owners.
        if landscape
            .tables()
            .any(|(other, owned)| owned.name.value == *name && other.schema.table(name).is_some())
        {
            continue;
        }
        let unowned = service.schema.tables.iter().map(|sql| sql.name.name.as_str());
        let help = match nearest(name, unowned.filter(|sql| service.table(sql).is_none())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add `create table {name} (…)` to {}/migrations", service.name),
        };
        found.push(
            Diagnostic::error(
                RULE.name,
                format!("no migration of `{}` creates `{name}`", service.name),
            )
            .at(service.place(&table.name.span, "owned here"))
            .help(help),
        );
    }
}
