//! What a service's own routes answer when something is wrong.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio_postgres::error::{DbError, SqlState};

use crate::entity::problem::Problem;
use crate::error::Error;

impl IntoResponse for Error {
    /// A problem document: a refusal says its code and reason, a lost database asks to come back, and what the client must
    /// not see is logged under the trace id it gets.
    fn into_response(self) -> Response {
        problem(&self).into_response()
    }
}

fn problem(error: &Error) -> Problem {
    match error {
        Error::Refused { code, detail } => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", code, detail.clone())
        }
        Error::Conflict { current, .. } => Problem::new(
            StatusCode::CONFLICT,
            "stale-version",
            "FH020",
            "it has changed since it was read: read it again",
        )
        .with_member("version", *current),
        Error::Body(cause) => Problem::body(cause.to_string()),
        error if error.is_transient() => traced(
            Problem::unavailable("unavailable", "PGRST001", "the database does not answer; try again"),
            error,
        ),
        Error::Postgres(cause) => match cause.as_db_error().and_then(refused) {
            Some(problem) => problem,
            None => traced(internal(), error),
        },
        error => traced(internal(), error),
    }
}

fn internal() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "XX000",
        "the service failed",
    )
}

/// What the database's rules said, without values of rows.
fn refused(db: &DbError) -> Option<Problem> {
    let rule = db.constraint().unwrap_or("a rule");
    let code = db.code().code();
    Some(match *db.code() {
        SqlState::UNIQUE_VIOLATION | SqlState::FOREIGN_KEY_VIOLATION | SqlState::EXCLUSION_VIOLATION => Problem::new(
            StatusCode::CONFLICT,
            "rule",
            code,
            format!("`{rule}` does not allow it"),
        ),
        SqlState::CHECK_VIOLATION => Problem::new(
            StatusCode::BAD_REQUEST,
            "rule",
            code,
            format!("`{rule}` does not allow it"),
        ),
        SqlState::NOT_NULL_VIOLATION => {
            let column = db.column().unwrap_or("a column");
            Problem::new(
                StatusCode::BAD_REQUEST,
                "required",
                code,
                format!("`{column}` is required"),
            )
        }
        SqlState::RAISE_EXCEPTION => Problem::new(StatusCode::BAD_REQUEST, "refused", code, db.message()),
        SqlState::INSUFFICIENT_PRIVILEGE if db.routine() == Some("ExecWithCheckOptions") => Problem::new(
            StatusCode::FORBIDDEN,
            "refused-by-policy",
            code,
            "a policy does not allow this row to be written",
        ),
        _ if code == "FH001" => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-ref", code, db.message()),
        _ if code.starts_with("22") => Problem::new(StatusCode::BAD_REQUEST, "bad-value", code, db.message()),
        _ => return None,
    })
}

fn traced(problem: Problem, error: &Error) -> Problem {
    let trace_id = uuid::Uuid::new_v4().to_string();
    tracing::error!(trace_id, %error, "a route failed");
    problem.with_member("trace_id", trace_id)
}
