//! Whatever arrives, the pure half of the API answers.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use freehold_manifest::model::Limits;
use proptest::collection::vec;
use proptest::prelude::*;

use super::headers::{INSERT, accepted, accepted_of_value, content, preferences, window};
use super::{body, csv, guard, pairs, query};

/// Texts made of what the grammar is made of, so that most of it is reached.
fn grammar() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("select="),
        Just("order="),
        Just("limit="),
        Just("offset="),
        Just("columns="),
        Just("on_conflict="),
        Just("after="),
        Just("or="),
        Just("not.and"),
        Just("a=eq."),
        Just("b."),
        Just(".or=("),
        Just("and("),
        Just("("),
        Just("->"),
        Just("->>"),
        Just("::"),
        Just("..."),
        Just("!inner"),
        Just("!"),
        Just("count()"),
        Just(".sum()"),
        Just("(any)."),
        Just("fts(x)."),
        Just("match."),
        Just("cs."),
        Just("-1"),
        Just(" "),
        Just("in.("),
        Just("not."),
        Just("is.null"),
        Just("&"),
        Just(","),
        Just("\""),
        Just("\\"),
        Just(")"),
        Just("%"),
        Just("%2"),
        Just("%c3%a4"),
        Just("%00"),
        Just("+"),
        Just(".desc"),
        Just(".nullsfirst"),
        Just("*"),
        Just("="),
        Just("a"),
        Just("99999999999999999999"),
        Just("ä"),
        Just("{"),
        Just("["),
        Just("}"),
        Just("]"),
        Just(":"),
        Just("\\u00"),
        Just("\n"),
        Just("W/"),
        Just("NULL"),
        Just(";q="),
        Just("0-"),
        Just("handling=strict"),
        Just("max-affected="),
        Just("timezone="),
        Just("application/vnd.pgrst.array+json"),
        Just(";nulls=stripped"),
    ];
    vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn a_query_string(text in prop_oneof![any::<String>(), grammar()]) {
        let _ = query::parse(&text, &Limits::default(), &["b"]);
    }

    #[test]
    fn a_body(text in prop_oneof![any::<String>(), grammar()]) {
        let _ = body::parse(&text, &Limits::default());
        if let Ok(json) = pairs::to_json(&text) {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok());
        }
        if let Ok(json) = csv::to_json(text.as_bytes(), |name| name.len() % 2 == 0) {
            // Numbers may be larger than a float: their text is passed on.
            prop_assert!(serde_json::from_slice::<&serde_json::value::RawValue>(&json).is_ok());
        }
    }

    #[test]
    fn a_header(bytes in prop_oneof![vec(any::<u8>(), 0..64), grammar().prop_map(String::into_bytes)]) {
        let Ok(value) = HeaderValue::from_bytes(&bytes) else { return Ok(()) };
        for name in ["accept", "prefer", "content-type", "range", "if-match", "if-none-match"] {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), value.clone())]);
            let _ = accepted(&headers);
            let _ = accepted_of_value(&headers);
            let _ = preferences(&headers, INSERT);
            let _ = window(&Method::GET, &headers, &query::Rows::default(), &Limits::default());
            let _ = content(&headers);
            let _ = guard::if_match(&headers);
            let _ = guard::if_none_match(&headers);
        }
    }
}
