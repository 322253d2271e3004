//! Schemas of rows: as they are answered, and as they are written.

use serde_json::{Map, Value, json};

use super::relation::{Arity, Child, Is, Relation, Written};
use super::{checks, types};
use crate::pg::catalog::Column;

/// The schemas of a table or a view by their names.
pub(super) fn schemas(of: Relation<'_>, tables: &[Relation<'_>]) -> Vec<(String, Value)> {
    let name = of.name();
    let mut found = vec![(name.to_owned(), answered(of))];
    let Is::Table(table) = of.is else {
        return found;
    };
    found.push((new_name(name), new(of, tables)));
    if table.within.is_some() {
        for root in tables {
            let children = root.children(tables).into_iter();
            found.extend(
                children
                    .filter(|c| c.of.name() == name)
                    .map(|c| (within_name(name), within(c, tables))),
            );
        }
    }
    if of.changes() {
        found.push((change_name(name), change(of)));
    }
    if of.changes() && of.has_key() {
        found.push((whole_name(name), whole(of)));
    }
    found
}

/// The schema of a new row.
pub(super) fn new_name(table: &str) -> String {
    format!("{table}.new")
}

/// The schema of a new row that is posted with its root.
fn within_name(table: &str) -> String {
    format!("{table}.within")
}

/// The schema of what a PATCH sets.
pub(super) fn change_name(table: &str) -> String {
    format!("{table}.change")
}

/// The schema of a row that is put.
pub(super) fn whole_name(table: &str) -> String {
    format!("{table}.whole")
}

/// A reference to a schema.
pub(super) fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// A row in an answer.
///
/// Nothing is required, for `select` decides what is there; and more may be: renamed columns, embedded relations.
fn answered(of: Relation<'_>) -> Value {
    let columns = of.columns().map(|column| {
        let mut schema = described(value(of, column), of, column);
        if matches!(of.written(column), Written::Never | Written::Version | Written::Touch)
            && matches!(of.is, Is::Table(_))
        {
            schema["readOnly"] = true.into();
        }
        (column.name.clone(), schema)
    });
    json!({
        "type": "object",
        "description": sentences([of.summary, of.shape.comment.as_deref().unwrap_or_default()]),
        "properties": Map::from_iter(columns),
        "additionalProperties": true,
    })
}

/// A column's values, as the table takes them.
fn value(of: Relation<'_>, column: &Column) -> Value {
    let schema = taken(of, column);
    if column.not_null {
        schema
    } else {
        types::nullable(schema)
    }
}

/// A column's values but null.
fn taken(of: Relation<'_>, column: &Column) -> Value {
    checks::narrow(types::schema(column.into()), of.shape, column)
}

fn new(of: Relation<'_>, tables: &[Relation<'_>]) -> Value {
    inserted(of, &[], tables)
}

/// A row of a child: the key of its root decides the columns that link to it.
fn within(child: Child<'_>, tables: &[Relation<'_>]) -> Value {
    inserted(child.of, &child.link.columns, tables)
}

