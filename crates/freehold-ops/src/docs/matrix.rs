//! `README.md`: the services, who owns which table and who holds something of it, and the diagrams.

use freehold_manifest::model::{Mode, Placement, Service, System, Table, TableName};
use freehold_manifest::names::Names;

use super::{GENERATED, codes, mermaid, table};

/// The whole page.
pub(super) fn page(system: &System) -> String {
    let mut text = format!("{GENERATED}\n\n# {}\n\n", system.name);
    if !system.summary.is_empty() {
        text.push_str(&format!("{}\n\n", system.summary));
    }
    text.push_str(&format!(
        "## Services\n\n{}\n{}\n\n",
        services(system),
        placement(system)
    ));
    text.push_str("![Services and their databases](databases.svg)\n\n");
    text.push_str(&mermaid::databases(system));
    text.push_str("\n## Who owns what\n\nA table has one owner, which alone reads and writes it. Others hold copies of published columns, ids that point to rows \
                   (references), and single values (cached columns).\n\n");
    text.push_str(&ownership(system));
    text.push_str("\n## Mutable and immutable\n\n`read_write` rows change under a version. `append_only` rows, and messages in the log, never do. Copies and \
                   cached columns are derived: they can be read anew from their owner.\n\n");
    text.push_str("![How mutable rows become immutable messages and derived copies](flows.svg)\n\n");
    text.push_str(&mermaid::flows(system));
    text.push_str("\n## Events\n\nEach one, with what it holds, is in [events.md](events.md).\n\n![Who speaks on which topic, and who hears it](events.svg)\n\n");
    text.push_str(&mermaid::events(system));
    text
}

fn services(system: &System) -> String {
    let rows: Vec<Vec<String>> = system
        .services
        .iter()
        .map(|service| {
            let names = Names::of(system, service);
            let runs = service.program.as_ref();
            vec![
                format!("`{}`", service.name),
                service.summary.clone(),
                format!("`{}`, schema `{}`", names.database, names.schema),
                service.port.to_string(),
                runs.map_or("`freehold serve`".to_owned(), |program| format!("`{program}`")),
            ]
        })
        .collect();
    table(&["Service", "Does", "Database", "Port", "Run by"], &rows)
}

fn placement(system: &System) -> &'static str {
    match system.postgres.placement {
        Placement::Server => "Each service has a PostgreSQL server of its own.",
        Placement::Database => "Each service has a database of its own, on one server.",
        Placement::Schema => "Each service has a schema of its own, in one database: the transitional form.",
    }
}

fn ownership(system: &System) -> String {
    let mut head = vec!["Table", "Rows", "Published"];
    head.extend(system.services.iter().map(|service| service.name.as_str()));
    let tables = system
        .services
        .iter()
        .flat_map(|owner| owner.owns.iter().map(move |table| (owner, table)));
    let rows: Vec<Vec<String>> = tables.map(|(owner, table)| row(system, owner, table)).collect();
    table_or_none(&head, &rows)
}

fn row(system: &System, owner: &Service, table: &Table) -> Vec<String> {
    let of = TableName {
        service: owner.name.clone(),
        table: table.name.clone(),
    };
    let mode = match table.mode {
        Mode::ReadWrite => "mutable",
        Mode::AppendOnly => "append-only",
        Mode::Projection => "folded from events",
    };
    let mut row = vec![format!("`{of}`"), mode.to_owned(), codes(&table.publishes)];
    row.extend(system.services.iter().map(|service| {
        if service.name == owner.name {
            return "**owns**".to_owned();
        }
        holds(service, &of)
    }));
    row
}

/// What another service holds of a table.
fn holds(service: &Service, of: &TableName) -> String {
    let mut holds = Vec::new();
    if let Some(copy) = service.copy_of(of) {
        holds.push(format!("copies {}", codes(&copy.columns)));
    }
    for table in &service.owns {
        for reference in table.refs.iter().filter(|reference| &reference.to == of) {
            holds.push(format!("refers by `{}.{}`", table.name, reference.column));
            let cached = table
                .cached
                .iter()
                .filter(|cached| cached.reference == reference.column);
            holds.extend(cached.map(|cached| {
                let (column, source) = (&cached.column, &cached.source);
                format!("caches `{source}` in `{}.{column}`", table.name)
            }));
        }
    }
    holds.join("; ")
}

fn table_or_none(head: &[&str], rows: &[Vec<String>]) -> String {
    match rows {
        [] => "No service owns a table.\n".to_owned(),
        rows => table(head, rows),
    }
}
