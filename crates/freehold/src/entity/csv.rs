//! CSV in: a header line with the columns' names, then one line a row, as RFC 4180 writes them. PURE.
//!
//! An empty field and `NULL` are null; a quoted empty field is null too, for CSV cannot tell them apart. Every other
//! field is a text that the column's type reads; in a JSON column it is JSON.

use serde_json::value::RawValue;

use super::limits;
use super::problem::Problem;

/// Turns CSV into the text of a JSON array of objects; fields of columns that hold JSON (`is_json`) are JSON already.
///
/// # Errors
/// A 400 that names the line: a name missing or twice, more or fewer fields than names, no JSON.
pub(super) fn to_json(bytes: &[u8], is_json: impl Fn(&str) -> bool) -> Result<Vec<u8>, Problem> {
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let names = reader.headers().map_err(|e| invalid(&e))?.clone();
    if names.is_empty() {
        return Err(Problem::body("the CSV has no header line").with_hint("the first line names the columns"));
    }
    if names.len() > limits::COLUMNS_MAX {
        return Err(Problem::body("the CSV has too many columns"));
    }
    let mut keys = Vec::with_capacity(names.len());
    for name in &names {
        let name = name.trim_start_matches('\u{feff}');
        if name.is_empty() {
            return Err(Problem::body("a column in the CSV's header line has no name"));
        }
        let key = format!("{}:", serde_json::Value::from(name)).into_bytes();
        if keys.iter().any(|(known, _)| *known == key) {
            return Err(Problem::body(format!("the CSV's header line names `{name}` twice")));
        }
        let form = if is_json(name) { Form::Json } else { Form::Text };
        keys.push((key, form));
    }
    let mut json = Vec::with_capacity(bytes.len() * 2);
    json.push(b'[');
    for (place, record) in reader.records().enumerate() {
        let record = record.map_err(|e| invalid(&e))?;
        json.extend_from_slice(if place == 0 { b"{" } else { b",{" });
        for (place, ((key, form), field)) in keys.iter().zip(&record).enumerate() {
            if place > 0 {
                json.push(b',');
            }
            json.extend_from_slice(key);
            match (field, form) {
                ("" | "NULL", _) => json.extend_from_slice(b"null"),
                (text, Form::Text) => {
                    json.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
                }
                (text, Form::Json) => {
                    let checked: &RawValue =
                        serde_json::from_str(text).map_err(|e| no_json(names.get(place), record.position(), &e))?;
                    json.extend_from_slice(checked.get().as_bytes());
                }
            }
        }
        json.push(b'}');
    }
    json.push(b']');
    Ok(json)
}

/// What a field's text is.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    Json,
}

fn no_json(name: Option<&str>, position: Option<&csv::Position>, error: &serde_json::Error) -> Problem {
    let message = format!("`{}` in the CSV is not valid JSON", name.unwrap_or_default());
    Problem::body(message)
        .with_details(error.to_string())
        .with_member("line", position.map(csv::Position::line))
}

fn invalid(error: &csv::Error) -> Problem {
    let problem = Problem::body("the body is not valid CSV").with_details(error.to_string());
    match error.position() {
        Some(position) => problem.with_member("line", position.line()),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<String, String> {
        to_json(text.as_bytes(), |name| name == "j")
            .map(|v| String::from_utf8_lossy(&v).into_owned())
            .map_err(|p| p.message().to_owned())
    }

    #[test]
    fn a_line_is_a_row() {
        assert_eq!(
            json("a,b\n1,\"x,\"\"y\"\"\"\n,NULL\n").as_deref(),
            Ok(r#"[{"a":"1","b":"x,\"y\""},{"a":null,"b":null}]"#)
        );
        assert_eq!(json("j\n\"[1, 2]\"\n").as_deref(), Ok(r#"[{"j":[1, 2]}]"#));
        assert_eq!(json("a\n").as_deref(), Ok("[]"));
    }

    #[test]
    fn a_bad_header_or_a_short_line_is_refused() {
        for text in ["", "a,a\n1,2\n", "a,\n1,2\n", "a,b\n1\n", "j\n{\n"] {
            assert!(json(text).is_err(), "{text}");
        }
    }
}
