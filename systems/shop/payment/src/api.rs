//! The API over HTTP.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::json;
use std::sync::Arc;

use crate::amount::Amount;
use crate::books::{CURRENCY, Charge, Entry, Payment, Refund, Status, Totals, Wish};
use crate::desk::{Desk, Settled};
use crate::mischief::{BadMischief, Mischief};
use crate::problem::Problem;

/// The client's name for a request; the same name is the same request.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Says `true` on an answer that was stored.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Bytes of an idempotency key: room for several UUIDs.
const KEY_MAX: usize = 200;

/// Characters of an order's name, and of a method's.
const TEXT_MAX: usize = 200;

/// Bytes of a body: a mischief with ten thousand named orders.
const BODY_MAX: usize = 1 << 20;

type Answer<T> = Result<T, Problem>;

pub(crate) fn routes(desk: Desk) -> Router {
    Router::new()
        .route("/payments", post(pay).get(payments))
        .route("/payments/by-key/{key}", get(payment_by_key))
        .route("/payments/{id}/refunds", post(refund))
        .route("/refunds", get(refunds))
        .route("/totals", get(totals))
        .route("/mischief", get(mischief).put(set_mischief))
        .route("/health", get(health))
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "no-such-path", "there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "wrong-method",
                "this path has other methods: see Allow",
            )
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(desk)
}

async fn pay(State(desk): State<Desk>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Answer<Response> {
    let key = idempotency_key(&headers)?;
    let charge = checked(read(&bytes(body)?)?)?;
    Ok(show(desk.settle(key, Wish::Charge(charge)).await?))
}

async fn refund(
    State(desk): State<Desk>,
    headers: HeaderMap,
    payment: Result<Path<String>, PathRejection>,
) -> Answer<Response> {
    let key = idempotency_key(&headers)?;
    let payment = path(payment)?;
    Ok(show(desk.settle(key, Wish::Refund { payment }).await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    order: Option<String>,
}

async fn payments(
    State(desk): State<Desk>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Answer<Json<Vec<Payment>>> {
    let Query(filter) =
        filter.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad-query", error.body_text()))?;
    let books = desk.shared.books();
    Ok(Json(match filter.order {
        Some(order) => books.payments_of(&order),
        None => books.payments().to_vec(),
    }))
}

async fn payment_by_key(State(desk): State<Desk>, key: Result<Path<String>, PathRejection>) -> Answer<Json<Payment>> {
    let payment = desk.shared.books().payment_by_key(&path(key)?).cloned();
    payment.map(Json).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "no-such-payment",
            "nothing was paid under this idempotency key",
        )
    })
}

async fn refunds(State(desk): State<Desk>) -> Json<Vec<Refund>> {
    Json(desk.shared.books().refunds().to_vec())
}

async fn totals(State(desk): State<Desk>) -> Json<Totals> {
    Json(desk.shared.books().totals())
}

async fn mischief(State(desk): State<Desk>) -> Json<Mischief> {
    Json(Mischief::clone(&desk.shared.setting().mischief))
}

async fn set_mischief(State(desk): State<Desk>, body: Result<Bytes, BytesRejection>) -> Answer<Json<Mischief>> {
    let bad = |detail| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-mischief", detail);
    let spec = str::from_utf8(&bytes(body)?)
        .map_err(|error| bad(error.to_string()))?
        .parse();
    let mischief: Mischief = spec.map_err(|error: BadMischief| bad(error.to_string()))?;
    desk.shared.setting().mischief = Arc::new(mischief.clone());
    tracing::info!("the mischief is another one now");
    Ok(Json(mischief))
}

async fn health(State(desk): State<Desk>) -> Answer<Response> {
    match desk.journal.is_open() {
        true => Ok(Json(json!({ "status": "ok" })).into_response()),
        false => Err(crate::journal::NotWritten.into()),
    }
}

/// The answer to a request that was settled; a stored one is the same but for its header and, once captured, its 200.
fn show(settled: Settled) -> Response {
    let (entry, again) = match settled {
        Settled::First(entry) => (entry, false),
        Settled::Again(entry) => (entry, true),
    };
    let status = match &entry {
        Entry::Payment(payment) if payment.status == Status::Declined => StatusCode::PAYMENT_REQUIRED,
        _ if again => StatusCode::OK,
        _ => StatusCode::CREATED,
    };
    let mut response = match entry {
        Entry::Payment(payment) => (status, Json(payment)).into_response(),
        Entry::Refund(refund) => (status, Json(refund)).into_response(),
    };
    if again {
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn idempotency_key(headers: &HeaderMap) -> Answer<String> {
    let bad = |detail| Problem::new(StatusCode::BAD_REQUEST, "bad-key", detail);
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Err(bad("the header Idempotency-Key is missing"));
    };
    if values.next().is_some() {
        return Err(bad("the header Idempotency-Key stands there twice"));
    }
    match value.to_str() {
        Ok(key) if (1..=KEY_MAX).contains(&key.len()) => Ok(key.to_owned()),
        _ => Err(bad("an idempotency key is 1 to 200 printable ASCII characters")),
    }
}

fn checked(charge: Charge) -> Answer<Charge> {
    let bad = |code, detail| Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail));
    let fits = |text: &str| (1..=TEXT_MAX).contains(&text.chars().count());
    if !fits(&charge.order) || !fits(&charge.method) {
        return bad("bad-text", "order and method have 1 to 200 characters");
    }
    if charge.amount > Amount::MAX {
        return bad("bad-amount", "the amount is more than 1000000.00");
    }
    if charge.currency != CURRENCY {
        return bad("bad-currency", "only EUR is taken");
    }
    Ok(charge)
}

fn read(body: &[u8]) -> Answer<Charge> {
    let bad = |status, detail| Problem::new(status, "bad-body", detail);
    // An array would be read too, member by member.
    let begins = body.trim_ascii_start().first();
    if begins.is_some_and(|&byte| byte != b'{') {
        return Err(bad(
            StatusCode::UNPROCESSABLE_ENTITY,
            "the body is no JSON object".to_owned(),
        ));
    }
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => bad(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        _ => bad(StatusCode::BAD_REQUEST, error.to_string()),
    })
}

fn bytes(body: Result<Bytes, BytesRejection>) -> Answer<Bytes> {
    body.map_err(|error| Problem::new(error.status(), "bad-body", error.body_text()))
}

fn path(part: Result<Path<String>, PathRejection>) -> Answer<String> {
    let Path(part) = part.map_err(|error| Problem::new(error.status(), "bad-path", error.body_text()))?;
    Ok(part)
}