fn inserted(of: Relation<'_>, linked: &[String], tables: &[Relation<'_>]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for column in of.columns() {
        let schema = match of.written(column) {
            Written::Never => continue,
            _ if linked.contains(&column.name) => {
                let note = "Follows from the row this one is posted with; what is sent is ignored.";
                properties.insert(column.name.clone(), json!({ "description": note }));
                continue;
            }
            Written::Required => {
                required.push(column.name.clone());
                value(of, column)
            }
            Written::Optional => filled(of, column),
            Written::Version => {
                let note = "A new row has none yet: the service counts it.";
                properties.insert(column.name.clone(), json!({ "type": "null", "description": note }));
                continue;
            }
            Written::Touch => json!({}),
        };
        properties.insert(column.name.clone(), described(schema, of, column));
    }
    for child in of.children(tables) {
        properties.insert(child.of.name().to_owned(), posted(child));
    }
    let mut schema = json!({
        "type": "object",
        "description": format!("A new row of `{}`.", of.name()),
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// A column that may be left out: null is refused all the same where the table refuses it, unless a reference fills it.
fn filled(of: Relation<'_>, column: &Column) -> Value {
    let is_cached = matches!(of.is, Is::Table(table) if table.cached.iter().any(|c| c.column == column.name));
    if is_cached {
        return types::nullable(taken(of, column));
    }
    value(of, column)
}

/// The rows of a child in the body of its root.
fn posted(child: Child<'_>) -> Value {
    let row = reference(&within_name(child.of.name()));
    match child.arity {
        Arity::One => json!({
            "description": child.of.summary,
            "anyOf": [row, { "type": "array", "items": row, "maxItems": 1 }, { "type": "null" }],
        }),
        Arity::Many => json!({
            "description": child.of.summary,
            "type": ["array", "null"],
            "items": row,
        }),
    }
}

/// What a PATCH sets: any columns, or none.
fn change(of: Relation<'_>) -> Value {
    let properties = of
        .columns()
        .filter_map(|column| Some((column.name.clone(), described(changed(of, column)?, of, column))));
    json!({
        "type": "object",
        "description": format!("What a row of `{}` is changed to: the columns named here, no others.", of.name()),
        "properties": Map::from_iter(properties),
        "additionalProperties": false,
    })
}

/// A row that is put: its key stands in the URL, and may be repeated here.
fn whole(of: Relation<'_>) -> Value {
    let mut required = Vec::new();
    let mut properties = Map::new();
    for column in of.columns() {
        let Some(schema) = changed(of, column) else {
            continue;
        };
        if of.written(column) == Written::Required && !of.shape.key.contains(&column.name) {
            required.push(column.name.clone());
        }
        properties.insert(column.name.clone(), described(schema, of, column));
    }
    let mut schema = json!({
        "type": "object",
        "description": format!("A row of `{}`, whether it is there already or not.", of.name()),
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

fn changed(of: Relation<'_>, column: &Column) -> Option<Value> {
    Some(match of.written(column) {
        Written::Required => value(of, column),
        Written::Optional => filled(of, column),
        Written::Version => json!({
            "type": ["integer", "null"],
            "format": "int64",
        }),
        Written::Touch => json!({}),
        Written::Never => return None,
    })
}

/// Adds what people should know about a column of a row.
fn described(mut schema: Value, of: Relation<'_>, column: &Column) -> Value {
    let kept = match of.written(column) {
        Written::Version => VERSION,
        Written::Touch => TOUCH,
        _ => "",
    };
    let note = sentences([about(of, column).as_str(), kept]);
    if !note.is_empty() {
        schema["description"] = note.into();
    }
    schema
}

const VERSION: &str = "Counted by the service: raised with every change. In a change it is a guard: the row must still have this version.";
const TOUCH: &str = "The moment of the last change, set by the service; what is sent is ignored.";

/// What people should know about a column: its comment, and what the manifest says.
pub(super) fn about(of: Relation<'_>, column: &Column) -> String {
    let mut notes = vec![column.comment.clone().unwrap_or_default()];
    if let Is::Table(table) = of.is {
        let refs = table.refs.iter().filter(|r| r.column == column.name);
        notes.extend(refs.map(|r| format!("The id of a row of {}.", r.to)));
        let cached = table.cached.iter().filter(|c| c.column == column.name);
        notes.extend(cached.map(|c| format!("Copied from {}.{}.", c.reference, c.source)));
    }
    sentences(notes.iter().map(String::as_str))
}

/// Joins what is not empty; what another part begins with is not said twice.
pub(super) fn sentences<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut said: Vec<&str> = Vec::new();
    for part in parts.into_iter().map(str::trim).filter(|p| !p.is_empty()) {
        if said.iter().any(|known| begins(known, part)) {
            continue;
        }
        said.retain(|known| !begins(part, known));
        said.push(part);
    }
    said.join(" ")
}

/// Whether `text` begins with what `sentence` says.
fn begins(text: &str, sentence: &str) -> bool {
    let rest = text.strip_prefix(sentence.trim_end_matches('.'));
    rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}
