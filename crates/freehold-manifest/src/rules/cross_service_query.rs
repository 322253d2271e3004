//! A statement, view or function that reads or writes another service's table.

use super::Rule;
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;

pub(super) const RULE: Rule = rule!("cross-service-query", "SQL that names another service's table");

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for service in &landscape.services {
        for used in &service.schema.uses {
            let Some(owner) = landscape.foreign_owner(service, &used.name) else {
                continue;
            };
            let table = &used.name.name;
            let message = format!("`{}` uses `{}`, which `{}` owns", service.name, used.name, owner.name);
            let mut finding = Diagnostic::error(RULE.name, message)
                .also_declared(owner, table)
                .help(format!(
                    "keep a copy: `[copies.{table}]` with `of = \"{}.{table}\"` in {}, or ask `{}` over its API",
                    owner.name, service.file.path, owner.name
                ));
            finding.place = service.sql_place(&used.at, format!("a table of `{}`", owner.name));
            found.push(finding);
        }
    }
}

impl Diagnostic {
    fn also_declared(self, owner: &crate::declared::DeclaredService<'_>, table: &str) -> Self {
        match owner.table(table) {
            Some(declared) => self.also(owner.place(&declared.name.span, "owned here")),
            None => self,
        }
    }
}
