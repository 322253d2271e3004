//! A request, received whole and within its limits: what is asked, before anything is known of tables.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use freehold_manifest::model::Limits;
use tokio::time::{Instant, timeout_at};

use super::problem::Problem;

/// What is asked: by a request, or by one operation of several.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// Percent-encoded, as it came.
    pub(super) path: String,
    /// What follows the question mark, as it came.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    /// Empty where the method takes none.
    pub(super) body: Bytes,
}

impl Asked {
    /// Whether it may change something.
    pub(super) fn writes(&self) -> bool {
        [Method::POST, Method::PATCH, Method::PUT, Method::DELETE].contains(&self.method)
    }
}

/// Receives a request.
///
/// # Errors
/// 414 and 413 for more than the limits allow, 408 for a body that does not arrive by `deadline`, 400 for one that ends
/// early.
pub(super) async fn receive(request: Request, limits: &Limits, deadline: Instant) -> Result<Asked, Problem> {
    let (parts, body) = request.into_parts();
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    check_url(path, query, limits)?;
    // Also what is not looked at is read: the connection is used for the next request.
    let body = read(body, &parts.headers, limits.body_bytes, deadline).await?;
    let takes_body = [Method::POST, Method::PATCH, Method::PUT].contains(&parts.method);
    let body = if takes_body { body } else { Bytes::new() };
    Ok(Asked {
        path: path.to_owned(),
        query: query.to_owned(),
        method: parts.method,
        headers: parts.headers,
        body,
    })
}

/// Refuses a path and query that are too long together.
pub(super) fn check_url(path: &str, query: &str, limits: &Limits) -> Result<(), Problem> {
    let most = limits.url_bytes;
    if (path.len() + query.len()) as u64 <= most {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::URI_TOO_LONG,
        "url-too-long",
        "FH414",
        format!("the URL is longer than {most} bytes"),
    )
    .with_header(header::CONNECTION, HeaderValue::from_static("close")))
}

async fn read(body: Body, headers: &HeaderMap, most: u64, deadline: Instant) -> Result<Bytes, Problem> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<u64>().ok());
    if declared.is_some_and(|n| n > most) {
        return Err(too_large(most));
    }
    let read = axum::body::to_bytes(body, usize::try_from(most).unwrap_or(usize::MAX));
    match timeout_at(deadline, read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_too_large(&error) => Err(too_large(most)),
        Ok(Err(_)) => Err(Problem::body("the body ended early")),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "out-of-time",
            "FH408",
            "the body did not arrive in time",
        )
        .with_header(header::CONNECTION, HeaderValue::from_static("close"))),
    }
}

fn too_large(most: u64) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body-too-large",
        "FH413",
        format!("the body is larger than {most} bytes"),
    )
    .with_header(header::CONNECTION, HeaderValue::from_static("close"))
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        if error.to_string().contains("length limit exceeded") {
            return true;
        }
        source = error.source();
    }
    false
}
