//! A view that is served and reads with its owner's rights.

use super::Rule;
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::model::ServedTo;
use crate::schema::{Rights, ViewSort};

pub(super) const RULE: Rule = rule!(
    "view-as-owner",
    "a view that is served and reads past row level security, with its owner's rights"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, view) in landscape.views() {
        // After a migration that was not read it may have the option.
        let Some(sql) = service
            .schema
            .view(&view.name.value)
            .filter(|_| service.schema.complete)
        else {
            continue;
        };
        if sql.rights == Rights::Invoker || sql.sort == ViewSort::Materialised {
            continue;
        }
        let name = &view.name.value;
        let message = format!("the view `{name}` reads its tables with the rights of their owner");
        // Whoever has a token would see through it what others own.
        let refused = landscape.system.auth.is_some() && view.served.value == ServedTo::SignedIn;
        let finding = match refused {
            true => Diagnostic::error(RULE.name, message),
            false => Diagnostic::warning(RULE.name, message),
        };
        let mut finding = finding
            .also(service.place(&view.name.span, "served to clients"))
            .help(format!(
                "write `create view {name} with (security_invoker = true) as …`, or `alter view {name} set (security_invoker = true)` in a new migration"
            ));
        finding.place = service.sql_place(&sql.at, "no `security_invoker`: policies on its tables do not count");
        found.push(finding);
    }
}
