//! What a client is told when something is wrong: `application/problem+json` (RFC 9457) with the `code`, `message`,
//! `details` and `hint` that PostgREST's clients read.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use serde_json::{Map, Value};

use super::limits::RETRY_AFTER_S;

/// One refusal, ready to be sent.
///
/// It never holds SQL nor values of rows the client did not send; a 5xx holds only a trace id.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    kind: &'static str,
    code: String,
    message: String,
    details: Option<String>,
    hint: Option<String>,
    members: Map<String, Value>,
    headers: HeaderMap,
}

/// Bytes of a sentence: what it quotes of a request may be megabytes.
const SENTENCE_BYTES_MAX: usize = 2_000;

/// Cuts a sentence that has become too long.
fn short(mut sentence: String) -> String {
    if sentence.len() > SENTENCE_BYTES_MAX {
        let end = (0..=SENTENCE_BYTES_MAX).rev().find(|at| sentence.is_char_boundary(*at));
        sentence.truncate(end.unwrap_or(0));
        sentence.push('…');
    }
    sentence
}

impl Problem {
    /// A problem of this status, kind (`stale-version`: the last part of its `type`), code (PostgREST's, PostgreSQL's
    /// or ours) and sentence.
    #[must_use]
    pub fn new(status: StatusCode, kind: &'static str, code: &str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            kind,
            code: code.to_owned(),
            message: short(message.into()),
            details: None,
            hint: None,
            members: Map::new(),
            headers: HeaderMap::new(),
        }))
    }

    /// A 400 about the request's grammar.
    #[must_use]
    pub fn grammar(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-query", "PGRST100", message)
    }

    /// A 400 about the request's body.
    #[must_use]
    pub fn body(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-body", "PGRST102", message)
    }

    /// A 503 that names no reason beyond its sentence and asks to come back.
    #[must_use]
    pub fn unavailable(kind: &'static str, code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, code, message)
            .with_header(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S))
    }

    /// Adds what happened in more words.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        self.0.details = Some(short(details.into()));
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(short(hint.into()));
        self
    }

    /// Adds a member of our own.
    #[must_use]
    pub fn with_member(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = match value.into() {
            Value::String(text) => short(text).into(),
            value => value,
        };
        self.0.members.insert(name.to_owned(), value);
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// The status it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The code it carries.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// Its sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The answer, to be sent.
    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        self.into_answer().map(Body::from)
    }

    /// The answer, whole.
    #[must_use]
    pub(crate) fn into_answer(self) -> Response<Bytes> {
        let inner = *self.0;
        let mut members = inner.members;
        members.insert("type".into(), format!("urn:freehold:problem:{}", inner.kind).into());
        let title = inner.status.canonical_reason().unwrap_or("Error");
        members.insert("title".into(), title.into());
        members.insert("status".into(), inner.status.as_u16().into());
        let detail = match (&inner.details, &inner.hint) {
            (None, None) => inner.message.clone(),
            (Some(more), None) | (None, Some(more)) => format!("{}: {more}", inner.message),
            (Some(details), Some(hint)) => format!("{}: {details}. {hint}", inner.message),
        };
        members.insert("detail".into(), detail.into());
        // The name by which PostgREST's clients look for it.
        let status = format!("PostgREST; error={}", inner.code);
        members.insert("code".into(), inner.code.into());
        members.insert("message".into(), inner.message.into());
        // Several relationships, for example, are described as a list.
        members.entry("details").or_insert_with(|| inner.details.clone().into());
        members.insert("hint".into(), inner.hint.into());
        let mut response = Response::new(Bytes::from(Value::Object(members).to_string()));
        *response.status_mut() = inner.status;
        *response.headers_mut() = inner.headers;
        // RFC 9209, for clients that see no body, of HEAD for example.
        if let Ok(status) = HeaderValue::try_from(status) {
            response
                .headers_mut()
                .insert(HeaderName::from_static("proxy-status"), status);
        }
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json; charset=utf-8"),
        );
        response
    }
}

/// The known name closest to `name`, if any is close enough to be a slip of the finger.
#[must_use]
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer names are noise, and comparing them costs their square.
    const NAME_BYTES_MAX: usize = 128;
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    known
        .map(|k| (strsim::damerau_levenshtein(name, k), k))
        .filter(|(distance, k)| *distance <= 1 + k.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}
