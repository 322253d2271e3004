//! Parameters: what the query string and the headers of a request may say.

use freehold_manifest::model::Limits;
use serde_json::{Value, json};

use super::Draft;
use super::filters::{self, PatternBytes, escape};
use super::names::{Given, component};
use super::relation::{Is, Relation, Written};
use super::rows::{about, reference, sentences};
use super::types::Type;
use crate::pg::catalog::{Column, Kind};

/// Words of the query string that no column's filter can be called.
const WORDS: [&str; 9] = [
    "select",
    "order",
    "limit",
    "offset",
    "after",
    "columns",
    "on_conflict",
    "and",
    "or",
];

/// A key in quotes, or bare.
const KEY: &str = r#"^("([\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255}"|[\x21\x23-\x7e][\x21-\x7e]{0,254})$"#;
/// A position in the log of a service.
const POSITION: &str = r"[A-Za-z0-9_-]+@[1-9][0-9]{0,8}\.[1-9][0-9]{0,18}";

const ALL_OF: &str = "Conditions that must all hold: `(a.eq.1,b.is.null)`. The pattern shows plain ones; they may stand inside each other: `(a.eq.1,or(b.is.null,c.gt.2))`.";
const ONE_OF: &str = "Conditions of which one must hold: `(a.eq.1,b.is.null)`; they may stand inside each other.";

/// The parameters of a table or a view, by what they are for.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    /// Which rows.
    pub(super) filters: Vec<Value>,
    /// Which one row: its key.
    pub(super) key: Vec<Value>,
    /// What of them.
    pub(super) select: Vec<Value>,
    /// In what order.
    pub(super) order: Vec<Value>,
    /// Which fields of a body count.
    pub(super) columns: Vec<Value>,
    /// What tells that a row is there already.
    pub(super) on_conflict: Vec<Value>,
}

/// References to parameters that every operation may have.
pub(super) fn shared(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| by_name(name)).collect()
}

