//! The diagrams as Mermaid, for where Markdown is rendered with it.

use std::fmt::Write;

use freehold_manifest::model::{Follows, Mode, Placement, System};
use freehold_manifest::names::Names;

use super::topics;

/// Services and their databases.
pub(super) fn databases(system: &System) -> String {
    fenced(|text| {
        for service in &system.services {
            let names = Names::of(system, service);
            let id = &service.name;
            let (place, _) = place(system, &names);
            let _ = writeln!(text, "    s_{id}[\"{id}\"] -->|{}| d_{id}[(\"{place}\")]", names.app);
        }
    })
}

/// Who speaks on which topic, and who hears it.
pub(super) fn events(system: &System) -> String {
    fenced(|text| {
        for service in &system.services {
            let _ = writeln!(text, "    s_{0}[\"{0}\"]", service.name);
        }
        for topic in topics::of(system) {
            for hearer in &topic.hearers {
                let _ = writeln!(
                    text,
                    "    s_{} -->|\"{} ({})\"| s_{}",
                    topic.speaker,
                    topic.name,
                    topic.sort.word(),
                    hearer.service
                );
            }
        }
    })
}

/// Mutable rows, immutable messages and rows, derived copies.
pub(super) fn flows(system: &System) -> String {
    fenced(|text| {
        for service in &system.services {
            let id = &service.name;
            let _ = writeln!(text, "    l_{id}[\"{id}: log, immutable\"]");
            for table in &service.owns {
                let name = &table.name;
                let mode = match table.mode {
                    Mode::ReadWrite => "mutable",
                    Mode::AppendOnly => "append-only",
                    Mode::Projection => "folded from events",
                };
                if !table.publishes.is_empty() {
                    let _ = writeln!(text, "    t_{id}_{name}[(\"{id}.{name}: {mode}\")] --> l_{id}");
                } else if table.mode == Mode::AppendOnly {
                    let _ = writeln!(text, "    t_{id}_{name}[(\"{id}.{name}: {mode}\")]");
                }
            }
            for stream in &service.streams {
                let name = &stream.name;
                let _ = writeln!(text, "    s_{id}_{name}[\"{id}: stream {name}, immutable\"]");
            }
            for projection in &service.projections {
                let Follows::Streams(streams) = &projection.follows else {
                    continue;
                };
                for (stream, table) in streams
                    .iter()
                    .flat_map(|s| projection.tables.iter().map(move |t| (s, t)))
                {
                    let _ = writeln!(
                        text,
                        "    s_{id}_{stream} --> p_{id}_{table}[/\"{id}.{table}: folded, derived\"/]"
                    );
                }
            }
            for copy in &service.copies {
                let (from, name) = (&copy.of.service, &copy.name);
                let _ = writeln!(
                    text,
                    "    l_{from} -.-> c_{id}_{name}[/\"{id}.{name}: copy, derived\"/]"
                );
            }
        }
    })
}

/// The database or schema of a service, and what stands around it.
pub(super) fn place(system: &System, names: &Names) -> (String, String) {
    match system.postgres.placement {
        Placement::Server => (names.database.clone(), "a server each".to_owned()),
        Placement::Database => (names.database.clone(), "one server".to_owned()),
        Placement::Schema => (names.schema.clone(), format!("one database, {}", names.database)),
    }
}

fn fenced(write: impl FnOnce(&mut String)) -> String {
    let mut text = "```mermaid\nflowchart LR\n".to_owned();
    write(&mut text);
    text.push_str("```\n");
    text
}
