//! Append-only rows under the log's chain: each row's digest becomes an entry of the log, in the transaction that wrote it.
//!
//! The sequencer chains the entries like any message, so no write waits for another because of them. Whoever holds a hash of
//! the log, as every subscriber does, is a witness of the rows. `freehold verify history` computes the digests again.

use freehold_manifest::model::{History, Mode, Service, Table};

use super::{derived, key_text, shown_locally, trigger_function};
use crate::error::Error;
use crate::pg::catalog::TableShape;
use crate::pg::ident;

/// Bytes of a key that an entry bears as it is: what `freehold.outbox` takes. A longer one is told by its digest.
const KEY_MAX: usize = 512;

/// Characters of an entry's payload after the names of the columns: a digest, a quote and a brace.
pub const DIGEST_CHARACTERS: usize = 66;

/// Topic and type of the entries of a table: `order.order_history.appended`. Nobody can subscribe to it.
#[must_use]
pub fn topic(service: &str, table: &str) -> String {
    format!("{service}.{table}.appended")
}

/// The key that an entry has for `row`, in SQL.
///
/// The same text whatever a session says, provided that [`shown_locally`] is in force.
#[must_use]
pub fn entry_key(row: &str, key: &[String]) -> String {
    let key = key_text(row, key);
    format!(
        "case when octet_length({key}) <= {KEY_MAX} then {key} else encode(sha256(convert_to({key}, 'UTF8')), 'hex') end"
    )
}

/// What an entry's payload is for `row`, as text in SQL: the names of the columns, and SHA-256 of their values.
///
/// The values are hashed as a JSON array of the columns' texts, in the order of the names. The names are part of it: a column
/// that is added later is not among those of earlier rows, and changes nothing about them.
#[must_use]
pub fn entry_payload(row: &str, columns: &[String]) -> String {
    let texts: Vec<String> = columns
        .iter()
        .map(|column| format!("{row}.{}::text", ident::quote(column)))
        .collect();
    format!(
        "{prefix} || encode(sha256(convert_to(array_to_json(array[{texts}]::text[])::text, 'UTF8')), 'hex') || '\"}}'",
        prefix = ident::literal(&payload_prefix(columns)),
        texts = texts.join(", "),
    )
}

/// What the payload begins with when these are the columns.
#[must_use]
pub fn payload_prefix(columns: &[String]) -> String {
    format!("{{\"columns\":{},\"sha256\":\"", serde_json::Value::from(columns))
}

/// The columns that a payload's beginning names; none where it was not written by the library.
#[must_use]
pub fn payload_columns(prefix: &str) -> Option<Vec<String>> {
    let list = prefix.strip_prefix("{\"columns\":")?.strip_suffix(",\"sha256\":\"")?;
    serde_json::from_str(list).ok()
}

/// The name of the function that writes the entries.
pub(super) fn function(table: &str) -> String {
    derived("appended", table)
}

/// The trigger of an append-only table, and entries for the rows that were there before it; nothing for other tables.
///
/// # Errors
/// [`Error::Install`] for a table without a primary key.
pub(super) fn triggers(service: &Service, table: &Table, shape: &TableShape) -> Result<String, Error> {
    if table.mode != Mode::AppendOnly {
        return Ok(String::new());
    }
    if shape.key.is_empty() {
        return Err(Error::Install {
            service: service.name.clone(),
            problem: format!("append-only table {} has no primary key", table.name),
            remedy: "give it one in a migration: the log holds a digest of each of its rows".to_owned(),
        });
    }
    let on = ident::qualified(&shape.schema, &shape.name);
    let (name, function) = (ident::literal(&table.name), function(&table.name));
    let of = match &table.history {
        History::Of(of) => ident::literal(of),
        History::None | History::Kept => "null".to_owned(),
    };
    let columns: Vec<String> = shape.columns.iter().map(|c| c.name.clone()).collect();
    let entries = |rows: &str| {
        format!(
            "insert into freehold.outbox (topic, type, key, version, payload)\n\
             \x20 select {topic}, {topic}, {key}, 1, ({payload})::json\n\
             \x20 from {rows} n;\n",
            topic = ident::literal(&topic(&service.name, &table.name)),
            key = entry_key("n", &shape.key),
            payload = entry_payload("n", &columns),
        )
    };
    let appended = trigger_function(&function, "", &format!("  {}  return null;\n", entries("new_rows")));
    Ok(format!(
        "{appended}\
         create trigger freehold_appended after insert on {on} \
         referencing new table as new_rows for each statement execute function freehold.{function}();\n\
         alter table {on} enable always trigger freehold_appended;\n\
         {shown}\n\
         do $freehold$\nbegin\n\
         \x20 insert into freehold.kept (name, history_of) values ({name}, {of}) on conflict do nothing;\n\
         \x20 if found then\n  {before}  end if;\n\
         end\n$freehold$;\n",
        function = ident::quote(&function),
        shown = shown_locally(),
        before = entries(&on),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_names_its_columns_whatever_they_are_called() {
        for columns in [&["id", "at"][..], &["a\"b", "c'd\\", "größe"], &[]] {
            let columns: Vec<String> = columns.iter().map(|c| (*c).to_owned()).collect();
            assert_eq!(payload_columns(&payload_prefix(&columns)), Some(columns));
        }
        for other in ["", "{}", "{\"columns\":[1],\"sha256\":\"", "{\"columns\":[\"id\"]"] {
            assert_eq!(payload_columns(other), None, "{other}");
        }
    }
}
