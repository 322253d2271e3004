//! The trace a piece of work belongs to: taken from a request's `traceparent` (W3C), or begun.

use std::fmt::Write;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

tokio::task_local! {
    static TRACE: String;
}

/// The trace of the request being answered, if any.
pub(crate) fn current() -> Option<String> {
    TRACE.try_with(Clone::clone).ok()
}

/// A trace of its own.
pub(crate) fn begun() -> String {
    let mut text = String::from("00-");
    let _ = write!(
        text,
        "{:032x}-{:016x}-01",
        uuid::Uuid::new_v4().as_u128(),
        fastrand::u64(1..)
    );
    text
}

/// Whether a text is a `traceparent` of version 00.
fn is_valid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    matches!(parts[..], ["00", trace, span, flags]
        if hex(trace, 32) && hex(span, 16) && hex(flags, 2) && trace.bytes().any(|b| b != b'0') && span.bytes().any(|b| b != b'0'))
}

/// Answers a request within its trace.
pub(crate) async fn within(request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    let trace = given.filter(|text| is_valid(text)).map_or_else(begun, str::to_owned);
    TRACE.scope(trace, next.run(request)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_begun_trace_is_valid() {
        assert!(is_valid(&begun()));
    }

    #[test]
    fn what_is_no_traceparent_is_not_taken() {
        for text in [
            "",
            "00",
            "00-0-0-0",
            "00-00000000000000000000000000000000-0000000000000001-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473'-00f067aa0ba902b7-01",
        ] {
            assert!(!is_valid(text), "{text}");
        }
    }
}
