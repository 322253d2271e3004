//! The types a client may cast to: PostgreSQL's own by their usual names, and those of the service's columns.

use axum::http::StatusCode;

use super::problem::{Problem, nearest};
use super::table::Tables;

/// PostgreSQL's own types under the names clients use.
const KNOWN: [&str; 46] = [
    "text",
    "varchar",
    "character varying",
    "char",
    "character",
    "bpchar",
    "citext",
    "int",
    "integer",
    "int2",
    "int4",
    "int8",
    "smallint",
    "bigint",
    "numeric",
    "decimal",
    "real",
    "float",
    "float4",
    "float8",
    "double precision",
    "money",
    "bool",
    "boolean",
    "uuid",
    "json",
    "jsonb",
    "bytea",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "timestamp with time zone",
    "timestamp without time zone",
    "interval",
    "inet",
    "cidr",
    "macaddr",
    "tsvector",
    "int4range",
    "int8range",
    "numrange",
    "daterange",
    "tsrange",
    "tstzrange",
];

/// The SQL of a type that a client names, with `[]` for an array of it.
///
/// # Errors
/// A 400 for a name that is none of these.
pub(super) fn cast(tables: &Tables, name: &str) -> Result<String, Problem> {
    let lower = name.trim().to_ascii_lowercase();
    let (base, array) = match lower.strip_suffix("[]") {
        Some(base) => (base.trim_end(), "[]"),
        None => (lower.as_str(), ""),
    };
    if KNOWN.contains(&base) {
        return Ok(format!("{base}{array}"));
    }
    let columns = || tables.values().flat_map(|t| t.shown());
    if let Some(column) = columns().find(|c| c.type_name == name || c.base == name) {
        return Ok(column.cast.clone());
    }
    let problem = Problem::new(
        StatusCode::BAD_REQUEST,
        "unknown-type",
        "42704",
        format!("`{name}` is no type to cast to"),
    );
    Err(match nearest(base, KNOWN.into_iter()) {
        Some(known) => problem.with_hint(format!("perhaps `{known}` is meant")),
        None => problem,
    })
}
