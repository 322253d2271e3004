//! What a PostgreSQL type is in JSON, as PostgreSQL itself writes it, and as it reads it.

use serde_json::{Value, json};

use crate::pg::catalog::{Column, Kind, ValueType};

/// A type, wherever the catalog tells of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type<'c> {
    pub(super) kind: Kind,
    /// Its name in pg_type, domains resolved.
    pub(super) base: &'c str,
    /// Its name for a cast: what tells one enum from another.
    pub(super) cast: &'c str,
    pub(super) labels: &'c [String],
    pub(super) length_max: Option<i32>,
}

impl<'c> From<&'c Column> for Type<'c> {
    fn from(column: &'c Column) -> Self {
        Self {
            kind: column.kind,
            base: &column.base,
            cast: &column.cast,
            labels: &column.labels,
            length_max: column.length_max,
        }
    }
}

impl<'c> From<&'c ValueType> for Type<'c> {
    fn from(value: &'c ValueType) -> Self {
        Self {
            kind: value.kind,
            base: &value.base,
            cast: &value.cast,
            labels: &value.labels,
            length_max: None,
        }
    }
}

/// A moment of the day without an offset, as PostgreSQL writes it.
const CLOCK: &str = r"(([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?|24:00:00)";

/// The schema of a value.
///
/// Numbers are JSON numbers; `NaN` and the infinities, which JSON does not have, PostgreSQL writes as strings, and the
/// schema leaves them out for the sake of everyone who has none.
pub(super) fn schema(of: Type<'_>) -> Value {
    match of.kind {
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Json => json!({}),
        Kind::Composite => json!({ "type": "object" }),
        Kind::Array => {
            json!({ "type": "array", "items": element(of).map_or_else(|| json!({}), |e| nullable(schema(e))) })
        }
        Kind::Text => match of.length_max {
            Some(most) => json!({ "type": "string", "maxLength": most }),
            None => json!({ "type": "string" }),
        },
        Kind::Scalar if !of.labels.is_empty() => json!({ "type": "string", "enum": of.labels }),
        Kind::Scalar => scalar(of.base),
    }
}

fn scalar(base: &str) -> Value {
    match base {
        "int2" => integer("int16", i16::MIN.into(), i16::MAX.into()),
        "int4" => integer("int32", i32::MIN.into(), i32::MAX.into()),
        "int8" => integer("int64", i64::MIN, i64::MAX),
        "numeric" => json!({ "type": "number" }),
        "float4" => json!({ "type": "number", "format": "float" }),
        "float8" => json!({ "type": "number", "format": "double" }),
        "uuid" => json!({ "type": "string", "format": "uuid" }),
        "date" => json!({ "type": "string", "format": "date" }),
        "timestamptz" => json!({ "type": "string", "format": "date-time" }),
        "timestamp" => {
            let pattern = format!(r"^[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T{CLOCK}$");
            json!({ "type": "string", "format": "date-time-local", "pattern": pattern })
        }
        "time" => json!({ "type": "string", "format": "time-local", "pattern": format!("^{CLOCK}$") }),
        "timetz" => {
            let pattern = format!(r"^{CLOCK}[-+](0[0-9]|1[0-5])(:[0-5][0-9]){{0,2}}$");
            json!({ "type": "string", "pattern": pattern })
        }
        "bytea" => json!({ "type": "string", "pattern": r"^\\x([0-9a-f]{2})*$" }),
        "hstore" => json!({ "type": "object", "additionalProperties": { "type": ["string", "null"] } }),
        // PostGIS writes GeoJSON.
        "geometry" | "geography" => json!({ "type": "object" }),
        _ => json!({ "type": "string" }),
    }
}

fn integer(format: &str, least: i64, most: i64) -> Value {
    json!({ "type": "integer", "format": format, "minimum": least, "maximum": most })
}

/// The type of an array's elements; none where the catalog does not tell what they are.
pub(super) fn element(array: Type<'_>) -> Option<Type<'_>> {
    let base = array.base.strip_prefix('_')?;
    let kind = match base {
        "bool" => Kind::Boolean,
        "json" | "jsonb" => Kind::Json,
        "text" | "varchar" | "bpchar" | "name" | "citext" => Kind::Text,
        "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" | "uuid" | "date" | "timestamptz" | "timestamp"
        | "time" | "timetz" | "bytea" | "interval" | "inet" | "cidr" | "macaddr" | "oid" => Kind::Scalar,
        _ if !array.labels.is_empty() => Kind::Scalar,
        _ => return None,
    };
    Some(Type {
        kind,
        base,
        // The element of an enum array has a cast of its own; the array's tells it from others just as well.
        cast: array.cast,
        labels: array.labels,
        length_max: None,
    })
}

/// The same schema, or null.
pub(super) fn nullable(mut schema: Value) -> Value {
    if let Some(of) = schema.get_mut("type")
        && of.is_string()
    {
        *of = json!([of.take(), "null"]);
    }
    if let Some(Value::Array(labels)) = schema.get_mut("enum") {
        labels.push(Value::Null);
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(kind: Kind, base: &'a str, labels: &'a [String]) -> Type<'a> {
        Type {
            kind,
            base,
            cast: base,
            labels,
            length_max: None,
        }
    }

    #[test]
    fn a_type_is_what_postgresql_writes_of_it() {
        let of_scalar = |base| schema(of(Kind::Scalar, base, &[]));
        assert_eq!(of_scalar("int2")["maximum"], json!(32_767));
        assert_eq!(of_scalar("int8")["minimum"], json!(i64::MIN));
        assert_eq!(of_scalar("numeric"), json!({ "type": "number" }));
        assert_eq!(of_scalar("inet"), json!({ "type": "string" }));
        assert_eq!(schema(of(Kind::Json, "jsonb", &[])), json!({}));
    }

    #[test]
    fn null_is_one_more_type_and_one_more_label() {
        let labels = ["a".to_owned(), "b".to_owned()];
        let found = nullable(schema(of(Kind::Scalar, "state", &labels)));
        assert_eq!(found, json!({ "type": ["string", "null"], "enum": ["a", "b", null] }));
        assert_eq!(nullable(json!({})), json!({}));
    }

    #[test]
    fn elements_of_an_array_may_be_null() {
        let found = schema(of(Kind::Array, "_int4", &[]));
        assert_eq!(found["items"]["type"], json!(["integer", "null"]));
        let unknown = schema(of(Kind::Array, "_of_a_domain", &[]));
        assert_eq!(unknown, json!({ "type": "array", "items": {} }));
    }
}
