//! What guards rows that must not change, as it was installed: for whoever looks whether it is still so.

use freehold_manifest::model::{History, Mode, Service, Table};

use super::{BASE, chain, history};
use crate::error::Error;
use crate::pg::catalog::Catalog;
use crate::pg::ident;

/// Bits of `pg_trigger.tgtype`.
const ROW: i16 = 1;
const BEFORE: i16 = 2;
const INSERT: i16 = 4;
const DELETE: i16 = 8;
const UPDATE: i16 = 16;
const TRUNCATE: i16 = 32;

/// A trigger that guards a table or records its changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wall {
    /// The table.
    pub table: String,
    /// The trigger, always on.
    pub trigger: &'static str,
    /// The function it calls, in the library's schema.
    pub function: String,
    /// That function's body.
    pub body: String,
    /// When it is called, as `pg_trigger.tgtype` has it.
    pub fires: i16,
}

/// The walls that an installation makes of a service's tables; those of tables that are not in `shapes` are left out.
///
/// # Errors
/// [`Error::Install`] as [`super::Installation::apply`] says it.
pub fn walls(service: &Service, shapes: &Catalog, freehold: &str) -> Result<Vec<Wall>, Error> {
    let mut walls = Vec::new();
    let mut source = BASE.concat();
    for table in &service.owns {
        let Some(shape) = shapes.tables.get(&table.name) else {
            continue;
        };
        if table.mode == Mode::AppendOnly && !shape.key.is_empty() {
            source += &chain::triggers(service, table, shape)?;
            walls.extend(append_only(table));
        }
        if table.history == History::Kept && !shape.key.is_empty() {
            source += &history::triggers(service, table, shape)?;
            walls.extend(recorded(table));
        }
    }
    for wall in &mut walls {
        let body = body(&source, &wall.function).unwrap_or_default();
        wall.body = crate::pg::place(body, freehold).into_owned();
    }
    Ok(walls)
}

/// What stands between the dollars where the function is created.
fn body<'s>(source: &'s str, function: &str) -> Option<&'s str> {
    let created = |name: String| {
        source
            .split_once(&format!("function freehold.{name}("))
            .map(|(_, rest)| rest)
    };
    let rest = created(function.to_owned()).or_else(|| created(ident::quote(function)))?;
    let (_, rest) = rest.split_once("as $")?;
    let (tag, rest) = rest.split_once('$')?;
    rest.split_once(&format!("${tag}$")).map(|(body, _)| body)
}

fn append_only(table: &Table) -> [Wall; 3] {
    [
        wall(
            table,
            "freehold_append_only",
            "refuse_change",
            BEFORE | ROW | UPDATE | DELETE,
        ),
        wall(
            table,
            "freehold_append_only_truncate",
            "refuse_change",
            BEFORE | TRUNCATE,
        ),
        wall(table, "freehold_appended", &chain::function(&table.name), INSERT),
    ]
}

/// The trigger that refuses another key is not among them: it keeps histories straight, and proves nothing.
fn recorded(table: &Table) -> [Wall; 4] {
    let function = |what| history::function(what, &table.name);
    [
        wall(table, "freehold_history_insert", &function("insert"), INSERT),
        wall(table, "freehold_history_update", &function("update"), UPDATE),
        wall(table, "freehold_history_delete", &function("delete"), DELETE),
        wall(table, "freehold_history_truncate", "refuse_truncate", BEFORE | TRUNCATE),
    ]
}

fn wall(table: &Table, trigger: &'static str, function: &str, fires: i16) -> Wall {
    Wall {
        table: table.name.clone(),
        trigger,
        function: function.to_owned(),
        body: String::new(),
        fires,
    }
}
