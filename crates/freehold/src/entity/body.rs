//! Bodies: JSON (or CSV and forms, turned into JSON) split into rows and fields whose values stay text. PURE.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;
use freehold_manifest::model::Limits;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::headers::Content;
use super::problem::Problem;
use super::{csv, pairs};
use crate::pg::catalog::{Kind, TableShape};

/// One object: its fields in the order they came, each name once.
#[derive(Debug, Default)]
pub(super) struct Fields<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

/// A whole body.
#[derive(Debug)]
pub(super) enum Document<'a> {
    /// An object.
    One(Fields<'a>),
    /// An array of objects.
    Many(Vec<Fields<'a>>),
}

impl<'a> Document<'a> {
    /// The rows, one or many.
    pub(super) fn rows(&self) -> &[Fields<'a>] {
        match self {
            Self::One(fields) => std::slice::from_ref(fields),
            Self::Many(rows) => rows,
        }
    }
}

impl<'a> Fields<'a> {
    /// The value of that name.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
    }
}

/// A JSON key, borrowed from the body where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Text).map(Name)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the columns of a row")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::default();
                let mut many = HashSet::new();
                /// Up to here a look along the list is quicker than hashing.
                const FEW: usize = 16;
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    if fields.0.len() == FEW {
                        many.extend(fields.0.iter().map(|(n, _)| n.clone()));
                    }
                    let twice = match fields.0.len() {
                        0..FEW => fields.0.iter().any(|(n, _)| *n == name),
                        _ => !many.insert(name.clone()),
                    };
                    if twice {
                        return Err(A::Error::custom(format_args!("`{name}` is given twice")));
                    }
                    fields.0.push((name, value));
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// The body as text.
///
/// # Errors
/// A 400 that names the place where it is not UTF-8.
pub(super) fn text(body: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(body).map_err(|error| {
        let message = format!("the body is not UTF-8 from byte {} on", error.valid_up_to());
        Problem::body(message)
    })
}

/// Makes the body JSON text: checks UTF-8, and turns CSV into an array of objects and a form into one.
///
/// # Errors
/// A 400 that names the place.
pub(super) fn to_json(body: Bytes, content: Content, table: &TableShape) -> Result<Bytes, Problem> {
    let is_json = |name: &str| table.column(name).is_some_and(|c| c.kind == Kind::Json);
    let text = text(&body)?;
    match content {
        Content::Json => Ok(body),
        Content::Csv => csv::to_json(&body, is_json).map(Bytes::from),
        Content::Pairs => pairs::to_json(text).map(Bytes::from),
        Content::Text => Err(Problem::body("rows are not sent as plain text")),
    }
}

/// Splits a JSON text into rows.
///
/// # Errors
/// A 400 that names the place: no JSON, neither object nor array of objects, nested too deeply, too many rows.
pub(super) fn parse<'t>(text: &'t str, limits: &Limits) -> Result<Document<'t>, Problem> {
    check_depth(text, limits)?;
    let document = match text.trim_start().bytes().next() {
        Some(b'{') => serde_json::from_str(text).map(Document::One),
        Some(b'[') => serde_json::from_str(text).map(Document::Many),
        None => {
            return Err(Problem::body("the body is empty").with_hint("send an object, or an array of objects"));
        }
        Some(_) => {
            return Err(Problem::body("the body is neither an object nor an array of objects"));
        }
    };
    let document = document.map_err(|error| invalid(&error))?;
    if document.rows().len() as u64 > limits.body_rows {
        return Err(too_many_rows(limits));
    }
    Ok(document)
}

/// Checks that a text is JSON, of whatever form.
///
/// # Errors
/// A 400 that names the place.
pub(super) fn check(text: &str, limits: &Limits) -> Result<(), Problem> {
    check_depth(text, limits)?;
    let parsed: Result<&RawValue, _> = serde_json::from_str(text);
    parsed.map(drop).map_err(|error| invalid(&error))
}

/// A body, or a part of it, that is no JSON of the wanted form.
pub(super) fn invalid(error: &serde_json::Error) -> Problem {
    let problem = Problem::body("the body is not valid JSON of rows").with_details(error.to_string());
    problem
        .with_member("line", error.line())
        .with_member("column", error.column())
}

/// More rows of a table than one body may hold.
pub(super) fn too_many_rows(limits: &Limits) -> Problem {
    Problem::body(format!("a body holds at most {} rows of a table", limits.body_rows))
        .with_hint("send them in several requests")
        .with_member("limit", "body_rows")
}

/// PostgreSQL reads JSON by recursion, so what is too deep is refused before it gets there.
fn check_depth(text: &str, limits: &Limits) -> Result<(), Problem> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                depth += 1;
                if depth as u64 > limits.body_depth {
                    let message = format!("the body is nested deeper than {} levels", limits.body_depth);
                    return Err(Problem::body(message)
                        .with_member("byte", place)
                        .with_member("limit", "body_depth"));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_split_into_fields_whose_values_stay_text() {
        let document =
            parse(r#" [{"a":1.50,"b\u0031":"x"},{}]"#, &Limits::default()).map_err(|p| p.message().to_owned());
        let document = document.expect("it is valid");
        assert_eq!(document.rows().len(), 2);
        assert_eq!(document.rows()[0].get("a").map(RawValue::get), Some("1.50"));
        assert_eq!(document.rows()[0].get("b1").map(RawValue::get), Some("\"x\""));
    }

    #[test]
    fn what_is_no_row_is_refused() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64));
        let wide = format!(
            "{{{}}}",
            (0..40)
                .map(|n| format!("\"k{}\":1", n % 39))
                .collect::<Vec<_>>()
                .join(",")
        );
        for text in [
            "",
            " ",
            "1",
            "null",
            "{",
            "[1]",
            "[{}",
            r#"{"a":1,"a":2}"#,
            "{} x",
            &deep,
            &wide,
        ] {
            assert!(parse(text, &Limits::default()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_bracket_in_a_text_is_no_depth() {
        let text = format!(r#"{{"a":"{}\"[["}}"#, "[".repeat(100));
        assert!(parse(&text, &Limits::default()).is_ok());
    }
}
