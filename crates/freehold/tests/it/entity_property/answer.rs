//! Answers as values that can be compared: numbers by their text, fields in any order.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// A JSON value whose numbers are texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    pub(super) fn read(text: &str) -> Result<Self, serde_json::Error> {
        let text = text.trim();
        Ok(match text.as_bytes().first() {
            Some(b'{') => {
                let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text)?;
                let fields = fields
                    .into_iter()
                    .map(|(name, value)| Ok((name, Self::read(value.get())?)));
                Self::Object(fields.collect::<Result<_, serde_json::Error>>()?)
            }
            Some(b'[') => {
                let entries: Vec<Box<RawValue>> = serde_json::from_str(text)?;
                let entries = entries.iter().map(|value| Self::read(value.get()));
                Self::List(entries.collect::<Result<_, _>>()?)
            }
            Some(b'"') => Self::Text(serde_json::from_str(text)?),
            Some(b't' | b'f') => Self::Bool(serde_json::from_str(text)?),
            Some(b'n') => Self::Null,
            _ => {
                let number: Box<RawValue> = serde_json::from_str(text)?;
                Self::Number(number.get().to_owned())
            }
        })
    }

    /// The rows in an order of their own, where none was asked for.
    pub(super) fn sorted(self) -> Self {
        match self {
            Self::List(mut entries) => {
                entries.sort();
                Self::List(entries)
            }
            other => other,
        }
    }

    /// Without fields that are null, at any depth; entries of lists stay.
    pub(super) fn without_nulls(self) -> Self {
        match self {
            Self::Object(fields) => {
                let kept = fields.into_iter().filter(|(_, value)| *value != Self::Null);
                Self::Object(kept.map(|(name, value)| (name, value.without_nulls())).collect())
            }
            Self::List(entries) => Self::List(entries.into_iter().map(Self::without_nulls).collect()),
            other => other,
        }
    }

    /// As a cell of CSV.
    pub(super) fn cell(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Text(text) => text.clone(),
            other => other.written(),
        }
    }

    fn written(&self) -> String {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(digits) => digits.clone(),
            Self::Text(of) => text(of),
            Self::List(entries) => {
                let entries: Vec<String> = entries.iter().map(Self::written).collect();
                format!("[{}]", entries.join(","))
            }
            Self::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| format!("{}:{}", text(name), value.written()));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }
        }
    }
}
