//! The key as the client writes it, and what is refused about it.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::entity::execute::Who;
use crate::entity::limits::RETRY_AFTER_S;
use crate::entity::problem::Problem;

/// The header, as draft-ietf-httpapi-idempotency-key-header names it.
pub(in crate::entity) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Characters of a key: more than a UUID in any notation, and an index entry of modest size.
const KEY_CHARS_MAX: usize = 255;

/// A key: 1 to [`KEY_CHARS_MAX`] visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::entity) struct Key(String);

impl Key {
    /// Reads the header: a string of RFC 9651 in its quotes, or the bare key as many clients send it.
    ///
    /// # Errors
    /// A 400 for anything else, and for two of them.
    pub(in crate::entity) fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut values = headers.get_all(&IDEMPOTENCY_KEY).into_iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(refuse("there is more than one Idempotency-Key"));
        }
        let key = value.to_str().ok().and_then(|text| read(text.trim_ascii()));
        let is_visible = |key: &String| key.bytes().all(|b| b.is_ascii_graphic());
        match key.filter(|k| !k.is_empty() && k.len() <= KEY_CHARS_MAX && is_visible(k)) {
            Some(key) => Ok(Some(Self(key))),
            None => Err(refuse("the Idempotency-Key is no key")),
        }
    }

    /// The key as the one of whoever sent it. What parts the two is no character of a key, so that no key is another's.
    pub(super) fn of_whom(&self, who: Who<'_>) -> Self {
        match who {
            Who::Subject(subject) => Self(format!("{}\n{subject}", self.0)),
            Who::Unasked | Who::Nobody => self.clone(),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Another request with this key is being carried out.
    pub(super) fn in_progress(&self) -> Problem {
        let message = "a request with this Idempotency-Key is being carried out";
        Problem::new(StatusCode::CONFLICT, "idempotency-in-progress", "FH409", message)
            .with_hint("send it again to see what it came to")
            .with_header(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S))
    }

    /// Another request had this key.
    pub(super) fn mismatch(&self) -> Problem {
        let message = "this Idempotency-Key was used for another request";
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Problem::new(status, "idempotency-mismatch", "FH422", message)
            .with_details("path, query, the headers that shape the answer, and the body must be the same")
            .with_hint("take a new key for a new request")
    }
}

/// The text of a string in quotes, or the bare text.
fn read(text: &str) -> Option<String> {
    let Some(rest) = text.strip_prefix('"') else {
        return Some(text.to_owned());
    };
    let inner = rest.strip_suffix('"')?;
    let mut key = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '\\' => key.push(chars.next().filter(|escaped| ['"', '\\'].contains(escaped))?),
            c => key.push(c),
        }
    }
    Some(key)
}

/// A 400 about the header.
pub(in crate::entity) fn refuse(message: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-idempotency-key", "FH400", message).with_hint(format!(
        "send one of 1 to {KEY_CHARS_MAX} visible ASCII characters, a UUID, say"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(values: &[&str]) -> Result<Option<String>, StatusCode> {
        let values = values
            .iter()
            .map(|v| (IDEMPOTENCY_KEY, HeaderValue::from_str(v).expect("a header")));
        let key = Key::of(&values.collect());
        key.map(|k| k.map(|k| k.0)).map_err(|p| p.status())
    }

    #[test]
    fn a_key_stands_in_quotes_or_bare() {
        assert_eq!(key(&[]), Ok(None));
        for (text, read) in [
            (
                "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"",
                "8e03978e-40d5-43dd-bc93-6894a57f9324",
            ),
            ("8e03978e", "8e03978e"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            (" a,b;c ", "a,b;c"),
            (&"x".repeat(255), &"x".repeat(255)),
        ] {
            assert_eq!(key(&[text]), Ok(Some(read.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let long = "x".repeat(256);
        for text in [
            "",
            "\"\"",
            "\"",
            "\"a",
            "\"a\"b",
            "\"a\";p=1",
            r#""a\b""#,
            r#""a\"#,
            "a b",
            "\"a b\"",
            "ä",
            &long,
        ] {
            assert_eq!(key(&[text]), Err(StatusCode::BAD_REQUEST), "{text}");
        }
        assert_eq!(key(&["a", "a"]), Err(StatusCode::BAD_REQUEST));
    }
}
