//! `system.toml`.

use super::fields::Fields;
use super::reader::Reader;
use crate::declared::{At, DeclaredAuth, DeclaredSystem, Listed};
use crate::diagnostic::Diagnostic;
use crate::model::{Placement, Transport};
use crate::rules::{duplicate_service, password_in_manifest, reserved_name};
use crate::source::SourceFile;

/// The port of a system that names none.
const PORT_DEFAULT: u16 = 7100;

const PLACEMENTS: &[(&str, Placement)] = &[
    ("server", Placement::Server),
    ("database", Placement::Database),
    ("schema", Placement::Schema),
];
/// Transports that are planned: named, so that the message can say more than "unknown".
const LATER: &[&str] = &["rabbitmq", "nats", "kafka"];

/// Reads `system.toml`; what is wrong with it is appended to `found`.
pub(crate) fn system<'a>(file: &'a SourceFile, found: &mut Vec<Diagnostic>) -> DeclaredSystem<'a> {
    let mut reader = Reader::new(file);
    let mut system = DeclaredSystem {
        file,
        name: None,
        summary: String::new(),
        services: None,
        port: At {
            value: PORT_DEFAULT,
            span: 0..0,
        },
        placement: Placement::Database,
        url: None,
        transport: Transport::Feed,
        workload: None,
        auth: None,
    };
    if let Some(document) = reader.document() {
        read(
            &mut reader,
            &Fields::root(document.as_table(), "system.toml"),
            &mut system,
        );
    }
    found.append(&mut reader.found);
    system
}

fn read(reader: &mut Reader<'_>, root: &Fields<'_>, system: &mut DeclaredSystem<'_>) {
    reader.only(
        root,
        &[
            "system",
            "summary",
            "services",
            "port",
            "postgres",
            "transport",
            "workload",
            "auth",
        ],
    );
    system.name = reader.required(root, "system", "system = \"shop\"");
    if let Some(name) = &system.name {
        reader.identifier(name, "system name");
        reader.found.extend(reserved_name::of_system(reader.file, name));
    }
    system.summary = reader.string(root, "summary").map(|s| s.value).unwrap_or_default();
    system.services = services(reader, root);
    if let (Some(name), Some(services)) = (&system.name, &system.services) {
        for service in &services.items {
            reader.role_names(&name.value, service);
        }
    }
    if let Some(port) = reader.port(root, "port") {
        system.port = port;
    }
    postgres(reader, root, system);
    transport(reader, root);
    if let Some(workload) = reader.table(root, "workload") {
        reader.only(&workload, &["program"]);
        system.workload = reader.required(&workload, "program", "program = \"shop-workload\"");
        if let Some(program) = &system.workload {
            reader.executable(program);
        }
    }
    system.auth = reader.table(root, "auth").and_then(|fields| auth(reader, &fields));
}

/// `[auth]`.
fn auth(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<DeclaredAuth> {
    reader.only(fields, &["service", "issuer"]);
    let issuer = reader.string(fields, "issuer");
    if let Some(empty) = issuer.as_ref().filter(|issuer| issuer.value.trim().is_empty()) {
        let message = format!("{} is empty", fields.path("issuer"));
        let help = "leave it out: tokens then come from `freehold:<system>`".to_owned();
        reader.invalid(&empty.span, message, "tokens name who gave them", Some(help));
    }
    Some(DeclaredAuth {
        service: reader.required(fields, "service", "service = \"auth\"")?,
        issuer,
    })
}

fn services(reader: &mut Reader<'_>, root: &Fields<'_>) -> Option<Listed> {
    if root.get("services").is_none() {
        reader.missing(root, "services", "services = [\"user\", \"order\"]");
        return None;
    }
    let mut services = reader.strings(root, "services");
    if services.items.is_empty() {
        if services.complete {
            let message = "a system needs at least one service".to_owned();
            reader.invalid(&root.key_span("services"), message, "empty", None);
        }
        return None;
    }
    let mut once: Vec<At<String>> = Vec::new();
    for service in services.items {
        if let Some(first) = once.iter().find(|known| known.value == service.value) {
            reader
                .found
                .push(duplicate_service::twice(reader.file, first, &service));
            continue;
        }
        reader.identifier(&service, "service name");
        once.push(service);
    }
    services.items = once;
    Some(services)
}

fn postgres(reader: &mut Reader<'_>, root: &Fields<'_>, system: &mut DeclaredSystem<'_>) {
    let Some(postgres) = reader.table(root, "postgres") else {
        return;
    };
    reader.only(&postgres, &["placement", "url"]);
    system.placement = reader
        .word(&postgres, "placement", PLACEMENTS, Placement::Database)
        .value;
    let Some(url) = reader.string(&postgres, "url") else {
        return;
    };
    reader.found.extend(password_in_manifest::of_url(&url));
    if !url.value.starts_with("postgres://") && !url.value.starts_with("postgresql://") {
        let message = format!("{} is not a PostgreSQL URL", postgres.path("url"));
        reader.invalid(&url.span, message, "expected `postgres://user@host:port`", None);
    }
    system.url = Some(url);
}

fn transport(reader: &mut Reader<'_>, root: &Fields<'_>) {
    let Some(transport) = reader.table(root, "transport") else {
        return;
    };
    let kind = reader.string(&transport, "kind");
    if let Some(kind) = kind.filter(|kind| LATER.contains(&kind.value.as_str())) {
        // Its `url` is not reported on top: it will be right once the kind is.
        reader.only(&transport, &["kind", "url"]);
        let message = format!("this release carries messages by `feed`, not by `{}`", kind.value);
        let help = "write `kind = \"feed\"`: it needs nothing installed".to_owned();
        reader.invalid(&kind.span, message, "not in this release", Some(help));
        return;
    }
    reader.only(&transport, &["kind"]);
    // `string` above reported a wrong type; `word` would report it again.
    if transport.get("kind").is_none_or(|kind| kind.is_str()) {
        reader.word(&transport, "kind", &[("feed", Transport::Feed)], Transport::Feed);
    }
}
