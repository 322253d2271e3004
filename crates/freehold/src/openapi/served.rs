//! `/openapi.json`, and the routes of the page beside it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::routing::get;
use bytes::Bytes;
use freehold_manifest::model::Service;
use sha2::{Digest, Sha256};

use super::{Asks, document, page};
use crate::pg::catalog::Catalog;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
/// The registered type of a document like this, for who asks for it.
const OPENAPI: &str = "application/openapi+json";

/// Serves the document of `service` under `/openapi.json`, and a page to try it under `/docs`.
///
/// The document is what it is when this is called: make a new router after a migration.
pub(crate) fn router(service: &Service, catalog: &Catalog, asks: Asks) -> axum::Router {
    let text = document(service, catalog, asks).to_string();
    let served = Served {
        etag: etag(text.as_bytes()),
        text: text.into(),
    };
    axum::Router::new()
        .route("/openapi.json", get(answer))
        .with_state(Arc::new(served))
        .merge(page::router(service))
}

/// The document as it is sent.
struct Served {
    text: Bytes,
    etag: HeaderValue,
}

async fn answer(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response<Body> {
    let mut response = if is_known(&headers, &served.etag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(Body::from(served.text.clone()));
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, media_type(&headers));
        response
    };
    let said = response.headers_mut();
    said.insert(header::ETAG, served.etag.clone());
    said.insert(header::VARY, HeaderValue::from_static("accept"));
    // A migration and a restart may change it: it is asked for again each time, and mostly not sent.
    said.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    said.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// An entity tag that follows from what is sent.
fn etag(bytes: &[u8]) -> HeaderValue {
    let tag = format!("\"{}\"", hash(bytes));
    // Hexadecimal digits and quotes are always a valid header; the fallback matches nothing.
    HeaderValue::try_from(tag).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// So many digits of the hash that two versions never have the same.
pub(super) fn hash(bytes: &[u8]) -> String {
    const DIGITS: usize = 32;
    let mut digits = hex::encode(Sha256::digest(bytes));
    digits.truncate(DIGITS);
    digits
}

/// Whether the client has it already; a tag that a proxy made weak counts.
fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let tags = headers.get_all(header::IF_NONE_MATCH).into_iter();
    let listed = tags.filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    listed
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes())
}

/// JSON, unless the type of a document like this is named.
fn media_type(headers: &HeaderMap) -> HeaderValue {
    let accepted = headers.get_all(header::ACCEPT).into_iter();
    let mut listed = accepted.filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    let names_it = |item: &str| {
        item.split(';')
            .next()
            .is_some_and(|name| name.trim().eq_ignore_ascii_case(OPENAPI))
    };
    if listed.any(names_it) {
        return HeaderValue::from_static("application/openapi+json;version=3.1; charset=utf-8");
    }
    JSON
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::tests::small;

    /// Serves the small service's document on a free port; returns the root.
    async fn serve() -> String {
        let (service, catalog) = small();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        tokio::spawn(async move { axum::serve(listener, router(&service, &catalog, Asks::Nobody)).await });
        format!("http://{address}")
    }

    async fn get(url: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let request = headers
            .iter()
            .fold(reqwest::Client::new().get(url), |r, (name, value)| {
                r.header(*name, *value)
            });
        request.send().await.expect("an answer")
    }

    fn said<'r>(response: &'r reqwest::Response, name: &str) -> &'r str {
        response.headers().get(name).map_or("", |v| v.to_str().expect("text"))
    }

    #[tokio::test]
    async fn the_document_is_sent_once() {
        let url = format!("{}/openapi.json", serve().await);
        let first = get(&url, &[]).await;
        assert_eq!(
            (first.status().as_u16(), said(&first, "content-type")),
            (200, "application/json; charset=utf-8")
        );
        let tag = said(&first, "etag").to_owned();
        let document: serde_json::Value = first.json().await.expect("JSON");
        assert_eq!(document["openapi"], "3.1.0");
        let second = get(&url, &[("if-none-match", &tag)]).await;
        assert_eq!((second.status().as_u16(), said(&second, "etag")), (304, tag.as_str()));
        assert_eq!(second.text().await.expect("nothing"), "");
    }

    #[tokio::test]
    async fn the_page_has_all_its_parts_here() {
        let root = serve().await;
        let page = get(&format!("{root}/docs"), &[]).await;
        assert!(said(&page, "content-security-policy").starts_with("default-src 'none'; script-src 'self'"));
        let html = page.text().await.expect("a page");
        let parts: Vec<&str> = html.split('"').filter(|part| part.starts_with("docs/")).collect();
        assert_eq!(parts.len(), 5, "{html}");
        for part in parts {
            let found = get(&format!("{root}/{part}"), &[("accept-encoding", "gzip")]).await;
            assert_eq!(found.status().as_u16(), 200, "{part}");
            assert!(said(&found, "cache-control").ends_with("immutable"), "{part}");
            assert!(!found.bytes().await.expect("bytes").is_empty(), "{part}");
        }
    }

    #[tokio::test]
    async fn what_the_page_does_not_have_is_not_found() {
        let root = serve().await;
        let missing = get(&format!("{root}/docs/0/start.js"), &[]).await;
        assert_eq!(
            (missing.status().as_u16(), said(&missing, "content-type")),
            (404, "application/problem+json; charset=utf-8")
        );
        let html = get(&format!("{root}/docs"), &[]).await.text().await.expect("a page");
        let bundle = html
            .split('"')
            .find(|part| part.ends_with("bundle.js"))
            .expect("a part");
        let plain = get(&format!("{root}/{bundle}"), &[("accept-encoding", "identity")]).await;
        assert_eq!(plain.status().as_u16(), 406);
    }

    fn with(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_known_document_is_not_sent_again() {
        let tag = etag(b"{}");
        let known = |value| is_known(&with(header::IF_NONE_MATCH, value), &tag);
        assert_eq!(tag, "\"44136fa355b3678a1146ad16f7e8649e\"");
        assert!(known("\"44136fa355b3678a1146ad16f7e8649e\""));
        assert!(known("\"x\", W/\"44136fa355b3678a1146ad16f7e8649e\""));
        assert!(known("*"));
        assert!(!known("\"x\""));
        assert!(!is_known(&HeaderMap::new(), &tag));
    }

    #[test]
    fn its_own_media_type_is_answered_to_those_who_name_it() {
        let of = |accept| media_type(&with(header::ACCEPT, accept));
        assert_eq!(
            of("application/openapi+json, */*"),
            "application/openapi+json;version=3.1; charset=utf-8"
        );
        assert_eq!(of("*/*"), JSON);
        assert_eq!(media_type(&HeaderMap::new()), JSON);
    }
}
