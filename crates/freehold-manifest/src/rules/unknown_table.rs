//! A name of no table.

use super::Rule;
use crate::diagnostic::Diagnostic;
use crate::landscape::{Found, Landscape};
use crate::nearest::suggestion;

pub(super) const RULE: Rule = rule!("unknown-table", "a table that the named service does not own");

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for mention in landscape.mentions() {
        let Found::NoTable(owner) = landscape.find(&mention.to.value) else {
            continue;
        };
        let table = &mention.to.value.table;
        let elsewhere = landscape.tables().find(|(_, other)| &other.name.value == table);
        let owned = owner.owns.iter().map(|table| table.name.value.as_str());
        let help = match elsewhere {
            Some((other, _)) => Some(format!("`{}` owns it: write `{}.{table}`", other.name, other.name)),
            None => suggestion(table, owned, "it owns"),
        };
        found.push(
            Diagnostic::error(RULE.name, format!("`{}` owns no table `{table}`", owner.name))
                .at(mention
                    .service
                    .place(&mention.to.span, format!("named by `{}`", mention.by)))
                .maybe_help(help),
        );
    }
    for (service, view) in landscape.views().filter(|(service, _)| service.readable) {
        for link in &view.links {
            let Some(to) = &link.to else { continue };
            let table = &to.value.table;
            if service.table(table).is_some() {
                continue;
            }
            let copy = service.copies.iter().any(|copy| &copy.name.value == table);
            let owned = service.owns.iter().map(|table| table.name.value.as_str());
            let help = if copy {
                Some("a copy is not served: a link leads to a table of the service's own".to_owned())
            } else {
                suggestion(table, owned, "it owns")
            };
            let by = format!("named by `links.{}`", link.column.value);
            found.push(
                Diagnostic::error(RULE.name, format!("`{}` owns no table `{table}`", service.name))
                    .at(service.place(&to.span, by))
                    .maybe_help(help),
            );
        }
    }
}
