//! How the service is: `/health/live`, `/health/ready`, `/freehold/status`, and a first page that lists what is served.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use deadpool_postgres::Pool;
use freehold_manifest::model;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::entity::problem::Problem;
use crate::error::Error;
use crate::pg::place;
use crate::replica::COPIES;
use crate::subscription;

/// A sequencer that did not reach the database for this long is reported: it looks every 50 ms.
const SEQUENCER_SILENCE_MAX: Duration = Duration::from_secs(5);

/// A health check answers within this, database or not.
const CHECK_MAX: Duration = Duration::from_secs(2);

/// What health looks at.
#[derive(Debug)]
pub struct Health {
    /// The service's manifest.
    pub service: model::Service,
    /// Its database.
    pub pool: Pool,
    /// The library's schema.
    pub freehold: String,
    /// When the sequencer last reached the database.
    pub sequencer: watch::Receiver<Option<Instant>>,
    /// The subscriptions.
    pub watched: Vec<Watched>,
}

/// One subscription, seen from outside.
#[derive(Debug)]
pub struct Watched {
    /// What for: `copies` or `handlers`.
    pub subscription: &'static str,
    /// Whom it follows.
    pub producer: String,
    /// How it goes.
    pub state: Arc<RwLock<subscription::State>>,
}

/// The routes.
pub fn router(health: Arc<Health>) -> axum::Router {
    axum::Router::new()
        .route("/", axum::routing::get(index))
        .route("/health/live", axum::routing::get(live))
        .route("/health/ready", axum::routing::get(ready))
        .route("/freehold/status", axum::routing::get(status))
        .with_state(health)
}

async fn index(State(health): State<Arc<Health>>) -> Json<Value> {
    Json(contents(&health.service))
}

fn contents(service: &model::Service) -> Value {
    let tables = service
        .owns
        .iter()
        .filter(|t| t.served != model::ServedTo::Nobody)
        .map(|t| json!({ "table": t.name, "href": format!("/{}", t.name), "summary": t.summary }));
    let views = service
        .views
        .iter()
        .map(|v| json!({ "view": v.name, "href": format!("/{}", v.name), "summary": v.summary }));
    let functions = service
        .functions
        .iter()
        .map(|f| json!({ "function": f.name, "href": format!("/rpc/{}", f.name), "summary": f.summary }));
    json!({
        "service": service.name,
        "summary": service.summary,
        "tables": tables.collect::<Vec<_>>(),
        "views": views.collect::<Vec<_>>(),
        "functions": functions.collect::<Vec<_>>(),
        "health": ["/health/live", "/health/ready", "/freehold/status"],
    })
}

/// The process runs; nothing else is asked, so that a lost database does not get it killed.
async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// The service can do its work: database there, sequencer moving, copies filled and followed.
async fn ready(State(health): State<Arc<Health>>) -> Response {
    let database = tokio::time::timeout(CHECK_MAX, health.empty_copies()).await;
    let (database, copies) = match database {
        Ok(Ok(empty)) if empty.is_empty() => ("ok".to_owned(), "ok".to_owned()),
        Ok(Ok(empty)) => ("ok".to_owned(), format!("not filled yet: {}", empty.join(", "))),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the health check cannot reach the database");
            ("does not answer".to_owned(), "unknown".to_owned())
        }
        Err(_) => (format!("does not answer within {CHECK_MAX:?}"), "unknown".to_owned()),
    };
    let sequencer = match *health.sequencer.borrow() {
        Some(seen) if seen.elapsed() < SEQUENCER_SILENCE_MAX => "ok".to_owned(),
        Some(seen) => format!("silent for {} s", seen.elapsed().as_secs()),
        None => "not started".to_owned(),
    };
    let mut subscriptions = serde_json::Map::new();
    let mut followed = true;
    for watched in &health.watched {
        let state = watched.state();
        followed &= matches!(state, subscription::State::Live | subscription::State::Standby);
        subscriptions.insert(watched.name(), json!(state));
    }
    // A producer that is down does not make this service unready: it serves what it holds.
    let ready = database == "ok" && sequencer == "ok" && copies == "ok";
    let status = match (ready, followed) {
        (false, _) => "not ready",
        (true, false) => "ready, but behind a producer",
        (true, true) => "ready",
    };
    let code = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({
        "status": status,
        "database": database,
        "sequencer": sequencer,
        "copies": copies,
        "subscriptions": subscriptions,
    });
    (code, Json(body)).into_response()
}

async fn status(State(health): State<Arc<Health>>) -> Response {
    match tokio::time::timeout(CHECK_MAX, health.status()).await {
        Ok(Ok(mut status)) => {
            let followed: serde_json::Map<_, _> = health.watched.iter().map(|w| (w.name(), json!(w.state()))).collect();
            status["service"] = json!(health.service.name);
            status["subscriptions"] = followed.into();
            Json(status).into_response()
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "status cannot be read");
            no_status()
        }
        Err(_) => no_status(),
    }
}

