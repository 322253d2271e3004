//! Rows that change keep their version; rows that do not are walled in.

use freehold_manifest::model::{Mode, Service, Table};
use freehold_manifest::names::Names;

use crate::error::Error;
use crate::pg::catalog::{Catalog, TableShape};
use crate::pg::ident;

/// The columns that the library keeps of a read-write table, and their types.
pub(super) const KEPT: [(&str, &str); 2] = [("version", "bigint"), ("updated_at", "timestamp with time zone")];

/// The shape of an owned table, or the error that says it is not there.
pub(super) fn shape_of<'c>(shapes: &'c Catalog, service: &Service, table: &str) -> Result<&'c TableShape, Error> {
    shapes.tables.get(table).ok_or_else(|| Error::Install {
        service: service.name.clone(),
        problem: format!("table {table} is owned in the manifest but not in the database"),
        remedy: "write a migration that creates it".to_owned(),
    })
}

/// `version` and `updated_at` where a read-write table lacks them.
pub(super) fn missing_columns(service: &Service, shapes: &Catalog, names: &Names) -> Result<String, Error> {
    let mut script = String::new();
    for table in service.owns.iter().filter(|t| t.mode == Mode::ReadWrite) {
        let shape = shape_of(shapes, service, &table.name)?;
        let on = ident::qualified(&names.schema, &table.name);
        for ((column, wanted), default) in KEPT.iter().zip(["1", "now()"]) {
            match shape.column(column) {
                None => {
                    script += &format!("alter table {on} add column {column} {wanted} not null default {default};\n")
                }
                Some(found) if found.type_name == *wanted => {}
                Some(found) => {
                    return Err(Error::Install {
                        service: service.name.clone(),
                        problem: format!(
                            "{}.{column} is {}, but the library keeps it as {wanted}",
                            table.name, found.type_name
                        ),
                        remedy: "rename it, or change its type in a migration".to_owned(),
                    });
                }
            }
        }
    }
    Ok(script)
}

/// The triggers that keep a row's version, or refuse every change.
pub(super) fn triggers(table: &Table, shape: &TableShape) -> String {
    let on = ident::qualified(&shape.schema, &shape.name);
    match table.mode {
        Mode::Projection => String::new(),
        Mode::ReadWrite => format!(
            "create trigger freehold_version before update on {on} \
             for each row execute function freehold.keep_version();\n"
        ),
        // ALWAYS: session_replication_role does not pass them either.
        Mode::AppendOnly => format!(
            "create trigger freehold_append_only before update or delete on {on} \
             for each row execute function freehold.refuse_change();\n\
             create trigger freehold_append_only_truncate before truncate on {on} \
             for each statement execute function freehold.refuse_change();\n\
             alter table {on} enable always trigger freehold_append_only;\n\
             alter table {on} enable always trigger freehold_append_only_truncate;\n"
        ),
    }
}
