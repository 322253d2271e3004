//! Publication: a change of a published table becomes a message in the transaction that made it.
//!
//! Statement-level triggers with transition tables: one insert per statement, not one per row.

use freehold_manifest::model::{Service, Table};

use super::{derived, key_text, trigger_function};
use crate::error::Error;
use crate::pg::catalog::{Kind, TableShape};
use crate::pg::ident;

/// PostgreSQL passes at most 100 arguments to a function, and a column takes two.
const COLUMNS_MAX: usize = 50;

/// The publication triggers of a table; nothing when it publishes nothing.
pub(super) fn triggers(service: &Service, table: &Table, shape: &TableShape) -> Result<String, Error> {
    if table.publishes.is_empty() {
        return Ok(String::new());
    }
    check(service, table, shape)?;
    let on = ident::qualified(&shape.schema, &shape.name);
    let topic = ident::literal(&format!("{}.{}", service.name, table.name));
    let changed = ident::literal(&format!("{}.{}.changed", service.name, table.name));
    let deleted = ident::literal(&format!("{}.{}.deleted", service.name, table.name));
    let payload = object("n", &table.publishes, shape);
    let (new_key, old_key) = (key_text("n", &shape.key), key_text("o", &shape.key));
    let same_key = equal("n", "o", &shape.key);
    let inserted = trigger_function(
        &derived("publish_insert", &table.name),
        "",
        &format!(
            "{meet}\
             \x20 insert into freehold.outbox (topic, type, key, version, payload)\n\
             \x20 select {topic}, {changed}, {new_key}, greatest(n.version, k.version + 1), {payload}\n\
             \x20 from new_rows n\n\
             \x20 left join freehold.key_version k on k.topic = {topic} and k.key = {new_key};\n\
             {lift}\
             \x20 return null;\n",
            meet = meet_tombstones(&topic, &new_key),
            lift = lift_versions(&on, &topic, &shape.key),
        ),
    );
    let updated = trigger_function(
        &derived("publish_update", &table.name),
        "",
        // A change of private columns alone is nobody's business.
        &format!(
            "  insert into freehold.outbox (topic, type, key, version, payload)\n\
             \x20 select {topic}, {changed}, {new_key}, n.version, {payload}\n\
             \x20 from new_rows n\n\
             \x20 join old_rows o on {same_key}\n\
             \x20 where {new_values} *<> {old_values};\n\
             \x20 return null;\n",
            new_values = values("n", table),
            old_values = values("o", table),
        ),
    );
    let removed = trigger_function(
        &derived("publish_delete", &table.name),
        "",
        &format!(
            "  with buried as (\n{bury}\x20 )\n\
             \x20 insert into freehold.outbox (topic, type, key, version, payload)\n\
             \x20 select {topic}, {deleted}, b.key, b.version, {key_object}\n\
             \x20 from old_rows o\n\
             \x20 join buried b on b.key = {old_key};\n\
             \x20 return null;\n",
            bury = bury_versions(&topic, &shape.key),
            key_object = object("o", &shape.key, shape),
        ),
    );
    let name = |what: &str| ident::quote(&derived(&format!("publish_{what}"), &table.name));
    Ok(format!(
        "{inserted}{updated}{removed}\
         create trigger freehold_publish_insert after insert on {on} \
         referencing new table as new_rows for each statement execute function freehold.{insert}();\n\
         create trigger freehold_publish_update after update on {on} \
         referencing old table as old_rows new table as new_rows for each statement execute function freehold.{update}();\n\
         create trigger freehold_publish_delete after delete on {on} \
         referencing old table as old_rows for each statement execute function freehold.{delete}();\n\
         create trigger freehold_publish_truncate before truncate on {on} \
         for each statement execute function freehold.refuse_truncate();\n\
         create trigger freehold_publish_key before update on {on} \
         for each row when ({key_differs}) execute function freehold.refuse_key_change();\n",
        insert = name("insert"),
        update = name("update"),
        delete = name("delete"),
        key_differs = shape
            .key
            .iter()
            .map(|c| format!("old.{0} is distinct from new.{0}", ident::quote(c)))
            .collect::<Vec<_>>()
            .join(" or "),
    ))
}

/// A key that was deleted before goes on counting where its tombstone stopped. A snapshot taken before that deletion
/// committed does not show the tombstone, though the key is free: to meet it is then an error (40001).
pub(super) fn meet_tombstones(topic: &str, new_key: &str) -> String {
    format!(
        "  if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then\n\
         \x20   insert into freehold.key_version (topic, key, version)\n\
         \x20   select {topic}, {new_key}, 0 from new_rows n on conflict do nothing;\n\
         \x20   delete from freehold.key_version k using new_rows n\n\
         \x20   where k.topic = {topic} and k.key = {new_key} and k.version = 0;\n\
         \x20 end if;\n"
    )
}

