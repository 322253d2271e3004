//! Optimistic locking over HTTP: entity tags are versions in quotes.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::problem::Problem;

/// What a change demands of the row it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Guard {
    /// Nothing.
    None,
    /// That it is there (`If-Match: *`).
    Present,
    /// That its version is one of these; an empty list is met by no row.
    Version(Vec<i64>),
}

/// The versions a request's precondition header lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tags {
    /// The header is not there.
    Absent,
    /// `*`
    Any,
    /// A list; tags that are no version of ours are left out, for they match nothing.
    Listed(Vec<i64>),
}

/// What is done with `W/"3"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weak {
    /// Counts like `"3"`: for reads.
    Counts,
    /// Is refused: a weak tag cannot guard a write.
    Refused,
}

/// Writes a version as an entity tag.
pub(super) fn etag(version: i64) -> HeaderValue {
    // Digits and quotes are always a valid header; the fallback is a tag that matches nothing.
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Reads `If-Match`.
///
/// # Errors
/// A 400 for a weak tag or something that is no list of tags.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Guard, Problem> {
    Ok(match tags(headers, &header::IF_MATCH, Weak::Refused)? {
        Tags::Absent => Guard::None,
        Tags::Any => Guard::Present,
        Tags::Listed(versions) => Guard::Version(versions),
    })
}

/// Reads `If-None-Match`.
///
/// # Errors
/// A 400 for something that is no list of tags.
pub(super) fn if_none_match(headers: &HeaderMap) -> Result<Tags, Problem> {
    tags(headers, &header::IF_NONE_MATCH, Weak::Counts)
}

fn tags(headers: &HeaderMap, name: &HeaderName, weak: Weak) -> Result<Tags, Problem> {
    let mut found = Tags::Absent;
    for value in headers.get_all(name) {
        let text = value.to_str().map_err(|_| malformed(name))?;
        for item in text.split(',').map(str::trim) {
            if item == "*" {
                found = Tags::Any;
                continue;
            }
            let strong = match item.strip_prefix("W/") {
                Some(_) if weak == Weak::Refused => return Err(weak_refused()),
                Some(rest) => rest,
                None => item,
            };
            let opaque = strong
                .strip_prefix('"')
                .and_then(|s| s.strip_suffix('"'))
                .ok_or_else(|| malformed(name))?;
            let versions = match &mut found {
                Tags::Any => continue,
                Tags::Listed(versions) => versions,
                Tags::Absent => {
                    found = Tags::Listed(Vec::new());
                    let Tags::Listed(versions) = &mut found else {
                        continue;
                    };
                    versions
                }
            };
            versions.extend(opaque.parse::<i64>().ok());
        }
    }
    Ok(found)
}

fn malformed(name: &HeaderName) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad-precondition",
        "FH400",
        format!("`{name}` is not a list of entity tags"),
    )
    .with_hint("send the ETag of the row as it came, in its quotes: \"3\", or *")
}

fn weak_refused() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad-precondition",
        "FH400",
        "a weak entity tag cannot guard a write",
    )
    .with_hint("send the ETag without W/; a proxy that compresses may have added it")
}

impl Guard {
    /// Joins the guard of the header with a `version` in the body; both must hold.
    pub(super) fn and_version(self, version: Option<i64>) -> Self {
        match (self, version) {
            (guard, None) => guard,
            (Self::Version(listed), Some(v)) => Self::Version(listed.into_iter().filter(|l| *l == v).collect()),
            (_, Some(v)) => Self::Version(vec![v]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_guard_is_a_list_of_versions() {
        let guard = |v| if_match(&with(header::IF_MATCH, v)).map_err(|p| p.status());
        assert_eq!(guard(&[]), Ok(Guard::None));
        assert_eq!(guard(&["\"3\""]), Ok(Guard::Version(vec![3])));
        assert_eq!(guard(&["\"3\", \"x\"", "\"5\""]), Ok(Guard::Version(vec![3, 5])));
        assert_eq!(guard(&["\"x\""]), Ok(Guard::Version(vec![])));
        assert_eq!(guard(&["*"]), Ok(Guard::Present));
        assert_eq!(guard(&["W/\"3\""]), Err(StatusCode::BAD_REQUEST));
        assert_eq!(guard(&["3"]), Err(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn a_read_takes_weak_tags() {
        let headers = with(header::IF_NONE_MATCH, &["W/\"3\""]);
        assert_eq!(if_none_match(&headers).ok(), Some(Tags::Listed(vec![3])));
    }

    #[test]
    fn header_and_body_must_both_hold() {
        assert_eq!(Guard::None.and_version(Some(2)), Guard::Version(vec![2]));
        assert_eq!(Guard::Version(vec![2, 3]).and_version(Some(4)), Guard::Version(vec![]));
    }
}
