//! `freehold.toml`.

use super::api::{api, function, served, view};
use super::behaviour::{commands, program, sends};
use super::contract::payloads;
use super::fields::Fields;
use super::is_identifier;
use super::reader::Reader;
use super::streams::{projection, stream};
use crate::declared::{
    At, CachedFrom, DeclaredCached, DeclaredCopy, DeclaredReference, DeclaredService, DeclaredTable, Listed,
};
use crate::diagnostic::Diagnostic;
use crate::model::{History, Limits, Mode, OnDelete, RefCheck, Refresh, Unguarded};
use crate::schema::Schema;
use crate::source::{ServiceSource, SourceFile};

const MODES: &[(&str, Mode)] = &[
    ("read_write", Mode::ReadWrite),
    ("append_only", Mode::AppendOnly),
    ("projection", Mode::Projection),
];
const ON_DELETE: &[(&str, OnDelete)] = &[
    ("keep", OnDelete::Keep),
    ("report", OnDelete::Report),
    ("clear", OnDelete::Clear),
    ("cascade", OnDelete::Cascade),
];
const CHECKS: &[(&str, RefCheck)] = &[("copy", RefCheck::Copy), ("none", RefCheck::None)];
const REFRESH: &[(&str, Refresh)] = &[("on_change", Refresh::OnChange), ("never", Refresh::Never)];

/// A service of which nothing is known: its folder was not found. `file` stands in for its manifest.
pub(crate) fn absent_service<'a>(name: &str, file: &'a SourceFile) -> DeclaredService<'a> {
    DeclaredService {
        file,
        migrations: &[],
        name: name.to_owned(),
        summary: String::new(),
        port: None,
        publishes: Listed::unknown(),
        payloads: Vec::new(),
        subscribes: Listed::empty(),
        sagas: Listed::empty(),
        program: None,
        sends: Listed::unknown(),
        commands: Vec::new(),
        commands_readable: false,
        owns: Vec::new(),
        copies: Vec::new(),
        views: Vec::new(),
        functions: Vec::new(),
        streams: Vec::new(),
        streams_readable: false,
        projections: Vec::new(),
        origins: Listed::empty(),
        limits: Limits::default(),
        contract: None,
        readable: false,
        schema: Schema::unknown(),
    }
}

/// What the manifest calls its service, where nobody else names it; none, and a finding, if that cannot be told.
pub(crate) fn service_name(manifest: &SourceFile, found: &mut Vec<Diagnostic>) -> Option<String> {
    let mut reader = Reader::new(manifest);
    let document = reader.document();
    let name = document.and_then(|document| {
        let root = Fields::root(document.as_table(), "freehold.toml");
        reader.required(&root, "service", "service = \"order\"")
    });
    if let Some(name) = &name {
        reader.identifier(name, "service name");
    }
    found.append(&mut reader.found);
    name.map(|name| name.value).filter(|name| is_identifier(name))
}

/// Reads the `freehold.toml` of the service in folder `name`; what is wrong with it is appended to `found`.
pub(crate) fn service<'a>(
    name: &str,
    source: &'a ServiceSource,
    schema: Schema,
    found: &mut Vec<Diagnostic>,
) -> DeclaredService<'a> {
    let mut service = absent_service(name, &source.manifest);
    service.migrations = &source.migrations;
    service.schema = schema;
    let mut reader = Reader::new(&source.manifest);
    if let Some(document) = reader.document() {
        read(
            &mut reader,
            &Fields::root(document.as_table(), "freehold.toml"),
            &mut service,
        );
    }
    found.append(&mut reader.found);
    service
}

fn read(reader: &mut Reader<'_>, root: &Fields<'_>, service: &mut DeclaredService<'_>) {
    reader.only(
        root,
        &[
            "service",
            "summary",
            "port",
            "publishes",
            "payloads",
            "subscribes",
            "sagas",
            "program",
            "sends",
            "commands",
            "owns",
            "copies",
            "views",
            "functions",
            "streams",
            "projections",
            "api",
        ],
    );
    let example = format!("service = \"{}\"", service.name);
    if let Some(declared) = reader.required(root, "service", &example)
        && declared.value != service.name
    {
        let message = format!(
            "the service in folder `{}` calls itself `{}`",
            service.name, declared.value
        );
        let help = format!("write `{example}`, or rename the folder and its entry in system.toml");
        reader.invalid(&declared.span, message, "must be the folder's name", Some(help));
    }
    service.summary = reader.string(root, "summary").map(|s| s.value).unwrap_or_default();
    service.port = reader.port(root, "port");
    service.publishes = events(reader, root, &service.name);
    service.payloads = payloads(reader, root, &service.publishes);
    service.subscribes = topics(reader, root);
    service.sagas = reader.strings(root, "sagas");
    reader.distinct(&mut service.sagas, "`sagas`");
    for saga in &service.sagas.items {
        reader.identifier(saga, "saga name");
    }
    service.program = program(reader, root);
    service.sends = sends(reader, root);
    service.commands_readable = true;
    service.commands = commands(reader, root, &service.name, &mut service.commands_readable);
    service.readable = true;
    service.owns = children(reader, root, "owns", &mut service.readable, table);
    service.copies = children(reader, root, "copies", &mut service.readable, copy);
    service.views = children(reader, root, "views", &mut true, view);
    service.functions = children(reader, root, "functions", &mut true, function);
    service.streams_readable = true;
    service.streams = children(reader, root, "streams", &mut service.streams_readable, stream);
    service.projections = children(reader, root, "projections", &mut true, projection);
    if let Some(fields) = reader.table(root, "api") {
        api(reader, &fields, service);
    }
}