/// Lifts the versions of new rows over their keys' tombstones.
pub(super) fn lift_versions(on: &str, topic: &str, key: &[String]) -> String {
    let new_key = key_text("n", key);
    format!(
        "  if exists (select from freehold.key_version k where k.topic = {topic}) then\n\
         \x20   update {on} t\n\
         \x20   set version = k.version + 1\n\
         \x20   from new_rows n\n\
         \x20   join freehold.key_version k on k.topic = {topic} and k.key = {new_key} and k.version >= n.version\n\
         \x20   where {same_row};\n\
         \x20 end if;\n",
        same_row = equal("t", "n", key),
    )
}

/// Leaves tombstones for deleted rows, and gives their keys and versions.
pub(super) fn bury_versions(topic: &str, key: &[String]) -> String {
    let old_key = key_text("o", key);
    format!(
        "    insert into freehold.key_version as k (topic, key, version)\n\
         \x20   select {topic}, {old_key}, o.version + 1\n\
         \x20   from old_rows o\n\
         \x20   on conflict on constraint key_version_pkey do update set version = greatest(k.version + 1, excluded.version)\n\
         \x20   returning k.key, k.version\n"
    )
}

/// The declared domain events, which `freehold.emit` accepts, and the commands and replies that `freehold.send` does.
pub(super) fn event_types(service: &Service) -> String {
    let array = |texts: &[String]| {
        let quoted: Vec<String> = texts.iter().map(|t| ident::literal(t)).collect();
        format!("array[{}]::text[]", quoted.join(", "))
    };
    let (mut types, mut topics) = (Vec::new(), Vec::new());
    for command in &service.sends {
        if let Some((to, _)) = command.split_once('.') {
            types.push(command.clone());
            topics.push(format!("{to}.commands"));
        }
    }
    for command in &service.commands {
        for from in command.from.iter().filter(|from| **from != service.name) {
            for outcome in ["done", "refused"] {
                types.push(format!("{}.{outcome}", command.name));
                topics.push(format!("{from}.replies"));
            }
        }
    }
    format!(
        "delete from freehold.event_type;\n\
         insert into freehold.event_type (type) select unnest({});\n\
         delete from freehold.sent_type;\n\
         insert into freehold.sent_type (type, topic) select * from unnest({}, {});\n",
        array(&service.publishes),
        array(&types),
        array(&topics),
    )
}

fn check(service: &Service, table: &Table, shape: &TableShape) -> Result<(), Error> {
    let fail = |problem: String, remedy: &str| {
        Err(Error::Install {
            service: service.name.clone(),
            problem,
            remedy: remedy.to_owned(),
        })
    };
    if shape.key.is_empty() {
        return fail(
            format!("table {} is published but has no primary key", table.name),
            "give it one: other services know a row by it",
        );
    }
    if !shape.has_version {
        return fail(
            format!("append-only table {} is published but has no version", table.name),
            "add `version bigint not null default 1` to it in a migration",
        );
    }
    if table.publishes.len() > COLUMNS_MAX {
        return fail(
            format!("table {} publishes {} columns", table.name, table.publishes.len()),
            "publish at most 50",
        );
    }
    for column in &table.publishes {
        if shape.column(column).is_none() {
            return fail(
                format!("{}.{column} is published but does not exist", table.name),
                "correct its name in publishes, or add it in a migration",
            );
        }
    }
    Ok(())
}

/// `json_build_object('id', n."id", …)`, on one line whatever white space a `json` value has.
pub(crate) fn object(row: &str, columns: &[String], shape: &TableShape) -> String {
    let pairs: Vec<String> = columns
        .iter()
        .map(|name| {
            let value = format!("{row}.{}", ident::quote(name));
            let value = match shape.column(name).map(|c| c.kind) {
                // Or what has one inside.
                Some(Kind::Json | Kind::Array | Kind::Composite) => format!("to_jsonb({value})"),
                _ => value,
            };
            format!("{}, {value}", ident::literal(name))
        })
        .collect();
    format!("json_build_object({})", pairs.join(", "))
}

/// `a."id" = b."id" and …`
pub(super) fn equal(a: &str, b: &str, key: &[String]) -> String {
    let pairs: Vec<String> = key
        .iter()
        .map(|c| format!("{a}.{0} = {b}.{0}", ident::quote(c)))
        .collect();
    pairs.join(" and ")
}

/// The published values as a row, to be compared byte by byte (`*<>`): not every type has an equality, and 1.0 is shown
/// otherwise than 1.00.
fn values(row: &str, table: &Table) -> String {
    let columns: Vec<String> = table
        .publishes
        .iter()
        .map(|c| format!("{row}.{}", ident::quote(c)))
        .collect();
    format!("row({})::record", columns.join(", "))
}
