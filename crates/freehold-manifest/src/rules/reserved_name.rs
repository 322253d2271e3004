//! A name that is somebody else's: PostgreSQL's, the library's, SQL's, a path's of the API, or another table's.

use super::Rule;
use crate::declared::{At, DeclaredService, DeclaredTable};
use crate::diagnostic::{Diagnostic, Place};
use crate::landscape::Landscape;
use crate::source::SourceFile;

pub(super) const RULE: Rule = rule!(
    "reserved-name",
    "a name that PostgreSQL, SQL, the library, a path of the API or another table has"
);

/// Prefixes of names that are not ours to give, and whose they are.
const PREFIXES: &[(&str, &str)] = &[("freehold", "the library"), ("pg_", "PostgreSQL")];
/// Databases every server has.
const DATABASES: &[&str] = &["postgres", "template0", "template1"];
/// Topics that every service has in the logs of others: what is said to it.
const TOPICS: &[&str] = &["commands", "replies"];
/// First parts of paths that every service serves besides its tables: `/rpc/search`, `/health/live`.
const PATHS: &[&str] = &[
    "docs",
    "freehold",
    "health",
    "metrics",
    "openapi.json",
    "rpc",
    "transaction",
];
/// Words that cannot name a table without quotes (PostgreSQL 15 to 18: reserved, and reserved but for functions and types).
const WORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

/// Whether the name begins as the library's or PostgreSQL's names do.
pub(super) fn is_reserved_prefix(name: &str) -> bool {
    owner_of(name).is_some()
}

/// What is wrong with the name of the system.
pub(crate) fn of_system(file: &SourceFile, name: &At<String>) -> Option<Diagnostic> {
    if DATABASES.contains(&name.value.as_str()) {
        let finding = Diagnostic::error(RULE.name, format!("`{}` is a database every server has", name.value));
        return Some(
            finding
                .at(Place::new(file, &name.span, "taken"))
                .help("give the system another name"),
        );
    }
    let owner = owner_of(&name.value)?;
    Some(taken(&name.value, owner).at(Place::new(file, &name.span, "reserved")))
}

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    let file = landscape.system.file;
    for service in landscape.system.services.iter().flat_map(|services| &services.items) {
        if let Some(owner) = owner_of(&service.value) {
            found.push(taken(&service.value, owner).at(Place::new(file, &service.span, "reserved")));
        }
    }
    for (service, table) in landscape.tables() {
        found.extend(of_table(service, &table.name).or_else(|| of_path(service, &table.name)));
    }
    for (service, view) in landscape.views() {
        let reserved = of_table(service, &view.name).or_else(|| of_path(service, &view.name));
        found.extend(reserved.or_else(|| of_other(service, &view.name, "view")));
    }
    for (service, function) in landscape.functions() {
        let name = &function.name;
        let reserved = of_prefix(service, name).or_else(|| of_path(service, name));
        found.extend(reserved.or_else(|| of_other(service, name, "function")));
    }
    for (service, copy) in landscape.copies() {
        found.extend(of_table(service, &copy.name));
        if let Some(owned) = service.table(&copy.name.value) {
            let message = format!("`{}` is both owned and a copy", copy.name.value);
            found.push(
                Diagnostic::error(RULE.name, message)
                    .at(service.place(&copy.name.span, "a copy of this name"))
                    .also(service.place(&owned.name.span, "an owned table of this name"))
                    .help("give the copy another name: it need not be its owner's"),
            );
        }
    }
    for service in &landscape.services {
        of_topics(service, found);
        of_streams(service, found);
        in_migrations(service, found);
    }
}

/// What is served beside the tables needs a path of its own.
fn of_path(service: &DeclaredService<'_>, name: &At<String>) -> Option<Diagnostic> {
    if !PATHS.contains(&name.value.as_str()) {
        return None;
    }
    let message = format!("`/{}` is a path that every service serves", name.value);
    Some(
        Diagnostic::error(RULE.name, message)
            .at(service.place(&name.span, "taken"))
            .help("give it another name, by a migration that renames it"),
    )
}

/// A view or function that has the name of a table.
fn of_other(service: &DeclaredService<'_>, name: &At<String>, what: &str) -> Option<Diagnostic> {
    let copy = service.copies.iter().find(|copy| copy.name.value == name.value);
    let (other, label) = match service.table(&name.value) {
        Some(table) => (&table.name, "an owned table of this name"),
        None => (&copy?.name, "a copy of this name"),
    };
    let message = format!("`{}` is both a {what} and a table", name.value);
    Some(
        Diagnostic::error(RULE.name, message)
            .at(service.place(&name.span, format!("a {what} of this name")))
            .also(service.place(&other.span, label))
            .help(format!("give the {what} a name of its own")),
    )
}

fn of_prefix(service: &DeclaredService<'_>, name: &At<String>) -> Option<Diagnostic> {
    let owner = owner_of(&name.value)?;
    Some(taken(&name.value, owner).at(service.place(&name.span, "reserved")))
}