/// The entries of a table of tables; `whole` becomes false if one could not be read.
fn children<T>(
    reader: &mut Reader<'_>,
    root: &Fields<'_>,
    key: &str,
    whole: &mut bool,
    read: fn(&mut Reader<'_>, &Fields<'_>, At<String>) -> T,
) -> Vec<T> {
    let Some(all) = reader.table(root, key) else {
        *whole &= root.get(key).is_none();
        return Vec::new();
    };
    let mut entries = Vec::new();
    for name in all.keys() {
        match reader.table(&all, &name.value) {
            Some(fields) => entries.push(read(reader, &fields, name)),
            None => *whole = false,
        }
    }
    entries
}

fn events(reader: &mut Reader<'_>, root: &Fields<'_>, service: &str) -> Listed {
    let mut events = reader.strings(root, "publishes");
    reader.distinct(&mut events, "`publishes`");
    for event in &events.items {
        let (owner, fact) = event.value.split_once('.').unwrap_or(("", &event.value));
        if owner == service && is_identifier(fact) {
            continue;
        }
        let message = format!("`{service}` cannot publish `{}`", event.value);
        let label = format!("expected `{service}.<past participle>`");
        let help = (is_identifier(owner) && owner != service)
            .then(|| format!("only `{owner}` publishes events of `{owner}`; to hear them, list them in `subscribes`"));
        reader.invalid(&event.span, message, &label, help);
    }
    events
}

fn topics(reader: &mut Reader<'_>, root: &Fields<'_>) -> Listed {
    let mut topics = reader.strings(root, "subscribes");
    reader.distinct(&mut topics, "`subscribes`");
    topics.items.retain(|topic| {
        let parts: Vec<&str> = topic.value.split('.').collect();
        let shaped = (2..=3).contains(&parts.len()) && parts.iter().all(|part| is_identifier(part));
        if !shaped {
            let message = format!("`{}` is not a topic", topic.value);
            let label = "expected `<service>.<event>` or `<service>.<table>.changed|deleted`";
            reader.invalid(&topic.span, message, label, None);
        }
        shaped
    });
    topics
}

fn table(reader: &mut Reader<'_>, fields: &Fields<'_>, name: At<String>) -> DeclaredTable {
    reader.only(
        fields,
        &[
            "summary",
            "mode",
            "within",
            "refs",
            "cached",
            "publishes",
            "hidden",
            "require_match",
            "public",
            "served",
            "history",
        ],
    );
    reader.identifier(&name, "table name");
    let mut publishes = reader.strings(fields, "publishes");
    reader.distinct(&mut publishes, &fields.path("publishes"));
    let mut hidden = reader.strings(fields, "hidden");
    reader.distinct(&mut hidden, &fields.path("hidden"));
    DeclaredTable {
        summary: reader.string(fields, "summary").map(|s| s.value).unwrap_or_default(),
        mode: reader.word(fields, "mode", MODES, Mode::ReadWrite),
        within: reader.string(fields, "within"),
        refs: children(reader, fields, "refs", &mut true, reference),
        cached: children(reader, fields, "cached", &mut true, cached),
        publishes,
        hidden,
        unguarded: if reader.boolean(fields, "require_match", false) {
            Unguarded::Refused
        } else {
            Unguarded::Allowed
        },
        served: served(reader, fields),
        history: if reader.boolean(fields, "history", false) {
            History::Kept
        } else {
            History::None
        },
        name,
    }
}

fn reference(reader: &mut Reader<'_>, fields: &Fields<'_>, column: At<String>) -> DeclaredReference {
    reader.only(fields, &["to", "on_delete", "check"]);
    let to = reader.required(fields, "to", "to = \"user.users\"");
    DeclaredReference {
        to: to.and_then(|to| reader.table_name(&to, &fields.path("to"))),
        on_delete: reader.word(fields, "on_delete", ON_DELETE, OnDelete::Report),
        check: reader.word(fields, "check", CHECKS, RefCheck::Copy),
        column,
    }
}

fn cached(reader: &mut Reader<'_>, fields: &Fields<'_>, column: At<String>) -> DeclaredCached {
    reader.only(fields, &["from", "refresh"]);
    let from = reader.required(fields, "from", "from = \"product_id_ref.name\"");
    DeclaredCached {
        from: from.and_then(|from| cached_from(reader, fields, &from)),
        refresh: reader.word(fields, "refresh", REFRESH, Refresh::OnChange),
        column,
    }
}

fn cached_from(reader: &mut Reader<'_>, fields: &Fields<'_>, from: &At<String>) -> Option<At<CachedFrom>> {
    if let Some((reference, source)) = from.value.split_once('.')
        && !reference.is_empty()
        && !source.is_empty()
        && !source.contains('.')
    {
        let value = CachedFrom {
            reference: reference.to_owned(),
            source: source.to_owned(),
        };
        return Some(At {
            value,
            span: from.span.clone(),
        });
    }
    let message = format!("{} cannot be `{}`", fields.path("from"), from.value);
    reader.invalid(
        &from.span,
        message,
        "expected `<reference column>.<column of the copy>`",
        None,
    );
    None
}

fn copy(reader: &mut Reader<'_>, fields: &Fields<'_>, name: At<String>) -> DeclaredCopy {
    reader.only(fields, &["of", "columns"]);
    reader.identifier(&name, "table name");
    let of = reader.required(fields, "of", "of = \"product.products\"");
    let mut columns = reader.strings(fields, "columns");
    reader.distinct(&mut columns, &fields.path("columns"));
    if columns.items.is_empty() && columns.complete {
        reader.missing(fields, "columns", "columns = [\"id\", \"name\"]");
        columns.complete = false;
    }
    DeclaredCopy {
        of: of.and_then(|of| reader.table_name(&of, &fields.path("of"))),
        columns,
        name,
    }
}
