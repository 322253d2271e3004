//! `history = true`: a companion table that takes every version of a row in the transaction that made it, and the function
//! that brings one back.
//!
//! The companion is append-only and under the log's chain like any other; only the triggers here write it. What a row held
//! is kept as JSON without its hidden columns, so that a column added, dropped or given another type later changes nothing
//! about what was.

use freehold_manifest::history;
use freehold_manifest::model::{History, Refresh, Service, Table};
use freehold_manifest::names::Names;
use tokio_postgres::Client;

use super::publish::{bury_versions, equal, lift_versions, meet_tombstones};
use super::rows::KEPT;
use super::{derived, key_text, shown_locally, trigger_function};
use crate::error::Error;
use crate::pg::catalog::{Catalog, Column, TableShape};
use crate::pg::ident;

/// The companions that are not there yet.
///
/// # Errors
/// [`Error::Install`] where the key of a table is another than its history was begun with.
pub(super) fn companions(service: &Service, shapes: &Catalog) -> Result<String, Error> {
    let mut script = String::new();
    for table in recorded(service) {
        // A table that is not there is told of by others.
        let Some(shape) = shapes.tables.get(&table.name) else {
            continue;
        };
        let name = history::companion(&table.name);
        let on = ident::qualified(&shape.schema, &name);
        let Some(companion) = shapes.tables.get(&name) else {
            script += &create(&on, shape);
            continue;
        };
        let (last, key) = companion.key.split_last().unzip();
        if last.map(String::as_str) != Some("version") || key != Some(&shape.key[..]) {
            return Err(Error::Install {
                service: service.name.clone(),
                problem: format!("the primary key of {} is not the one its history has", table.name),
                remedy: "give the table its old key back, or its rows a table of their own under the new one"
                    .to_owned(),
            });
        }
    }
    Ok(script)
}

fn create(on: &str, shape: &TableShape) -> String {
    let key = |each: fn(&Column) -> String| key_columns(shape).map(each).collect::<Vec<_>>().join(", ");
    format!(
        "create table {on} (\n\
         \x20 {columns},\n\
         \x20 version bigint not null,\n\
         \x20 operation text not null check (operation in ('found', 'insert', 'update', 'delete')),\n\
         \x20 at timestamptz not null,\n\
         \x20 who text,\n\
         \x20 trace_id text,\n\
         \x20 state jsonb,\n\
         \x20 primary key ({names}, version)\n\
         );\n\
         comment on column {on}.operation is \
         'What made the version; found: the row was there when its history began.';\n\
         comment on column {on}.who is 'Who was asking; null for the service itself.';\n\
         comment on column {on}.trace_id is 'The trace the write belonged to.';\n\
         comment on column {on}.state is 'What the row held; null after its deletion.';\n",
        columns = key(|c| format!("{} {} not null", ident::quote(&c.name), c.cast)),
        names = key(|c| ident::quote(&c.name)),
    )
}

/// Whoever may see a row may see its history; whether rows are hidden at all follows the table, after each migration.
pub(super) fn row_security(service: &Service, shapes: &Catalog) -> String {
    recorded(service)
        .filter_map(|table| Some((table, shapes.tables.get(&table.name)?)))
        .map(|(table, shape)| {
            let on = ident::qualified(&shape.schema, &shape.name);
            let companion = ident::qualified(&shape.schema, &history::companion(&table.name));
            format!(
                "do $freehold$\ndeclare\n  wanted boolean := (select relrowsecurity from pg_class where oid = {on_text}::regclass);\n\
                 \x20 had boolean := (select relrowsecurity from pg_class where oid = {companion_text}::regclass);\n\
                 begin\n\
                 \x20 if wanted and not had then\n\
                 \x20   alter table {companion} enable row level security;\n\
                 \x20   drop policy if exists freehold_history on {companion};\n\
                 \x20   create policy freehold_history on {companion} for select\n\
                 \x20   using (exists (select from {on} t where {same}));\n\
                 \x20 elsif had and not wanted then\n\
                 \x20   alter table {companion} disable row level security;\n\
                 \x20 end if;\n\
                 end\n$freehold$;\n",
                on_text = ident::literal(&on),
                companion_text = ident::literal(&companion),
                same = equal("t", &companion, &shape.key),
            )
        })
        .collect()
}

