//! The contract as manifest and migrations state it today.

use super::{Contract, PublishedColumn, PublishedTable, plain};
use crate::declared::{DeclaredPayload, DeclaredService, DeclaredTable};
use crate::model::Command;
use crate::rules::library_column;
use crate::source::SourceFile;

/// What the service promises now.
pub(crate) fn of_service(service: &DeclaredService<'_>) -> Contract {
    let published = |table: &&DeclaredTable| !table.publishes.items.is_empty();
    Contract {
        service: service.name.clone(),
        migration: service.migrations.iter().map(number).max().unwrap_or_default(),
        tables: service
            .owns
            .iter()
            .filter(published)
            .map(|t| of_table(service, t))
            .collect(),
        events: service.publishes.values(),
        payloads: service.payloads.iter().map(of_payload).collect(),
        commands: service
            .commands
            .iter()
            .map(|command| Command {
                name: command.name.value.clone(),
                from: command.from.values(),
            })
            .collect(),
    }
}

/// The number a migration's file name begins with; 0 if it begins with none.
pub(crate) fn number(file: &SourceFile) -> u64 {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let digits = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
    name[..digits].parse().unwrap_or_default()
}

fn of_payload(payload: &DeclaredPayload) -> (String, Vec<PublishedColumn>) {
    let fields = payload.fields.iter().map(|field| PublishedColumn {
        name: field.name.value.clone(),
        ty: field.ty.clone(),
    });
    (payload.event.value.clone(), fields.collect())
}

fn of_table(service: &DeclaredService<'_>, table: &DeclaredTable) -> PublishedTable {
    let column = |name: &String| PublishedColumn {
        name: name.clone(),
        ty: type_of(service, table, name),
    };
    PublishedTable {
        name: table.name.value.clone(),
        key: service.key(table).unwrap_or_default().to_vec(),
        columns: table.publishes.values().iter().map(column).collect(),
    }
}

fn type_of(service: &DeclaredService<'_>, table: &DeclaredTable, column: &str) -> String {
    let sql = service.schema.table(&table.name.value);
    let Some(found) = sql.and_then(|sql| sql.column(column)) else {
        return library_column::definition(table, column).unwrap_or_default().to_owned();
    };
    let not_null = sql.is_some_and(|sql| sql.is_not_null(column));
    let end = if not_null { " not null" } else { "" };
    format!("{}{end}", plain(&found.ty))
}
