//! Rows in the form that was asked for.

use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio_postgres::Row;

use super::answer::{self, Answer};
use super::body::Fields;
use super::headers::Form;
use super::plan::Node;

impl Form {
    /// The row `r` as text of JSON.
    pub(super) fn row_sql(self) -> &'static str {
        if self.strips_nulls() {
            "json_strip_nulls(row_to_json(r.*))::text"
        } else {
            "row_to_json(r.*)::text"
        }
    }
}

/// An answer of rows, each in the first column as JSON.
pub(super) fn rows(status: StatusCode, form: Form, node: &Node<'_>, found: Vec<Row>) -> Answer {
    let body = match form {
        Form::Csv => csv(node.outputs.iter().map(|o| o.name), &found),
        _ if form.is_single() => found.into_iter().next().map(answer::held).unwrap_or_default(),
        _ => answer::array(&found),
    };
    answer::rows(status, form, body)
}

/// Rows as CSV (RFC 4180) under the names of what is shown. Null is an empty field; objects and arrays are JSON.
fn csv<'n>(names: impl Iterator<Item = &'n str>, found: &[Row]) -> Bytes {
    let mut out = csv::Writer::from_writer(Vec::new());
    let names: Vec<&str> = names.collect();
    // Writing to memory cannot fail, and every record has as many fields.
    let _ = out.write_record(&names);
    for row in found {
        let text = std::str::from_utf8(answer::text(row)).unwrap_or_default();
        let fields: Fields<'_> = serde_json::from_str(text).unwrap_or_default();
        let _ = out.write_record(
            names
                .iter()
                .map(|name| fields.get(name).map_or_else(String::new, field)),
        );
    }
    out.into_inner().unwrap_or_default().into()
}

fn field(value: &RawValue) -> String {
    match serde_json::from_str(value.get()) {
        Ok(Value::Null) => String::new(),
        Ok(Value::String(text)) => text,
        _ => value.get().to_owned(),
    }
}