fn by_name(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// Describes the parameters of a relation, and returns references to them.
pub(super) fn describe(draft: &mut Draft, of: Relation<'_>, limits: &Limits) -> Parameters {
    let name = of.name();
    let mut given = Given::default();
    let mut found = Parameters::default();
    for column in of.columns().filter(|c| is_plain(&c.name)) {
        let schema = filter_schema(draft, column, limits);
        let filter = query(&column.name, &filter_note(of, column), schema);
        let place = given.unique(&format!("{name}.where.{}", column.name));
        found.filters.push(draft.parameter(&place, filter));
    }
    if of.changes() && of.has_key() && of.key().all(|c| is_plain(&c.name)) {
        for column in of.key() {
            let schema = json!({ "type": "string", "pattern": filters::equals(column.into()) });
            let mut key = query(&column.name, "The key of the row: `eq.` and its value.", schema);
            key["required"] = true.into();
            let place = given.unique(&format!("{name}.key.{}", column.name));
            found.key.push(draft.parameter(&place, key));
        }
    }
    if let Some(tree) = tree(of) {
        let place = format!("{name}.conditions");
        draft.schema(&place, json!({ "type": "string", "pattern": tree }));
        for (word, note) in [("and", ALL_OF), ("or", ONE_OF)] {
            let joined = query(word, note, reference(&place));
            found.filters.push(draft.parameter(&format!("{name}.{word}"), joined));
        }
    }
    let names = || of.columns().map(|c| c.name.as_str());
    if let Some(one) = one_of(names()) {
        let select = query(
            "select",
            "The columns to answer with; all of them without it. Beyond the pattern it knows renamed columns, casts, JSON paths, aggregates and embedded tables, in the language of PostgREST; what is answered then has other columns than described here.",
            json!({ "type": "string", "pattern": format!(r"^(\*|{one}(,{one})*)?$") }),
        );
        found.select.push(draft.parameter(&format!("{name}.select"), select));
        let term = format!(r"{one}(\.(asc|desc))?(\.(nullsfirst|nullslast))?");
        let order = query(
            "order",
            "What to sort by, the first one first: `created_at.desc.nullslast,id`.",
            json!({ "type": "string", "pattern": format!("^({term}(,{term})*)?$") }),
        );
        found.order.push(draft.parameter(&format!("{name}.order"), order));
    }
    if let Is::Table(_) = of.is {
        describe_written(draft, of, &mut found);
    }
    found
}

fn describe_written(draft: &mut Draft, of: Relation<'_>, found: &mut Parameters) {
    let name = of.name();
    let writable = of
        .columns()
        .filter(|c| matches!(of.written(c), Written::Required | Written::Optional));
    if let Some(one) = one_of(writable.map(|c| c.name.as_str())) {
        let columns = query(
            "columns",
            "The fields of the body that count; the others are ignored, and rows need not all have the same.",
            json!({ "type": "string", "pattern": format!("^({one}(,{one})*)?$") }),
        );
        found.columns.push(draft.parameter(&format!("{name}.columns"), columns));
    }
    let sets: Vec<String> = of.unique_sets().iter().map(|set| set.join(",")).collect();
    if !sets.is_empty() {
        let on_conflict = query(
            "on_conflict",
            "The columns by which a row is found to be there already, for `Prefer: resolution=…`; the primary key without it.",
            json!({ "type": "string", "enum": sets }),
        );
        found
            .on_conflict
            .push(draft.parameter(&format!("{name}.on_conflict"), on_conflict));
    }
}

/// The schema of a column's filter is that of its type: described once, however many columns have it.
fn filter_schema(draft: &mut Draft, column: &Column, limits: &Limits) -> Value {
    let of: Type<'_> = column.into();
    let distinct = if of.labels.is_empty() { of.base } else { of.cast };
    let place = component(&format!("Filter.{distinct}"));
    let pattern = filters::pattern(of, PatternBytes(limits.pattern_bytes));
    draft.schema(
        &place,
        json!({
            "type": "string",
            "description": format!("A condition on a column of type {distinct}: an operator, a dot, a value; all of it after `not.` to turn it around."),
            "pattern": pattern,
        }),
    );
    reference(&place)
}

fn filter_note(of: Relation<'_>, column: &Column) -> String {
    let about = about(of, column);
    let paths = match column.kind {
        Kind::Json => "What is inside it is asked for by a path in the parameter's name: `column->a->>b=eq.x`.",
        _ => "",
    };
    sentences([about.as_str(), paths])
}

fn query(name: &str, description: &str, schema: Value) -> Value {
    let mut parameter = json!({ "name": name, "in": "query", "schema": schema });
    if !description.is_empty() {
        parameter["description"] = description.into();
    }
    parameter
}

/// Whether a filter can have the column's own name: a dot, an arrow or a quote in it would mean something else.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    !name.is_empty() && name.chars().all(plain) && !WORDS.contains(&name)
}

/// A pattern of one of these names.
fn one_of<'n>(names: impl Iterator<Item = &'n str>) -> Option<String> {
    let escaped: Vec<String> = names.filter(|n| is_plain(n)).map(escape).collect();
    match escaped.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("({})", many.join("|"))),
    }
}

/// A pattern of conditions side by side.
fn tree(of: Relation<'_>) -> Option<String> {
    let columns = of.columns().filter(|c| is_plain(&c.name));
    let tests: Vec<String> = columns
        .map(|c| format!(r"{}\.{}", escape(&c.name), filters::in_tree(c.into())))
        .collect();
    if tests.is_empty() {
        return None;
    }
    let one = format!("({})", tests.join("|"));
    Some(format!(r"^\({one}(,{one})*\)$"))
}

