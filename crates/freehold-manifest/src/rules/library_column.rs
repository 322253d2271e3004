//! `version` and `updated_at` of a read-write table are the library's.

use super::Rule;
use crate::declared::DeclaredTable;
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::model::Mode;

pub(super) const RULE: Rule = rule!(
    "library-column",
    "a `version` or `updated_at` column of a type the library cannot keep"
);

/// The columns the library keeps, the types they may have, and the one it would give them.
const COLUMNS: &[(&str, &[&str], &str)] = &[
    ("version", &["bigint", "int8"], "bigint not null default 1"),
    (
        "updated_at",
        &["timestamptz", "timestamp with time zone"],
        "timestamptz not null default now()",
    ),
];

/// Whether the library adds that column to the table where it is absent.
pub(crate) fn is_kept(table: &DeclaredTable, column: &str) -> bool {
    table.mode.value == Mode::ReadWrite && COLUMNS.iter().any(|(name, ..)| *name == column)
}

/// The type of a column that the library adds where it is absent; none for any other.
pub(crate) fn definition(table: &DeclaredTable, column: &str) -> Option<&'static str> {
    let (_, _, definition) = COLUMNS.iter().find(|(name, ..)| *name == column)?;
    let ty = definition.split(" default ").next();
    ty.filter(|_| is_kept(table, column))
}

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, table) in landscape
        .tables()
        .filter(|(_, table)| table.mode.value == Mode::ReadWrite)
    {
        let Some(sql) = service.schema.table(&table.name.value) else {
            continue;
        };
        for (name, types, definition) in COLUMNS {
            let Some(column) = sql
                .column(name)
                .filter(|column| !types.contains(&without_precision(&column.ty).as_str()))
            else {
                continue;
            };
            let message = format!(
                "`{name}` of `{}` is kept by the library and cannot be {}",
                table.name.value, column.ty
            );
            let mut finding = Diagnostic::error(RULE.name, message).help(format!(
                "write `{name} {definition}`, leave it out, or give yours another name"
            ));
            finding.place = service.sql_place(&column.at, format!("expected {}", types[0]));
            found.push(finding);
        }
    }
}

/// `timestamp(3) with time zone` → `timestamp with time zone`.
fn without_precision(ty: &str) -> String {
    let ty = ty.trim_start_matches("pg_catalog.");
    match (ty.find('('), ty.find(')')) {
        (Some(open), Some(close)) if open < close => {
            let joined = format!("{} {}", ty[..open].trim_end(), ty[close + 1..].trim_start());
            joined.trim_end().to_owned()
        }
        _ => ty.to_owned(),
    }
}