fn no_status() -> Response {
    Problem::unavailable("connection-lost", "PGRST001", "the database does not answer").into_response()
}

/// A path that is no table's and none of ours.
pub(crate) async fn nowhere(uri: Uri) -> Response {
    let problem = Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-path",
        "PGRST125",
        format!("nothing is at `{}`", uri.path()),
    );
    let mut segments = uri.path().split('/').filter(|s| !s.is_empty());
    let hint = match (segments.next(), segments.next(), segments.next()) {
        (Some(table), Some(_), None) if table != "health" && table != "freehold" => {
            format!("a row is asked for by a filter on its key: /{table}?id=eq.7")
        }
        (Some(table), None, None) => format!("without the other slashes: /{table}"),
        _ => "/ lists what is here".to_owned(),
    };
    problem.with_hint(hint).into_response()
}

/// A path of ours that is only read.
pub(crate) async fn no_such_method(method: Method, uri: Uri) -> Response {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "PGRST117",
        format!("`{}` does not answer {method}", uri.path()),
    )
    .into_response()
}

impl Watched {
    /// `product` for its copies here, `product/handlers` for what handlers hear of it.
    fn name(&self) -> String {
        match self.subscription {
            COPIES => self.producer.clone(),
            other => format!("{}/{other}", self.producer),
        }
    }

    fn state(&self) -> subscription::State {
        self.state
            .read()
            .map_or(subscription::State::Starting, |state| state.clone())
    }
}

impl Health {
    async fn empty_copies(&self) -> Result<Vec<String>, Error> {
        let client = self.pool.get().await?;
        let statement = client
            .prepare_cached(&place(
                "select coalesce(array_agg(name order by name), '{}') from freehold.copy where state = 'empty'",
                &self.freehold,
            ))
            .await?;
        Ok(client.query_one(&statement, &[]).await?.get(0))
    }

    async fn status(&self) -> Result<Value, Error> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(&place(STATUS, &self.freehold)).await?;
        Ok(client.query_one(&statement, &[]).await?.get(0))
    }
}

const STATUS: &str = "
select json_build_object(
  'epoch', h.epoch,
  'position', h.position,
  'hash', encode(h.hash, 'hex'),
  'outbox', (select count(*) from (select from freehold.outbox limit 10000) o),
  'topics', coalesce((select json_object_agg(t.topic, t.position) from freehold.topic t), '{}'),
  'copies', coalesce((select json_object_agg(c.name, json_build_object(
      'of', c.topic,
      'state', c.state,
      'position', u.position,
      'seen', u.seen
    ))
    from freehold.copy c
    left join freehold.cursor u on (u.subscription, u.producer, u.topic) = ('copies', c.producer, c.topic)), '{}'),
  'dangling', (select count(*) from freehold.dangling),
  -- Keys set aside, by state.
  'keys', (select json_build_object(
      'retrying', count(*) filter (where k.state = 'retrying'),
      'parked', count(*) filter (where k.state = 'parked'))
    from freehold.parked_key k),
  -- Sagas that have not ended, by state.
  'sagas', (select json_build_object(
      'running', count(*) filter (where s.state = 'running'),
      'compensating', count(*) filter (where s.state = 'compensating'),
      'stuck', count(*) filter (where s.state = 'stuck'))
    from freehold.saga s
    where s.state not in ('completed', 'compensated'))
)
from freehold.log_head h";

#[cfg(test)]
mod tests {
    use freehold_manifest::{SourceFile, read_service};
    use serde_json::json;

    use super::contents;

    #[test]
    fn the_first_page_lists_tables_views_and_functions() {
        let manifest = SourceFile {
            path: "order/freehold.toml".to_owned(),
            text: "service = \"order\"\nsummary = \"Orders.\"\n[owns.orders]\nsummary = \"All.\"\n\
                   [views.order_totals]\nsummary = \"Sums.\"\n[functions.search]\nsummary = \"By a word.\"\n"
                .to_owned(),
        };
        let service = read_service(&manifest).expect("a right manifest");
        assert_eq!(
            contents(&service),
            json!({
                "service": "order",
                "summary": "Orders.",
                "tables": [{ "table": "orders", "href": "/orders", "summary": "All." }],
                "views": [{ "view": "order_totals", "href": "/order_totals", "summary": "Sums." }],
                "functions": [{ "function": "search", "href": "/rpc/search", "summary": "By a word." }],
                "health": ["/health/live", "/health/ready", "/freehold/status"],
            })
        );
    }
}
