//! What fits a pattern of the document is understood by the reader of queries.

use freehold_manifest::model::Limits;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use proptest::string::string_regex;

use super::small::kind;
use super::{at, described, names};
use crate::entity::query;
use crate::openapi::filters::{self, PatternBytes};
use crate::openapi::types::Type;

/// One type of each kind that has tests of its own.
const BASES: [&str; 24] = [
    "bool",
    "text",
    "json",
    "jsonb",
    "int2",
    "int4",
    "int8",
    "numeric",
    "uuid",
    "date",
    "timestamp",
    "timestamptz",
    "time",
    "timetz",
    "interval",
    "bytea",
    "bit",
    "inet",
    "macaddr",
    "tsvector",
    "numrange",
    "tstzrange",
    "_int4",
    "_text",
];

/// Texts that fit a pattern.
fn fitting(pattern: &str) -> impl Strategy<Value = String> + use<> {
    let inner = pattern.strip_prefix('^').and_then(|p| p.strip_suffix('$'));
    string_regex(inner.expect("it is anchored")).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

fn understood(name: &str, value: &str) -> Result<(), TestCaseError> {
    let text = format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
    let limits = Limits {
        filters: 1_000,
        ..Limits::default()
    };
    let read = query::parse(&text, &limits, &[]).map_err(|p| p.message().to_owned());
    prop_assert!(read.is_ok(), "{}={}: {:?}", name, value, read);
    Ok(())
}

fn of<'a>(base: &'a str, labels: &'a [String]) -> Type<'a> {
    Type {
        kind: kind(base),
        base,
        cast: base,
        labels,
        length_max: None,
    }
}

proptest! {
    #[test]
    fn a_condition_on_a_column(
        (base, value) in prop::sample::select(&BASES[..]).prop_flat_map(|base| {
            (Just(base), fitting(&filters::pattern(of(base, &[]), PatternBytes(256))))
        })
    ) {
        understood("a", &value).map_err(|error| TestCaseError::fail(format!("{base}: {error}")))?;
    }

    #[test]
    fn a_condition_on_an_enum(labels in prop::collection::vec(any::<String>(), 1..4), seed in any::<prop::sample::Index>()) {
        let labels: Vec<String> = labels.into_iter().map(|l| l.replace('\0', "")).collect();
        let pattern = filters::pattern(of("mood", &labels), PatternBytes(0));
        // A label in a list stands there as a pattern of itself.
        let label = seed.get(&labels);
        prop_assert!(pattern.contains(&filters::escape(label)), "{pattern}");
    }

    #[test]
    fn conditions_select_and_order_of_every_table(
        (name, value) in prop::sample::select(whole()).prop_flat_map(|(name, pattern)| (Just(name), fitting(&pattern)))
    ) {
        understood(&name, &value)?;
    }
}

/// The parameters of the small service that are about rows as a whole, with their patterns.
fn whole() -> Vec<(String, String)> {
    let document = described();
    let mut found = Vec::new();
    for place in names(&document["components"]["parameters"]) {
        let parameter = &document["components"]["parameters"][place];
        let name = parameter["name"].as_str().expect("a name");
        if !["select", "order", "columns", "and", "or"].contains(&name) {
            continue;
        }
        let schema = match parameter["schema"].get("$ref").and_then(|r| r.as_str()) {
            Some(reference) => at(&document, reference.trim_start_matches('#')),
            None => &parameter["schema"],
        };
        found.push((
            name.to_owned(),
            schema["pattern"].as_str().expect("a pattern").to_owned(),
        ));
    }
    assert!(found.len() > 10);
    found
}
