//! `contract.toml`.

use std::collections::BTreeMap;

use super::fields::Fields;
use super::reader::Reader;
use crate::contract::plain;
use crate::declared::{At, DeclaredContract, DeclaredPayload, Listed, PromisedColumn, PromisedCommand, PromisedTable};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceFile, Sources};

/// The highest number a migration's name has room for.
const MIGRATION_MAX: u64 = 999_999_999;

/// What each of the services promised, by name; those that state nothing are left out.
pub(crate) fn contracts<'a>(
    names: &[String],
    sources: &'a Sources,
    found: &mut Vec<Diagnostic>,
) -> BTreeMap<String, DeclaredContract<'a>> {
    let files = names.iter().filter_map(|name| {
        let file = sources.services.get(name)?.contract.as_ref()?;
        Some((name.clone(), contract(name, file, found)?))
    });
    files.collect()
}

/// Reads what a service promised; none, and findings, if not all of it can be read.
fn contract<'a>(service: &str, file: &'a SourceFile, found: &mut Vec<Diagnostic>) -> Option<DeclaredContract<'a>> {
    let mut reader = Reader::new(file);
    let document = reader.document();
    let declared = document.map(|document| {
        let root = Fields::root(document.as_table(), "contract.toml");
        read(&mut reader, &root, service)
    });
    let whole = reader.found.is_empty();
    found.append(&mut reader.found);
    declared.filter(|_| whole)
}

fn read<'a>(reader: &mut Reader<'a>, root: &Fields<'_>, service: &str) -> DeclaredContract<'a> {
    reader.only(
        root,
        &["service", "migration", "events", "payloads", "commands", "tables"],
    );
    if let Some(declared) = reader.required(root, "service", "service = \"order\"")
        && declared.value != service
    {
        let message = format!("the contract in folder `{service}` is that of `{}`", declared.value);
        let help = "restore the file, or remove it and run `freehold check --accept`".to_owned();
        reader.invalid(&declared.span, message, "must be the folder's name", Some(help));
    }
    let migration = reader.whole(root, "migration", 0..=MIGRATION_MAX);
    let events = reader.strings(root, "events");
    DeclaredContract {
        file: reader.file,
        migration: migration.map(|number| number.value).unwrap_or_default(),
        payloads: payloads(reader, root, &events),
        events,
        commands: commands(reader, root),
        tables: tables(reader, root),
    }
}

fn commands(reader: &mut Reader<'_>, root: &Fields<'_>) -> Vec<PromisedCommand> {
    let Some(all) = reader.table(root, "commands") else {
        return Vec::new();
    };
    let each = all.keys().into_iter();
    each.map(|name| PromisedCommand {
        from: reader.strings(&all, &name.value).values(),
        name,
    })
    .collect()
}

fn tables(reader: &mut Reader<'_>, root: &Fields<'_>) -> Vec<PromisedTable> {
    let Some(all) = reader.table(root, "tables") else {
        return Vec::new();
    };
    let mut tables = Vec::new();
    for name in all.keys() {
        if let Some(fields) = reader.table(&all, &name.value) {
            reader.only(&fields, &["key", "columns"]);
            let key = reader.strings(&fields, "key").values();
            let columns = match reader.table(&fields, "columns") {
                Some(all) => typed(reader, &all),
                None => Vec::new(),
            };
            tables.push(PromisedTable { name, key, columns });
        }
    }
    tables
}

/// `[payloads]`: what events hold, in a manifest and in a contract.
pub(super) fn payloads(reader: &mut Reader<'_>, root: &Fields<'_>, events: &Listed) -> Vec<DeclaredPayload> {
    let Some(all) = reader.table(root, "payloads") else {
        return Vec::new();
    };
    let mut payloads = Vec::new();
    for event in all.keys() {
        if !events.has(&event.value) && events.complete {
            let message = format!("`{}` is not in `publishes`, so it holds nothing", event.value);
            let help =
                "write the whole name of an event in quotes: `\"order.placed\" = { order_id = \"uuid\" }`".to_owned();
            reader.invalid(&event.span, message, "no such event", Some(help));
            continue;
        }
        if let Some(fields) = reader.table(&all, &event.value) {
            let fields = typed(reader, &fields);
            payloads.push(DeclaredPayload { event, fields });
        }
    }
    payloads
}

/// Names with their types.
fn typed(reader: &mut Reader<'_>, all: &Fields<'_>) -> Vec<PromisedColumn> {
    let mut columns = Vec::new();
    for name in all.keys() {
        if let Some(At { value, .. }) = reader.string(all, &name.value) {
            let (ty, end) = match value.strip_suffix(" not null") {
                Some(ty) => (ty, " not null"),
                None => (value.as_str(), ""),
            };
            let ty = format!("{}{end}", plain(ty));
            columns.push(PromisedColumn { name, ty });
        }
    }
    columns
}
