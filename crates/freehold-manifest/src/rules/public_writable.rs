//! A table that anybody may change.

use super::Rule;
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::model::{Mode, ServedTo};
use crate::schema::RowSecurity;

pub(super) const RULE: Rule = rule!(
    "public-writable",
    "a public table without row level security, which anybody may write"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    if landscape.system.auth.is_none() {
        return;
    }
    for (service, table) in landscape.tables() {
        let name = &table.name.value;
        let Some(sql) = service.schema.table(name).filter(|_| service.schema.complete) else {
            continue;
        };
        if table.served.value != ServedTo::Anybody || sql.row_security == RowSecurity::Enabled {
            continue;
        }
        let may = match table.mode.value {
            Mode::ReadWrite => "adds, changes and deletes",
            Mode::AppendOnly => "adds",
            Mode::Projection => continue,
        };
        let mut finding = Diagnostic::warning(RULE.name, format!("anybody {may} rows of `{name}`"))
            .at(service.place(&table.served.span, "served without a token"))
            .help(format!(
                "if it is only to be read: `alter table {name} enable row level security;` and `create policy read on {name} for select using (true);` in a migration"
            ));
        finding.also.extend(service.sql_place(&sql.at, "no row level security"));
        found.push(finding);
    }
}
