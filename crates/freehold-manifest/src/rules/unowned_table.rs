//! A table that is in the migrations and in no manifest.

use super::{Rule, reserved_name};
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::schema::TableRole;

pub(super) const RULE: Rule = rule!("unowned-table", "a table that migrations create and no manifest owns");

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for service in landscape.services.iter().filter(|service| service.readable) {
        for sql in &service.schema.tables {
            let name = &sql.name.name;
            let owned = sql.name.in_own_schema() && service.table(name).is_some();
            if owned || sql.role == TableRole::Part || reserved_name::is_reserved_prefix(name) {
                continue;
            }
            let copy = service
                .copies
                .iter()
                .find(|copy| sql.name.in_own_schema() && &copy.name.value == name);
            let place = service.sql_place(&sql.at, "created here");
            let mut finding = match copy {
                Some(copy) => Diagnostic::error(RULE.name, format!("`{name}` is a copy: no migration creates it"))
                    .also(service.place(&copy.name.span, "declared as a copy"))
                    .help("remove the statement: a copy is created and filled by the library"),
                None if !sql.name.in_own_schema() => {
                    Diagnostic::error(RULE.name, format!("`{}` is outside of the service's schema", sql.name))
                        .help("leave the schema out: owned tables live in the service's own")
                }
                None => Diagnostic::error(RULE.name, format!("no manifest owns `{name}`"))
                    .help(format!("add `[owns.{name}]` to {}", service.file.path)),
            };
            finding.place = place;
            found.push(finding);
        }
    }
}
