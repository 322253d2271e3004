//! A table two services own: one of them made it.

use std::collections::HashMap;

use super::Rule;
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;

pub(super) const RULE: Rule = rule!("two-owners", "a table that two services own");

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    let mut owners = HashMap::new();
    for (service, table) in landscape.tables() {
        let name = &table.name.value;
        let Some((first, there)) = owners.get(name) else {
            owners.insert(name, (service, table));
            continue;
        };
        let (first, there): (&crate::declared::DeclaredService<'_>, &crate::declared::DeclaredTable) = (first, there);
        // Two tables of one name, each in its owner's database.
        if [first, service].iter().all(|owner| owner.schema.table(name).is_some()) {
            continue;
        }
        found.push(
            Diagnostic::error(
                RULE.name,
                format!("`{name}` has two owners: `{}` and `{}`", first.name, service.name),
            )
            .at(service.place(&table.name.span, format!("`{}` owns it too", service.name)))
            .also(first.place(&there.name.span, format!("`{}` owns it", first.name)))
            .help(format!(
                "keep one owner; the other keeps a copy: `[copies.{name}]`, or makes a table of its own in its migrations"
            )),
        );
    }
}
