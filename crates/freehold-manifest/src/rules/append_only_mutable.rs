//! An append-only table with something that changes.

use super::Rule;
use crate::declared::{DeclaredService, DeclaredTable, Span};
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::model::{Mode, OnDelete, Refresh};

pub(super) const RULE: Rule = rule!(
    "append-only-mutable",
    "an append-only table with something that would change its rows"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, table) in landscape
        .tables()
        .filter(|(_, table)| table.mode.value == Mode::AppendOnly)
    {
        let name = &table.name.value;
        if let Some(column) = service.schema.table(name).and_then(|sql| sql.column("updated_at")) {
            let mut finding = Diagnostic::error(
                RULE.name,
                format!("the append-only table `{name}` has a column `updated_at`"),
            )
            .also(service.place(&table.mode.span, "append-only"))
            .help("remove the column: rows are never updated");
            finding.place = service.sql_place(&column.at, "no row is ever updated");
            found.push(finding);
        }
        for cached in table
            .cached
            .iter()
            .filter(|cached| cached.refresh.value == Refresh::OnChange)
        {
            let what = format!(
                "`{}` of the append-only table `{name}` follows its source",
                cached.column.value
            );
            let help = "write `refresh = \"never\"`: the value of the day the row was written";
            found.push(finding(service, table, what, &cached.refresh.span, help));
        }
        for reference in &table.refs {
            let (word, what) = match reference.on_delete.value {
                OnDelete::Clear => ("clear", "cleared"),
                OnDelete::Cascade => ("cascade", "deleted with its row there"),
                OnDelete::Keep | OnDelete::Report => continue,
            };
            let what = format!(
                "`{}` of the append-only table `{name}` would be {what}",
                reference.column.value
            );
            let help = format!("write `on_delete = \"keep\"` instead of \"{word}\": the id is history");
            found.push(finding(service, table, what, &reference.on_delete.span, &help));
        }
    }
}

fn finding(
    service: &DeclaredService<'_>,
    table: &DeclaredTable,
    message: String,
    span: &Span,
    help: &str,
) -> Diagnostic {
    Diagnostic::error(RULE.name, message)
        .at(service.place(span, "would change rows"))
        .also(service.place(&table.mode.span, "append-only"))
        .help(help)
}