/// Refuses to end a history: what happened meanwhile would be missing from it, and nobody could tell.
///
/// # Errors
/// [`Error::Install`] that names the table.
pub(super) async fn must_go_on(client: &Client, service: &Service, names: &Names) -> Result<(), Error> {
    let asked = crate::pg::place(
        "select k.history_of from freehold.kept k where k.history_of is not null order by k.name",
        &names.freehold,
    );
    let begun = client.query(&*asked, &[]).await?;
    for row in &begun {
        let name: &str = row.try_get(0)?;
        if service.table(name).is_some_and(|table| table.history == History::None) {
            return Err(Error::Install {
                service: service.name.clone(),
                problem: format!("the history of {name} was begun and is not declared any more"),
                remedy: format!("write `history = true` under [owns.{name}] again"),
            });
        }
    }
    Ok(())
}

/// The triggers that write a table's companion, and the function that brings rows back; nothing without history.
///
/// # Errors
/// [`Error::Install`] for a table without a primary key.
pub(super) fn triggers(service: &Service, table: &Table, shape: &TableShape) -> Result<String, Error> {
    if table.history != History::Kept {
        return Ok(String::new());
    }
    if shape.key.is_empty() {
        return Err(Error::Install {
            service: service.name.clone(),
            problem: format!("table {} keeps its history but has no primary key", table.name),
            remedy: "give it one in a migration: its versions are told apart by it".to_owned(),
        });
    }
    let of = Recorded::new(service, table, shape);
    Ok([of.functions(), of.walls(), of.found(), of.restore()].concat())
}

/// A table with history, and what the statements about it have in common.
struct Recorded<'a> {
    table: &'a Table,
    shape: &'a TableShape,
    on: String,
    companion: String,
    /// Under which its deleted keys are known, as literal.
    topic: String,
    /// Whether publication keeps the tombstones and refuses what would pass the triggers.
    published: bool,
}

impl<'a> Recorded<'a> {
    fn new(service: &Service, table: &'a Table, shape: &'a TableShape) -> Self {
        Self {
            on: ident::qualified(&shape.schema, &shape.name),
            companion: ident::qualified(&shape.schema, &history::companion(&table.name)),
            topic: ident::literal(&format!("{}.{}", service.name, table.name)),
            published: !table.publishes.is_empty(),
            table,
            shape,
        }
    }

    /// `insert into … select …`, up to the rows.
    fn record(&self, row: &str, version: &str, operation: &str, state: &str) -> String {
        let names = |prefix: &str| -> String {
            let names = self.shape.key.iter().map(|c| format!("{prefix}{}, ", ident::quote(c)));
            names.collect()
        };
        format!(
            "insert into {companion} ({names}version, operation, at, who, trace_id, state)\n\
             \x20 select {values}{version}, {operation}, clock_timestamp(),\n\
             \x20   nullif(current_setting('fh.subject', true), ''),\n\
             \x20   nullif(split_part(current_setting('fh.traceparent', true), '-', 2), ''),\n\
             \x20   {state}\n",
            companion = self.companion,
            names = names(""),
            values = names(&format!("{row}.")),
        )
    }

    /// What a row holds, hidden columns left out: whoever reads histories must not read those.
    fn state(&self, row: &str) -> String {
        let hidden: Vec<String> = self.table.hidden.iter().map(|c| ident::literal(c)).collect();
        format!("to_jsonb({row}) - array[{}]::text[]", hidden.join(", "))
    }

