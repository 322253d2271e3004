//! `/docs`: a page that shows the document and sends requests, with everything it needs in this binary.
//!
//! The page is Swagger UI, kept compressed and sent as it is kept. Its parts stand under a path with their hash, so that
//! browsers keep them for good. The page loads nothing from elsewhere and may not: its policy allows this host alone,
//! and no script or style inside it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use freehold_manifest::model::Service;

use super::served::hash;
use crate::entity::problem::Problem;

/// What a browser may load for this page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// One file of the page.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
    kept: Kept,
}

/// How a file is kept here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Plain,
    Gzip,
}

const ASSETS: [Asset; 5] = [
    Asset {
        name: "swagger-ui-bundle.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../assets/swagger-ui/swagger-ui-bundle.js.gz"),
        kept: Kept::Gzip,
    },
    Asset {
        name: "swagger-ui.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../assets/swagger-ui/swagger-ui.css.gz"),
        kept: Kept::Gzip,
    },
    Asset {
        name: "start.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../assets/swagger-ui/start.js"),
        kept: Kept::Plain,
    },
    Asset {
        name: "page.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../assets/swagger-ui/page.css"),
        kept: Kept::Plain,
    },
    Asset {
        name: "icon.png",
        media_type: "image/png",
        bytes: include_bytes!("../../assets/swagger-ui/favicon-32x32.png"),
        kept: Kept::Plain,
    },
];

/// The page of one service.
struct Page {
    html: String,
    /// The hash of all assets: the path they stand under.
    version: String,
}

/// Serves the page and its parts.
pub(super) fn router(service: &Service) -> axum::Router {
    let all: Vec<u8> = ASSETS.iter().flat_map(|a| a.bytes).copied().collect();
    let version = hash(&all);
    let page = Page {
        html: html(&service.name, &version),
        version,
    };
    axum::Router::new()
        .route("/docs", get(show))
        // Without the slash, so that what the page names stands beside it wherever a proxy puts it.
        .route("/docs/", get(async || Redirect::permanent("../docs")))
        .route("/docs/{version}/{name}", get(asset))
        .with_state(Arc::new(page))
}

fn html(service: &str, version: &str) -> String {
    let service = service.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{service}: API</title>
<link rel="icon" type="image/png" href="docs/{version}/icon.png">
<link rel="stylesheet" href="docs/{version}/swagger-ui.css">
<link rel="stylesheet" href="docs/{version}/page.css">
<script src="docs/{version}/swagger-ui-bundle.js"></script>
<script src="docs/{version}/start.js"></script>
</head>
<body>
<div id="api"></div>
<noscript>This page needs JavaScript; what it shows stands in <a href="openapi.json">openapi.json</a>.</noscript>
</body>
</html>
"#
    )
}

async fn show(State(page): State<Arc<Page>>) -> Response<Body> {
    let mut response = Response::new(Body::from(page.html.clone()));
    let said = response.headers_mut();
    said.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    said.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    said.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    said.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    said.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn asset(
    State(page): State<Arc<Page>>,
    Path((version, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> axum::response::Response {
    let found = ASSETS.iter().find(|a| a.name == name && page.version == version);
    let Some(asset) = found else {
        let problem = Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-path",
            "PGRST125",
            "the page has no such part",
        );
        return problem.with_hint("load /docs again").into_response();
    };
    if asset.kept == Kept::Gzip && !takes_gzip(&headers) {
        let problem = Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            "not-acceptable",
            "PGRST107",
            format!("`{name}` is kept compressed"),
        );
        return problem.with_hint("accept gzip").into_response();
    }
    let mut response = Response::new(Body::from(asset.bytes));
    let said = response.headers_mut();
    said.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    said.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    said.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if asset.kept == Kept::Gzip {
        said.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        said.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    response.into_response()
}

/// Whether gzip is accepted: it is unless the client lists what it accepts, and leaves it out (RFC 9110, 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::ACCEPT_ENCODING).iter().peekable();
    if values.peek().is_none() {
        return true;
    }
    let listed = values.filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    let mut any = false;
    for item in listed {
        let (name, quality) = item.split_once(';').unwrap_or((item, ""));
        let refused = quality
            .trim()
            .strip_prefix("q=")
            .is_some_and(|q| q.parse() == Ok(0.0_f32));
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => return !refused,
            "*" => any = !refused,
            _ => {}
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        let takes = |value| {
            takes_gzip(&HeaderMap::from_iter([(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static(value),
            )]))
        };
        assert!(takes_gzip(&HeaderMap::new()));
        assert!(takes("br, GZIP;q=0.5"));
        assert!(takes("*"));
        assert!(!takes("gzip;q=0, *"));
        assert!(!takes("identity"));
        assert!(!takes(""));
    }

    #[test]
    fn the_page_names_nothing_but_what_is_here() {
        let html = html("a<b", "1");
        for asset in &ASSETS {
            assert!(html.contains(&format!("\"docs/1/{}\"", asset.name)), "{}", asset.name);
        }
        assert!(!html.contains("//"), "{html}");
        assert!(html.contains("<title>a&lt;b: API</title>"), "{html}");
    }

    #[test]
    fn what_is_kept_compressed_is_gzip() {
        /// What a gzip file begins with (RFC 1952).
        const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
        for asset in &ASSETS {
            assert_eq!(
                asset.bytes.starts_with(&MAGIC),
                asset.kept == Kept::Gzip,
                "{}",
                asset.name
            );
        }
    }
}
