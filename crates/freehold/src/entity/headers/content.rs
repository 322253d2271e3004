//! `Content-Type`: the form of the body.

use axum::http::{HeaderMap, StatusCode, header};

use crate::entity::problem::Problem;

/// The form of a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::entity) enum Content {
    /// JSON.
    Json,
    /// CSV with a header line.
    Csv,
    /// A form's fields: `name=value&…`.
    Pairs,
    /// Text, for functions that take one.
    Text,
}

/// Reads the form of the body; none named means JSON.
///
/// # Errors
/// A 415 for anything but JSON, CSV, a form and plain text in UTF-8.
pub(in crate::entity) fn content(headers: &HeaderMap) -> Result<Content, Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(Content::Json);
    };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let content = match parts.next() {
        Some(
            "application/json"
            | "application/vnd.pgrst.object+json"
            | "application/vnd.pgrst.object"
            | "application/vnd.pgrst.array+json"
            | "application/vnd.pgrst.array",
        ) => Content::Json,
        Some("text/csv") => Content::Csv,
        Some("application/x-www-form-urlencoded") => Content::Pairs,
        Some("text/plain") => Content::Text,
        _ => return Err(unsupported("this media type is not understood")),
    };
    let charset = parts.find_map(|p| p.strip_prefix("charset="));
    match charset.map(|c| c.trim_matches('"')) {
        None | Some("utf-8" | "utf8" | "us-ascii") => Ok(content),
        Some(_) => Err(unsupported("this charset is not understood")),
    }
}

fn unsupported(message: &str) -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "PGRST102",
        message,
    )
    .with_hint(
        "send application/json, text/csv, application/x-www-form-urlencoded or, to a function, text/plain; in utf-8",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::headers::map;

    #[test]
    fn json_csv_pairs_and_text_in_utf_8_are_read() {
        let read = |of| content(&map(&[("content-type", of)])).map_err(|p| p.status().as_u16());
        for (of, content) in [
            ("application/json; charset=UTF-8", Content::Json),
            ("application/vnd.pgrst.object+json", Content::Json),
            ("Application/vnd.pgrst.array+json;nulls=stripped", Content::Json),
            ("text/csv", Content::Csv),
            ("application/x-www-form-urlencoded", Content::Pairs),
            ("text/plain;charset=\"utf-8\"", Content::Text),
        ] {
            assert_eq!(read(of), Ok(content), "{of}");
        }
        for of in [
            "text/csv; charset=latin1",
            "application/xml",
            "",
            "json",
            "multipart/form-data; boundary=x",
        ] {
            assert_eq!(read(of), Err(415), "{of}");
        }
        assert_eq!(content(&HeaderMap::new()).ok(), Some(Content::Json));
    }
}