    fn functions(&self) -> String {
        let (topic, new_key) = (&self.topic, key_text("n", &self.shape.key));
        // A row that comes back under a deleted key is lifted over the tombstone by an update, which records it.
        let insert = format!(
            "{meet}  {record}  from new_rows n\n\
             \x20 where not exists (\n\
             \x20   select from freehold.key_version k\n\
             \x20   where k.topic = {topic} and k.key = {new_key} and k.version >= n.version\n\
             \x20 );\n\
             {lift}  return null;\n",
            meet = self.unless_published(meet_tombstones(topic, &new_key)),
            record = self.record("n", "n.version", "'insert'", &self.state("n")),
            lift = self.unless_published(lift_versions(&self.on, topic, &self.shape.key)),
        );
        let update = format!(
            "  {record}  from new_rows n\n\
             \x20 left join freehold.key_version k on k.topic = {topic} and k.key = {new_key} and k.version = n.version - 1;\n\
             \x20 return null;\n",
            record = self.record(
                "n",
                "n.version",
                "case when k.key is null then 'update' else 'insert' end",
                &self.state("n")
            ),
        );
        let bury = match self.published {
            true => String::new(),
            false => format!(
                "  with buried as (\n{}  )\n  select count(*) into buried from buried;\n",
                bury_versions(topic, &self.shape.key)
            ),
        };
        let declare = if self.published { "" } else { "buried bigint;" };
        let delete = format!(
            "  {record}  from old_rows o;\n{bury}  return null;\n",
            record = self.record("o", "o.version + 1", "'delete'", "null"),
        );
        [
            trigger_function(&function("insert", &self.table.name), "", &insert),
            trigger_function(&function("update", &self.table.name), "", &update),
            trigger_function(&function("delete", &self.table.name), declare, &delete),
        ]
        .concat()
    }

    fn unless_published(&self, sql: String) -> String {
        if self.published { String::new() } else { sql }
    }

    /// ALWAYS: session_replication_role does not pass them either.
    fn walls(&self) -> String {
        let on = &self.on;
        let mut sql = String::new();
        for (what, rows) in [
            ("insert", "new table as new_rows"),
            ("update", "new table as new_rows"),
            ("delete", "old table as old_rows"),
        ] {
            sql += &format!(
                "create trigger freehold_history_{what} after {what} on {on} referencing {rows} \
                 for each statement execute function freehold.{function}();\n\
                 alter table {on} enable always trigger freehold_history_{what};\n",
                function = ident::quote(&function(what, &self.table.name)),
            );
        }
        let differs: Vec<String> = self
            .shape
            .key
            .iter()
            .map(|c| format!("old.{0} is distinct from new.{0}", ident::quote(c)))
            .collect();
        // Beside those of publication: their own are ALWAYS on.
        sql += &format!(
            "create trigger freehold_history_truncate before truncate on {on} \
             for each statement execute function freehold.refuse_truncate('keeps its history');\n\
             create trigger freehold_history_key before update on {on} \
             for each row when ({differs}) execute function freehold.refuse_key_change('its history is kept under it');\n\
             alter table {on} enable always trigger freehold_history_truncate;\n\
             alter table {on} enable always trigger freehold_history_key;\n",
            differs = differs.join(" or "),
        );
        sql
    }

    /// The rows that were there before their history: once, when the companion is new.
    fn found(&self) -> String {
        format!(
            "{shown}\ndo $freehold$\nbegin\n\
             \x20 if not exists (select from freehold.kept k where k.name = {name}) then\n\
             \x20 {record}  from {on} n;\n\
             \x20 end if;\n\
             end\n$freehold$;\n",
            shown = shown_locally(),
            name = ident::literal(&history::companion(&self.table.name)),
            record = self.record("n", "n.version", "'found'", &self.state("n")),
            on = self.on,
        )
    }

