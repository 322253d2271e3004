//! Answers: rows as PostgreSQL wrote them, and the headers around them.

use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::{Bytes, BytesMut};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use super::form;
use super::guard::etag;
use super::headers::{Form, Preferences, Return};
use super::plan::Node;
use super::problem::Problem;
pub(super) use crate::position::Transaction;

/// An answer, whole: stored under an idempotency key, or put beside others, as well as sent.
pub(super) type Answer = Response<Bytes>;

const CONTENT_RANGE_NONE: HeaderValue = HeaderValue::from_static("*/*");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Bytes of a text column, as they came.
struct Raw<'r>(&'r [u8]);

impl<'r> FromSql<'r> for Raw<'r> {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TEXT
    }
}

/// A row whose first column is the answer: it is kept alive instead of being copied.
struct Held(Row);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        text(&self.0)
    }
}

/// The first column of a row.
pub(super) fn text(row: &Row) -> &[u8] {
    row.try_get::<_, Option<Raw<'_>>>(0)
        .ok()
        .flatten()
        .map_or(&[], |raw| raw.0)
}

/// The first column of a row, without a copy.
pub(super) fn held(row: Row) -> Bytes {
    Bytes::from_owner(Held(row))
}

/// The second column of a row: its version, where it has one.
pub(super) fn version(row: &Row) -> Option<i64> {
    row.try_get(1).ok().flatten()
}

/// Joins rows, each the JSON of one object, to an array.
pub(super) fn array(rows: &[Row]) -> Bytes {
    let size: usize = rows.iter().map(|r| text(r).len() + 1).sum();
    let mut joined = BytesMut::with_capacity(size + 2);
    joined.extend_from_slice(b"[");
    for (place, row) in rows.iter().enumerate() {
        if place > 0 {
            joined.extend_from_slice(b",");
        }
        joined.extend_from_slice(text(row));
    }
    joined.extend_from_slice(b"]");
    joined.freeze()
}

/// An answer with rows in it.
pub(super) fn rows(status: StatusCode, form: Form, body: Bytes) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, form.content_type());
    response
}

/// An answer without.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// An answer to a write that is not asked for rows. Where the status would allow some, it says that nothing is text: the
/// empty text is no JSON, and a reader that goes by the described media types finds it.
fn nothing(status: StatusCode) -> Answer {
    let mut response = empty(status);
    if status != StatusCode::NO_CONTENT {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, Form::Text.content_type());
    }
    response
}

/// Which part of all rows an answer holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// The number of the first row; none where it is not known, or the rows are gone.
    pub(super) first: Option<u64>,
    /// Rows in the answer.
    pub(super) count: u64,
    /// Rows there are, if they were counted.
    pub(super) total: Option<u64>,
}

impl Extent {
    /// 206 when there are more rows than these.
    ///
    /// # Errors
    /// A 416 when the first row is behind the last.
    pub(super) fn status(&self) -> Result<StatusCode, Problem> {
        let Some(total) = self.total else {
            return Ok(StatusCode::OK);
        };
        match self.first {
            Some(first) if first > total || (first == total && first > 0) => Err(Problem::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "no-such-range",
                "PGRST103",
                "Requested range not satisfiable",
            )
            .with_details(format!(
                "An offset of {first} was requested, but there are only {total} rows."
            ))
            .with_header(
                header::CONTENT_RANGE,
                HeaderValue::try_from(format!("*/{total}")).unwrap_or(CONTENT_RANGE_NONE),
            )),
            _ if self.count < total => Ok(StatusCode::PARTIAL_CONTENT),
            _ => Ok(StatusCode::OK),
        }
    }

    /// Writes `Content-Range`: `0-24/573`.
    pub(super) fn describe(&self, response: &mut Answer) {
        let total = self.total.map_or_else(|| "*".to_owned(), |total| total.to_string());
        let text = match self.first {
            Some(first) if self.count > 0 => format!("{first}-{}/{total}", first.saturating_add(self.count) - 1),
            _ => format!("*/{total}"),
        };
        let value = HeaderValue::try_from(text).unwrap_or(CONTENT_RANGE_NONE);
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
}

/// Notes which transaction it was.
pub(super) fn set_transaction(response: &mut Answer, transaction: Option<u64>) {
    if let Some(transaction) = transaction {
        response.extensions_mut().insert(Transaction(transaction));
    }
}

/// Says which version the row has.
pub(super) fn set_version(response: &mut Answer, version: Option<i64>) {
    if let Some(version) = version {
        response.headers_mut().insert(header::ETAG, etag(version));
    }
}

/// Says which preferences were followed.
pub(super) fn set_applied(response: &mut Answer, preferences: &Preferences) {
    if let Some(applied) = preferences.applied() {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
}

/// The answer to a write: `rows` as they are now, or nothing but `bare`.
pub(super) fn written(
    preferences: &Preferences,
    form: Form,
    node: &Node<'_>,
    full: StatusCode,
    bare: StatusCode,
    found: Vec<Row>,
) -> Answer {
    let mut response = match preferences.answer {
        Return::Minimal | Return::HeadersOnly => nothing(bare),
        // The one row that was written is gone again: the service's own SQL took it.
        Return::Representation if form.is_single() && found.is_empty() => nothing(bare),
        Return::Representation => form::rows(full, form, node, found),
    };
    set_applied(&mut response, preferences);
    response
}

/// What a client gets that asked for exactly one row.
pub(super) fn not_singular(found: u64, exact: Exact) -> Problem {
    let details = match exact {
        Exact::Yes => format!("The result contains {found} rows"),
        Exact::AtLeast => format!("The result contains {found} rows or more"),
    };
    Problem::new(
        StatusCode::NOT_ACCEPTABLE,
        "not-singular",
        "PGRST116",
        "Cannot coerce the result to a single JSON object",
    )
    .with_details(details)
}

/// How sure a count is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exact {
    Yes,
    AtLeast,
}
