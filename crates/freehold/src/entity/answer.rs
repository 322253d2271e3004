//! Answers: rows as PostgreSQL wrote them, and the headers around them.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::{Bytes, BytesMut};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use super::guard::etag;
use super::headers::{Form, Preferences, Return};
use super::problem::Problem;

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

fn text(row: &Row) -> &[u8] {
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
pub(super) fn rows(status: StatusCode, form: Form, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, form.content_type());
    response
}

/// An answer without.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Says which rows these are: `0-24/*`.
pub(super) fn set_range(response: &mut Response<Body>, offset: u64, count: u64) {
    let value = match count {
        0 => CONTENT_RANGE_NONE,
        _ => {
            let last = offset.saturating_add(count) - 1;
            HeaderValue::try_from(format!("{offset}-{last}/*")).unwrap_or(CONTENT_RANGE_NONE)
        }
    };
    response.headers_mut().insert(header::CONTENT_RANGE, value);
}

/// Says which version the row has.
pub(super) fn set_version(response: &mut Response<Body>, version: Option<i64>) {
    if let Some(version) = version {
        response.headers_mut().insert(header::ETAG, etag(version));
    }
}

/// Says which preference was followed.
pub(super) fn set_applied(response: &mut Response<Body>, preferences: Preferences) {
    if let Some(applied) = preferences.applied {
        response
            .headers_mut()
            .insert(PREFERENCE_APPLIED, HeaderValue::from_static(applied));
    }
}

/// The answer to a write: `rows` as they are now, or nothing but `bare`.
pub(super) fn written(
    preferences: Preferences,
    form: Form,
    full: StatusCode,
    bare: StatusCode,
    found: Vec<Row>,
) -> Response<Body> {
    let mut response = match preferences.answer {
        Return::Minimal | Return::HeadersOnly => empty(bare),
        Return::Representation => match form {
            Form::Array => rows(full, form, array(&found)),
            Form::Object => match found.into_iter().next() {
                Some(row) => rows(full, form, held(row)),
                // The one row that was written is gone again: the service's own SQL took it.
                None => empty(bare),
            },
        },
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