    /// As the caller: policies, versions and triggers hold. Under a guard: the version the caller believes to be current.
    fn restore(&self) -> String {
        let Self { on, companion, .. } = self;
        let name = ident::qualified(&self.shape.schema, &history::restore(&self.table.name));
        let key: Vec<&Column> = key_columns(self.shape).collect();
        let arguments: String = key
            .iter()
            .map(|c| format!("{} {}, ", ident::quote(&c.name), c.cast))
            .collect();
        let (to, at) = (key.len() + 1, key.len() + 2);
        let same = |row: &str, behind: usize| {
            let pairs = key.iter().zip(behind + 1..);
            let pairs: Vec<String> = pairs
                .map(|(c, place)| format!("{row}.{} = ${place}", ident::quote(&c.name)))
                .collect();
            pairs.join(" and ")
        };
        let key_names: Vec<String> = key.iter().map(|c| ident::quote(&c.name)).collect();
        let using: Vec<String> = (1..=key.len()).map(|place| format!("${place}")).collect();
        // Behind the state and the version.
        let same_behind = same("t", 2);
        format!(
            "drop function if exists {name};\n\
             create function {name}({arguments}to_version bigint, at_version bigint) returns {on}\n\
             language plpgsql volatile security invoker\nas $freehold$\n\
             declare\n\
             \x20 wanted jsonb;\n\
             \x20 latest bigint;\n\
             \x20 names text;\n\
             \x20 held text;\n\
             \x20 restored {on};\n\
             begin\n\
             \x20 select h.state into wanted from {companion} h where {same_h} and h.version = ${to} and h.state is not null;\n\
             \x20 if not found then\n\
             \x20   raise exception using errcode = 'FH022', message = format('{table} has no version %s of this row', ${to}),\n\
             \x20     hint = 'the history of the row lists its versions', table = {table_text};\n\
             \x20 end if;\n\
             \x20 -- What the version does not know, a column that came later, stays as it is.\n\
             \x20 select string_agg(', ' || quote_ident(c), '' order by c), string_agg(', s.' || quote_ident(c), '' order by c)\n\
             \x20 into names, held\n\
             \x20 from unnest({columns}) c where wanted ? c;\n\
             \x20 execute format('update {on_format} t set (version%1$s) = (select t.version%2$s from jsonb_populate_record(t, $1) s) '\n\
             \x20     'where {same_format} and t.version = $2 returning t.*',\n\
             \x20     names, held)\n\
             \x20 into restored using wanted, ${at}, {using};\n\
             \x20 if restored.version is null then\n\
             \x20   select max(h.version) into latest from {companion} h where {same_h};\n\
             \x20   if exists (select from {on} t where {same_t}) or latest is distinct from ${at} then\n\
             \x20     raise exception using errcode = 'FH021',\n\
             \x20       message = format('the row of {table} is at another version than %s', ${at}),\n\
             \x20       hint = 'read it again and name its current version as at_version', table = {table_text};\n\
             \x20   end if;\n\
             \x20   execute format('insert into {on_format} ({key_format}%1$s) overriding system value '\n\
             \x20       'select {key_of_s}%2$s from jsonb_populate_record(null::{on_format}, $1) s returning *',\n\
             \x20       names, held)\n\
             \x20   into restored using wanted;\n\
             \x20   -- Lifted over its tombstone meanwhile.\n\
             \x20   select t.* into restored from {on} t where {same_t};\n\
             \x20 end if;\n\
             \x20 return restored;\n\
             end\n$freehold$;\n",
            table = self.table.name,
            table_text = ident::literal(&self.table.name),
            same_h = same("h", 0),
            same_t = same("t", 0),
            same_format = quoted(&same_behind),
            on_format = quoted(on),
            key_format = quoted(&key_names.join(", ")),
            key_of_s = quoted(
                &key_names
                    .iter()
                    .map(|k| format!("s.{k}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            columns = self.restorable(),
            using = using.join(", "),
        )
    }

    /// The columns that a restored row takes from its history: all that somebody writes, the key and hidden ones left out.
    fn restorable(&self) -> String {
        let followed = |name: &str| {
            let cached = self.table.cached.iter();
            cached
                .filter(|c| c.refresh == Refresh::OnChange)
                .any(|c| c.column == name)
        };
        let columns = self.shape.columns.iter().filter(|c| {
            c.is_writable()
                && !self.shape.key.contains(&c.name)
                && !self.table.hidden.contains(&c.name)
                && !KEPT.iter().any(|(kept, _)| *kept == c.name)
                && !followed(&c.name)
        });
        let names: Vec<String> = columns.map(|c| ident::literal(&c.name)).collect();
        format!("array[{}]::text[]", names.join(", "))
    }
}

/// Whether the function is one that brings rows back.
pub(super) fn is_restore(service: &Service, function: &str) -> bool {
    recorded(service).any(|table| history::restore(&table.name) == function)
}

/// The owned tables whose history is kept.
fn recorded(service: &Service) -> impl Iterator<Item = &Table> {
    service.owns.iter().filter(|table| table.history == History::Kept)
}

/// The columns of the primary key, in the order of the key.
fn key_columns(shape: &TableShape) -> impl Iterator<Item = &Column> {
    shape.key.iter().filter_map(|name| shape.column(name))
}

/// The name of the function that records one kind of change.
pub(super) fn function(what: &str, table: &str) -> String {
    derived(&format!("history_{what}"), table)
}

/// SQL inside a format string inside SQL.
fn quoted(sql: &str) -> String {
    sql.replace('%', "%%").replace('\'', "''")
}
