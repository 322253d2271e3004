//! The routes beside the entity API: place an order, watch it, cancel it, hear from the payment provider.

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use freehold::entity::problem::Problem;
use freehold::saga::engine::{Direction, State as SagaState};
use freehold::saga::{Happened, step_id};
use freehold::{Answer, App, Error, Tx};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::cancel::{CancelOrder, NO_SUCH_ORDER, NOT_CANCELLABLE, STILL_BEING_PLACED};
use crate::payment::{self, Status};
use crate::place::{PlaceOrder, TAKE_PAYMENT, Taken};
use crate::request::{Cancel, Place, Wish};

/// Tries to place an order whose id somebody else takes meanwhile: the second one sees that.
const TRIES: u32 = 2;

/// All of them.
pub fn routes() -> Router<App> {
    if let Err(error) = payment::ready() {
        tracing::warn!(%error, "orders are taken, and wait for their payment");
    }
    Router::new()
        .route("/orders/place", post(place))
        .route("/orders/place/{id}", get(watch))
        .route("/orders/{id}/cancel", post(cancel))
        .route("/payments/notifications", post(notified))
        .method_not_allowed_fallback(|| async {
            let detail = "this path has other methods: see Allow";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "wrong_method", detail).into_response()
        })
}

/// Why a request is not answered as it was meant.
enum No {
    Problem(Problem),
    Fault(Error),
}

type Answered = Result<Response, No>;

impl From<Problem> for No {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Error> for No {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Fault(error) => error.into_response(),
        }
    }
}

/// `POST /orders/place`: opens the order and answers at once; what follows is watched at `watch`.
async fn place(State(app): State<App>, body: Bytes) -> Answered {
    let request: Place = read(&body)?;
    let id = request.id.unwrap_or_else(Uuid::now_v7);
    let wish = request.checked().map_err(unfit)?;
    for _ in 0..TRIES {
        let mut tx = app.begin().await?;
        match opened(&mut tx, id, &wish).await {
            Ok(Some(placed)) => {
                tx.commit().await?;
                return Ok(placed.into_response());
            }
            // Somebody opens it at this moment: his is seen once he has committed.
            Ok(None) => tx.rollback().await?,
            Err(No::Fault(error)) if is_taken(&error) => tx.rollback().await?,
            Err(no) => {
                tx.rollback().await?;
                return Err(no);
            }
        }
    }
    let detail = format!("there is an order {id} that was not placed here: choose another id");
    Err(conflict("id-taken", "id_taken", detail).into())
}

/// An order that is placed, or was before.
struct Placed {
    status: StatusCode,
    id: Uuid,
    saga: Uuid,
    order: Option<Box<RawValue>>,
}

/// Starts the saga; the same request as before finds the one it started.
async fn opened(tx: &mut Tx, id: Uuid, wish: &Wish) -> Result<Option<Placed>, No> {
    let (status, saga) = match tx.told::<PlaceOrder>(&id.to_string()).await? {
        Some(before) if before.saga.wish == *wish => (StatusCode::OK, before.id),
        Some(_) => {
            let detail = format!("order {id} was placed with another content: a new order needs a new id");
            return Err(conflict("id-reused", "id_reused", detail).into());
        }
        None => match tx.start(PlaceOrder::new(id, wish.clone())).await? {
            started if started.fresh => (StatusCode::ACCEPTED, started.id),
            _ => return Ok(None),
        },
    };
    let order = order(tx, id).await?;
    Ok(Some(Placed {
        status,
        id,
        saga,
        order,
    }))
}

impl IntoResponse for Placed {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            order: Option<Box<RawValue>>,
            saga: Uuid,
            watch: String,
        }
        let body = Body {
            order: self.order,
            saga: self.saga,
            watch: format!("/orders/place/{}", self.id),
        };
        let location = [(header::LOCATION, format!("/orders?id=eq.{}", self.id))];
        (self.status, location, Json(body)).into_response()
    }
}

/// `GET /orders/place/{id}`: how far it is.
async fn watch(State(app): State<App>, Path(id): Path<String>) -> Answered {
    #[derive(Serialize)]
    struct Body {
        order: Option<Box<RawValue>>,
        saga: Stands,
        steps: Vec<Happened>,
    }
    #[derive(Serialize)]
    struct Stands {
        id: Uuid,
        state: SagaState,
        reason: Option<String>,
    }
    let id = known(&id)?;
    let mut tx = app.begin().await?;
    let told = tx.told::<PlaceOrder>(&id.to_string()).await?;
    let order = order(&tx, id).await?;
    tx.rollback().await?;
    let Some(told) = told else {
        return Err(not_found(format!("no order {id} was placed here")).into());
    };
    let saga = Stands {
        id: told.id,
        state: told.state,
        reason: told.reason,
    };
    let steps = told.story;
    Ok(Json(Body { order, saga, steps }).into_response())
}

