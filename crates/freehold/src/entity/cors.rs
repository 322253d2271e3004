//! Calls from web pages (CORS): which origins' pages may call this service, by `origins` of the manifest; none unless it says so.
//!
//! A preflight (OPTIONS with `Access-Control-Request-Method`) is answered here. Any other OPTIONS goes on to its table, which names
//! its methods; that is why this is our own: tower-http's layer answers every OPTIONS itself.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use freehold_manifest::model::Api;

const METHODS: &str = "GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS";

/// What the API reads, and what PostgREST's clients send beside it.
const READ: &str = "Accept, Accept-Profile, Apikey, Authorization, Content-Profile, Content-Type, Freehold-At-Least, \
                    Idempotency-Key, If-Match, If-None-Match, Prefer, Range, Range-Unit, Traceparent, X-Client-Info";

/// What the API answers beyond the headers that every page may read.
const ANSWERED: &str = "Allow, Content-Location, Content-Range, ETag, Freehold-Position, Freehold-Rows-Limit, \
                        Idempotency-Replayed, Link, Location, Preference-Applied, Range-Unit, Retry-After, WWW-Authenticate";

/// Seconds a browser may remember a preflight's answer: the most that Chrome keeps it.
const REMEMBERED_S: HeaderValue = HeaderValue::from_static("7200");

/// Whose pages may call.
#[derive(Debug)]
enum Origins {
    /// Anybody's, without credentials.
    All,
    /// Those of these origins, with the credentials that a browser holds for the service.
    These(Vec<HeaderValue>),
}

/// Lets pages of the manifest's origins call these routes; without origins they stay as they are.
pub(crate) fn allow(api: &Api, routes: Router) -> Router {
    if api.origins.is_empty() {
        return routes;
    }
    let origins = if api.origins.iter().any(|origin| origin == "*") {
        Origins::All
    } else {
        // One that no header can hold is no browser's origin.
        Origins::These(
            api.origins
                .iter()
                .filter_map(|o| HeaderValue::try_from(o).ok())
                .collect(),
        )
    };
    routes.layer(from_fn_with_state(Arc::new(origins), within))
}

async fn within(State(origins): State<Arc<Origins>>, request: Request, next: Next) -> Response {
    let asked = request.headers();
    let granted = asked.get(header::ORIGIN).and_then(|origin| origins.grant(origin));
    let preflight = request.method() == Method::OPTIONS && asked.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    if let Origins::These(_) = *origins {
        // Whoever keeps answers must keep them apart, also those to no origin.
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(origin) = granted {
        origins.say(headers, origin);
        if preflight {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(READ));
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED_S);
        } else {
            headers.insert(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(ANSWERED),
            );
        }
    }
    response
}

impl Origins {
    /// What the answer names, if a page of this origin may read it.
    fn grant(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::All => Some(HeaderValue::from_static("*")),
            Self::These(origins) => origins.contains(origin).then(|| origin.clone()),
        }
    }

    fn say(&self, headers: &mut HeaderMap, origin: HeaderValue) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if let Self::These(_) = self {
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
        }
    }
}
