//! What a fuzzer calls: the readers of what clients send, which are private otherwise, with what they promise.
//!
//! Every function here panics where a promise is broken.

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use freehold_manifest::model::Limits;
use serde_json::value::RawValue;

use super::headers::{CHANGE, accepted, accepted_of_value, content, preferences, window};
use super::query::{self, written};
use super::{body, csv, guard, pairs};

/// Reads a query string. What was understood must be the same when it is written and read again.
pub fn query(text: &str) {
    let arguments = ["arg"];
    let Ok(mut query) = query::parse(text, &Limits::default(), &arguments) else {
        return;
    };
    query.nested.retain(|(_, rows)| *rows != query::Rows::default());
    let text = written::query(&query);
    match query::parse(&text, &Limits::default(), &arguments) {
        Ok(again) => assert_eq!(again, query, "{text}"),
        Err(problem) => panic!("{text} is refused: {}", problem.message()),
    }
}

/// Reads a body as JSON, as CSV and as a form. CSV must become JSON of rows, a form of one row.
pub fn body(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = body::parse(text, &Limits::default());
        if let Ok(json) = pairs::to_json(text) {
            assert!(serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&json).is_ok());
        }
    }
    for is_json in [|_: &str| false, |name: &str| name.len().is_multiple_of(2)] {
        let Ok(json) = csv::to_json(bytes, is_json) else {
            continue;
        };
        // Numbers may be larger than a float: their text is passed on.
        assert!(serde_json::from_slice::<Vec<HashMap<String, &RawValue>>>(&json).is_ok());
    }
}

/// Reads headers, one a line: `name: value`. What is kept of a preference must be said to be applied.
pub fn headers(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|b| *b == b'\n').take(16) {
        let Some(colon) = line.iter().position(|b| *b == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    let _ = accepted(&headers).map(super::headers::Form::content_type);
    let _ = accepted_of_value(&headers);
    let _ = content(&headers);
    let _ = guard::if_match(&headers);
    let _ = guard::if_none_match(&headers);
    if let Ok(found) = preferences(&headers, CHANGE) {
        assert!(found.max_affected.is_none() || found.applied().is_some());
    }
    let rows = query::Rows {
        limit: Some(10),
        offset: 5,
        ..query::Rows::default()
    };
    if let Ok(window) = window(&Method::GET, &headers, &rows, &Limits::default()) {
        assert!(window.offset >= 5 && window.limit.is_some_and(|limit| window.offset + limit <= 15));
    }
}