/// The parameters that several tables share.
pub(super) fn components(limits: &Limits) -> Vec<(&'static str, Value)> {
    let mut found = paging(limits);
    found.extend([
        ("Prefer.read", prefer(&["count=exact", "count=planned", "count=estimated", "handling=strict"])),
        ("Prefer.insert", prefer(&[
            "return=representation",
            "return=minimal",
            "return=headers-only",
            "return=representation, resolution=merge-duplicates",
            "return=representation, resolution=ignore-duplicates",
            "return=representation, missing=default",
            "return=representation, count=exact",
            "return=representation, tx=rollback",
        ])),
        ("Prefer.change", prefer(&[
            "return=representation",
            "return=minimal",
            "return=headers-only",
            "return=representation, count=exact",
            "return=representation, tx=rollback",
            "return=representation, handling=strict, max-affected=1",
        ])),
        ("Prefer.put", prefer(&[
            "return=representation",
            "return=minimal",
            "return=headers-only",
            "return=representation, tx=rollback",
        ])),
        ("Prefer.call", prefer(&["count=exact", "tx=rollback", "handling=strict", "handling=strict, max-affected=10"])),
        ("Prefer.transaction", prefer(&["tx=rollback", "tx=commit", "handling=strict"])),
        ("If-Match", header(
            "If-Match",
            "The `ETag` of the row as it was read; the change is made only if it is still that, and answered 412 otherwise. `*` demands that the row is there. Needs filters that name one row by its key.",
            json!({ "type": "string", "pattern": r#"^(\*|"[^",]*"( ?, ?"[^",]*")*)$"# }),
        )),
        ("If-None-Match", header(
            "If-None-Match",
            "An `ETag` that is known: if the row still has it, the answer is 304 and empty. On PUT `*` demands that the row is not there yet.",
            json!({ "type": "string", "pattern": r#"^(\*|(W/)?"[^",]*"( ?, ?(W/)?"[^",]*")*)$"# }),
        )),
        ("Idempotency-Key", header(
            "Idempotency-Key",
            "A key of the client's own for this request, a UUID, say: sent again with the same body it is answered as it was the first time, and carried out once.",
            json!({ "type": "string", "pattern": KEY }),
        )),
        ("Freehold-At-Least", header(
            "Freehold-At-Least",
            "A `Freehold-Position` that another service answered, or several with commas: the request waits until this service has applied it, up to a limit; then it is answered 503.",
            json!({ "type": "string", "pattern": format!("^{POSITION}( ?, ?{POSITION})*$") }),
        )),
    ]);
    found
}

fn paging(limits: &Limits) -> Vec<(&'static str, Value)> {
    let limit = format!(
        "Rows at most. An answer never has more than {}; `Link` leads to the next.",
        limits.rows
    );
    vec![
        (
            "limit",
            query(
                "limit",
                &limit,
                json!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": i64::MAX }),
            ),
        ),
        (
            "offset",
            query(
                "offset",
                "Rows to leave out at the beginning. They are counted one by one; `Link` leads further.",
                json!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": limits.offset }),
            ),
        ),
        (
            "after",
            query(
                "after",
                "The place in the list to go on from, as the link to the next page has it; not made by hand.",
                json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$" }),
            ),
        ),
        (
            "Range",
            header(
                "Range",
                "Rows from the first to the last, counted from 0: `0-24`. `limit` and `offset` in other words.",
                json!({ "anyOf": [{ "type": "string", "pattern": "^[0-9]{1,4}-([0-9]{1,4})?$" }, { "type": "string" }] }),
            ),
        ),
    ]
}

fn header(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "header", "description": description, "schema": schema })
}

/// `Prefer`: these are known, and what is not known is ignored.
fn prefer(known: &[&str]) -> Value {
    header(
        "Prefer",
        "How the request is to be carried out and answered (RFC 7240): preferences with commas between them. What is not known is ignored, unless `handling=strict` is among them.",
        json!({ "anyOf": [{ "type": "string", "enum": known }, { "type": "string" }] }),
    )
}
