//! What the request's headers ask for: `Prefer`, `Accept`, `Content-Type`.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::problem::Problem;

/// What a write answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Return {
    /// Nothing but the status.
    Minimal,
    /// Nothing but the headers.
    HeadersOnly,
    /// The rows as they are now.
    Representation,
}

/// The preferences of a request that are known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preferences {
    pub(super) answer: Return,
    /// What `Preference-Applied` says.
    pub(super) applied: Option<&'static str>,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// An array of rows.
    Array,
    /// Exactly one row.
    Object,
}

/// The form of a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Json,
    Csv,
}

const OBJECT: &str = "application/vnd.pgrst.object";
const KNOWN: &str = "known are application/json and application/vnd.pgrst.object+json";

impl Form {
    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Array => "application/json; charset=utf-8",
            Self::Object => "application/vnd.pgrst.object+json; charset=utf-8",
        })
    }
}

/// Reads every `Prefer` header; what is not known is ignored, of what is said twice the first counts (RFC 7240).
pub(super) fn preferences(headers: &HeaderMap) -> Preferences {
    let mut found = Preferences {
        answer: Return::Minimal,
        applied: None,
    };
    for value in headers.get_all("prefer") {
        for item in value.as_bytes().split(|b| *b == b',') {
            let known = match item.trim_ascii() {
                b"return=minimal" => (Return::Minimal, "return=minimal"),
                b"return=headers-only" => (Return::HeadersOnly, "return=headers-only"),
                b"return=representation" => (Return::Representation, "return=representation"),
                _ => continue,
            };
            if found.applied.is_none() {
                (found.answer, found.applied) = (known.0, Some(known.1));
            }
        }
    }
    found
}

/// Chooses the form of the answer: the acceptable one of highest quality, of equals the first.
///
/// # Errors
/// A 406 when none is.
pub(super) fn accepted(headers: &HeaderMap) -> Result<Form, Problem> {
    let mut best: Option<(u16, Form)> = None;
    let mut asked = false;
    for value in headers.get_all(header::ACCEPT) {
        for item in value.to_str().unwrap_or_default().split(',') {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            if name.is_empty() {
                continue;
            }
            asked = true;
            let form = match name.as_str() {
                "*/*" | "application/*" | "application/json" => Form::Array,
                "application/vnd.pgrst.object+json" | OBJECT => Form::Object,
                _ => continue,
            };
            if parts.clone().any(|p| p.starts_with("nulls=")) {
                continue;
            }
            let quality = quality(parts);
            if quality > 0 && best.is_none_or(|(q, _)| quality > q) {
                best = Some((quality, form));
            }
        }
    }
    match best {
        Some((_, form)) => Ok(form),
        None if !asked => Ok(Form::Array),
        None => Err(Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            "not-acceptable",
            "PGRST107",
            "none of the accepted media types can be produced",
        )
        .with_hint(KNOWN)),
    }
}

/// Thousandths; what cannot be read counts as 1.
fn quality<'a>(mut parameters: impl Iterator<Item = &'a str>) -> u16 {
    let Some(q) = parameters.find_map(|p| p.strip_prefix("q=")) else {
        return 1000;
    };
    match q.parse::<f32>() {
        // Clamped to 0..=1000: the cast cannot wrap.
        Ok(q) if q.is_finite() => (q.clamp(0.0, 1.0) * 1000.0) as u16,
        _ => 1000,
    }
}

/// Reads the form of the body; none named means JSON.
///
/// # Errors
/// A 415 for anything but JSON and CSV in UTF-8.
pub(super) fn content(headers: &HeaderMap) -> Result<Content, Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(Content::Json);
    };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let content = match parts.next() {
        Some("application/json" | "application/vnd.pgrst.object+json" | OBJECT) => Content::Json,
        Some("text/csv") => Content::Csv,
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
    .with_hint("send application/json or text/csv in utf-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_first_known_preference_counts_wherever_it_stands() {
        let found = preferences(&map(&[
            ("prefer", "count=exact, handling=lenient"),
            ("prefer", "wait=5 , return=representation,return=minimal"),
        ]));
        assert_eq!(found.answer, Return::Representation);
        assert_eq!(found.applied, Some("return=representation"));
        assert_eq!(preferences(&map(&[("prefer", "x")])).applied, None);
    }

    #[test]
    fn the_best_accepted_form_is_chosen() {
        let form = |accept| accepted(&map(&[("accept", accept)])).map_err(|p| p.status());
        assert_eq!(form("text/html, */*;q=0.1"), Ok(Form::Array));
        assert_eq!(
            form("application/json;q=0.5, application/vnd.pgrst.object+json"),
            Ok(Form::Object)
        );
        assert_eq!(form("text/csv"), Err(StatusCode::NOT_ACCEPTABLE));
        assert_eq!(form("*/*;q=0"), Err(StatusCode::NOT_ACCEPTABLE));
        assert_eq!(accepted(&HeaderMap::new()).ok(), Some(Form::Array));
    }

    #[test]
    fn only_json_and_csv_in_utf_8_are_read() {
        let read = |of| content(&map(&[("content-type", of)])).map_err(|p| p.status());
        assert_eq!(read("application/json; charset=UTF-8"), Ok(Content::Json));
        assert_eq!(read("text/csv"), Ok(Content::Csv));
        assert_eq!(
            read("text/csv; charset=latin1"),
            Err(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        );
        assert_eq!(read("application/xml"), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
}