/// `POST /orders/{id}/cancel`: closes the order and answers at once; money and stock follow.
async fn cancel(State(app): State<App>, Path(id): Path<String>, body: Bytes) -> Answered {
    #[derive(Serialize)]
    struct Body {
        order: Option<Box<RawValue>>,
        saga: Uuid,
    }
    let id = known(&id)?;
    let request = match body.is_empty() {
        true => Cancel::default(),
        false => read(&body)?,
    };
    let reason = request.checked().map_err(unfit)?;
    let mut tx = app.begin().await?;
    match tx.start(CancelOrder::new(id, reason)).await {
        Ok(started) => {
            let order = order(&tx, id).await?;
            tx.commit().await?;
            let body = Body {
                order,
                saga: started.id,
            };
            Ok((StatusCode::ACCEPTED, Json(body)).into_response())
        }
        Err(Error::Refused { code, detail }) => {
            tx.rollback().await?;
            Err(refused(&code, detail).into())
        }
        Err(error) => Err(error.into()),
    }
}

fn refused(code: &str, detail: String) -> Problem {
    match code {
        NO_SUCH_ORDER => not_found(detail),
        STILL_BEING_PLACED => conflict("still-being-placed", code, detail),
        NOT_CANCELLABLE => conflict("not-cancellable", code, detail),
        _ => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", code, detail),
    }
}

/// What the provider posts; only its key and order are believed, and only as a question.
#[derive(Debug, Deserialize)]
struct Notice {
    order: String,
    key: String,
    status: String,
}

/// `POST /payments/notifications`: the provider says that something happened. What happened is asked of it by the key.
async fn notified(State(app): State<App>, body: Bytes) -> Answered {
    let notice: Notice = read(&body)?;
    // A refund's step goes by the refund's own answer.
    if notice.status == "refunded" {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let order = known(&notice.order)?.to_string();
    let mut tx = app.begin().await?;
    let Some(told) = tx.told::<PlaceOrder>(&order).await? else {
        return Err(not_found(format!("no order {order} was placed here")).into());
    };
    tx.rollback().await?;
    if step_id(told.id, TAKE_PAYMENT, Direction::Forward, 0).to_string() != notice.key {
        return Err(unknown_payment(&order).into());
    }
    if matches!(told.state, SagaState::Completed | SagaState::Compensated) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let asked = payment::by_key(&notice.key).await.map_err(|error| {
        tracing::warn!(%error, "a notice of a payment cannot be confirmed");
        Problem::unavailable(
            "unconfirmed",
            "unconfirmed",
            "the provider does not confirm it now; tell again",
        )
    })?;
    let Some(payment) = asked.filter(|payment| payment.order == order) else {
        return Err(unknown_payment(&order).into());
    };
    let answer = match payment.status {
        Status::Captured => Answer::Done(Taken { payment: payment.id }),
        Status::Declined => Answer::Refused(payment.declined().to_string()),
    };
    let mut tx = app.begin().await?;
    tx.answer::<PlaceOrder, _>(&order, TAKE_PAYMENT, answer).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn unknown_payment(order: &str) -> Problem {
    let detail = format!("the payment provider knows of no such payment of order {order}");
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "unknown-payment",
        "unknown_payment",
        detail,
    )
}

/// The order as the entity API shows it; none if it was deleted since.
async fn order(tx: &Tx, id: Uuid) -> Result<Option<Box<RawValue>>, Error> {
    let row = tx
        .query_opt("select row_to_json(o)::text from orders o where o.id = $1", &[&id])
        .await?;
    let text = row.map(|row| row.get::<_, String>(0));
    Ok(text.map(RawValue::from_string).transpose()?)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // An array would be read too, member by member.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::body("the body is no JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| Problem::body(error.to_string()))
}

fn known(id: &str) -> Result<Uuid, Problem> {
    id.parse().map_err(|_| not_found(format!("`{id}` is no order's id")))
}

fn unfit(wrong: Vec<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unfit", "unfit", wrong.join("; ")).with_member("wrong", wrong)
}

fn not_found(detail: String) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no-such-order", NO_SUCH_ORDER, detail)
}

fn conflict(kind: &'static str, code: &str, detail: String) -> Problem {
    Problem::new(StatusCode::CONFLICT, kind, code, detail)
}

/// Whether somebody else has an order of this id.
fn is_taken(error: &Error) -> bool {
    let Error::Postgres(error) = error else {
        return false;
    };
    let said = error.as_db_error();
    said.is_some_and(|db| *db.code() == SqlState::UNIQUE_VIOLATION && db.constraint() == Some("orders_pkey"))
}
