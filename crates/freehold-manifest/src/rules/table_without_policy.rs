//! A table that is served to whoever has a token, and whose rows nothing tells apart.

use super::Rule;
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::model::ServedTo;
use crate::schema::RowSecurity;

pub(super) const RULE: Rule = rule!(
    "table-without-policy",
    "a table that is served to signed-in users without row level security"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    if landscape.system.auth.is_none() {
        return;
    }
    for (service, table) in landscape.tables() {
        let name = &table.name.value;
        // In a migration that was not read there may be a policy: the installation looks at the database itself.
        let Some(sql) = service.schema.table(name).filter(|_| service.schema.complete) else {
            continue;
        };
        if table.served.value != ServedTo::SignedIn {
            continue;
        }
        let enable = match sql.row_security {
            RowSecurity::Enabled => None,
            RowSecurity::Disabled => Some(format!("`alter table {name} enable row level security;`")),
        };
        let policy = match sql.policies.is_empty() {
            false => None,
            true => Some(format!(
                "`create policy own on {name} using (owner_id = freehold.subject()::uuid);`"
            )),
        };
        let wrong = match (&enable, &policy) {
            (None, None) => continue,
            (Some(_), _) => "without row level security: each sees the rows of all",
            (None, Some(_)) => "without a policy: nobody sees a row",
        };
        let missing: Vec<String> = enable.into_iter().chain(policy).collect();
        let mut finding = Diagnostic::error(RULE.name, format!("`{name}` is served to signed-in users {wrong}"))
            .at(service.place(&table.name.span, "served to whoever has a token"))
            .help(format!(
                "write {} in a migration; or say `public = true` here if it is everybody's, `served = false` if it is no client's",
                missing.join(" and ")
            ));
        finding.also.extend(service.sql_place(&sql.at, "created here"));
        found.push(finding);
    }
}