fn of_table(service: &DeclaredService<'_>, name: &At<String>) -> Option<Diagnostic> {
    if let Some(finding) = of_prefix(service, name) {
        return Some(finding);
    }
    if !WORDS.contains(&name.value.as_str()) {
        return None;
    }
    let message = format!(
        "`{}` is a word of SQL and would have to be quoted everywhere",
        name.value
    );
    Some(
        Diagnostic::error(RULE.name, message)
            .at(service.place(&name.span, "reserved"))
            .help(format!("use the plural: `{}`", plural(&name.value))),
    )
}

/// Row events and facts share the service's topics, and `<service>.commands` and `<service>.replies` are taken.
fn of_topics(service: &DeclaredService<'_>, found: &mut Vec<Diagnostic>) {
    let published = |table: &&DeclaredTable| !table.publishes.items.is_empty();
    for table in service.owns.iter().filter(published) {
        if TOPICS.contains(&table.name.value.as_str()) {
            let help = "give the table another name, or publish none of its columns";
            found.push(topic_taken(service, &table.name).help(help));
        }
    }
    for event in &service.publishes.items {
        let fact = event.value.split_once('.').map_or("", |(_, fact)| fact);
        if TOPICS.contains(&fact) {
            let help = "name the event by what happened, in the past tense";
            found.push(topic_taken(service, event).help(help));
        } else if let Some(table) = service.table(fact).filter(published) {
            let message = format!("`{}` is already the topic of the rows of `{fact}`", event.value);
            found.push(
                Diagnostic::error(RULE.name, message)
                    .at(service.place(&event.span, "an event of this name"))
                    .also(service.place(&table.name.span, "a published table of this name"))
                    .help("name the event by what happened, in the past tense"),
            );
        }
    }
}

/// What others hear of a stream is on a topic of its own.
fn of_streams(service: &DeclaredService<'_>, found: &mut Vec<Diagnostic>) {
    for stream in &service.streams {
        let name = &stream.name;
        found.extend(of_prefix(service, name));
        if service.published_stream(&name.value).is_none() {
            continue;
        }
        if TOPICS.contains(&name.value.as_str()) {
            found.push(topic_taken(service, name).help("give the stream another name, or keep it private"));
        }
        let table = service
            .table(&name.value)
            .filter(|table| !table.publishes.items.is_empty());
        let event = service.publishes.items.iter().find(|event| {
            let (_, fact) = event.value.split_once('.').unwrap_or_default();
            fact == name.value
        });
        let table = table.map(|table| (&table.name.span, "a published table of this name"));
        let event = event.map(|event| (&event.span, "an event of this name"));
        let Some((span, label)) = table.or(event) else {
            continue;
        };
        let message = format!("`{}.{}` would be the topic of two things", service.name, name.value);
        found.push(
            Diagnostic::error(RULE.name, message)
                .at(service.place(&name.span, "a published stream of this name"))
                .also(service.place(span, label))
                .help("name the stream by one aggregate, in the singular"),
        );
    }
}

fn topic_taken(service: &DeclaredService<'_>, name: &At<String>) -> Diagnostic {
    let word = name.value.rsplit('.').next().unwrap_or(&name.value);
    let message = format!(
        "`{}.{word}` is the topic of the {word} for `{}`",
        service.name, service.name
    );
    Diagnostic::error(RULE.name, message).at(service.place(&name.span, "reserved"))
}

fn in_migrations(service: &DeclaredService<'_>, found: &mut Vec<Diagnostic>) {
    for table in &service.schema.tables {
        let declared = service.table(&table.name.name).is_some();
        let names = (!declared).then_some((&table.name.name, &table.at));
        let columns = table.columns.iter().map(|column| (&column.name, &column.at));
        for (name, at) in names.into_iter().chain(columns) {
            if let Some(owner) = owner_of(name) {
                let mut finding = taken(name, owner);
                finding.place = service.sql_place(at, "reserved");
                found.push(finding);
            }
        }
    }
}

fn owner_of(name: &str) -> Option<&'static str> {
    PREFIXES
        .iter()
        .find(|(prefix, _)| name.starts_with(prefix))
        .map(|(_, owner)| *owner)
}

fn taken(name: &str, owner: &str) -> Diagnostic {
    let prefixes: Vec<&str> = PREFIXES
        .iter()
        .filter(|(_, of)| *of == owner)
        .map(|(prefix, _)| *prefix)
        .collect();
    Diagnostic::error(RULE.name, format!("`{name}` begins as names of {owner} do")).help(format!(
        "choose a name that does not begin with `{}`",
        prefixes.concat()
    ))
}

fn plural(word: &str) -> String {
    match word.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if word.ends_with(['s', 'x', 'h']) => format!("{word}es"),
        None => format!("{word}s"),
    }
}
