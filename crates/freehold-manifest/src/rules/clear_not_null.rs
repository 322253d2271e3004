//! A reference that would be cleared and refuses null.

use super::Rule;
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::model::OnDelete;

pub(super) const RULE: Rule = rule!(
    "clear-not-null",
    "`on_delete = \"clear\"` on a column that refuses null"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, table) in landscape.tables() {
        let Some(sql) = service.schema.table(&table.name.value) else {
            continue;
        };
        for reference in table
            .refs
            .iter()
            .filter(|reference| reference.on_delete.value == OnDelete::Clear)
        {
            let name = &reference.column.value;
            let Some(column) = sql.column(name).filter(|_| sql.is_not_null(name)) else {
                continue;
            };
            let message = format!(
                "`{name}` of `{}` would be cleared, but it is not null",
                table.name.value
            );
            let mut finding = Diagnostic::error(RULE.name, message)
                .at(service.place(&reference.on_delete.span, "sets it to null"))
                .help("let the column be null, or choose \"keep\", \"report\" or \"cascade\"");
            finding.also.extend(service.sql_place(&column.at, "refuses null"));
            found.push(finding);
        }
    }
}
