//! From what PostgreSQL says to what the client is told.

use axum::http::{HeaderValue, StatusCode, header};
use tokio_postgres::error::{DbError, SqlState};

use super::problem::Problem;
use super::table::{Served, Tables, listed};
use crate::pg::catalog::{Constraint, ConstraintKind};

/// Why a statement brought nothing back.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server refused it, or the connection was lost.
    Database(tokio_postgres::Error),
    /// There was no connection to run it on.
    Pool(String),
    /// It was rolled back, or stopped, for this reason.
    Refused(Problem),
}

impl Fault {
    /// What the client is told; what it must not see is logged with the trace id it gets.
    pub(super) fn into_problem(self, table: &Served, tables: &Tables) -> Problem {
        match self {
            Self::Refused(problem) => problem,
            Self::Pool(reason) => no_connection(&reason),
            Self::Database(error) => match error.as_db_error() {
                Some(db) => describe(db, table, tables),
                None => lost(&error.to_string()),
            },
        }
    }
}

impl Fault {
    /// As [`Self::into_problem`], of a transaction over any tables: the server says whose rule it is.
    pub(super) fn into_problem_of_any(self, tables: &Tables) -> Problem {
        let of = match &self {
            Self::Database(error) => error.as_db_error().and_then(DbError::table),
            Self::Pool(_) | Self::Refused(_) => None,
        };
        // Which table speaks matters only where the server names none, and then nothing is said about it.
        match of.and_then(|of| tables.get(of)).or_else(|| tables.values().next()) {
            Some(table) => self.into_problem(table, tables),
            None => self.into_problem_of_none(),
        }
    }

    /// Of a service without tables.
    fn into_problem_of_none(self) -> Problem {
        match self {
            Self::Refused(problem) => problem,
            Self::Pool(reason) => no_connection(&reason),
            Self::Database(error) => match error.as_db_error() {
                Some(db) => by_class(db),
                None => lost(&error.to_string()),
            },
        }
    }
}

/// Something that only a defect of the library can cause.
pub(super) fn inside(reason: &str) -> Problem {
    let message = "the request failed inside the service";
    traced(
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "XX000", message),
        reason,
    )
}

/// A request that took too long.
pub(super) fn out_of_time(status: StatusCode) -> Problem {
    let problem = Problem::new(status, "out-of-time", "57014", "the request took too long");
    traced(problem, "time limit reached")
}

fn no_connection(reason: &str) -> Problem {
    let problem = Problem::unavailable("no-connection", "PGRST000", "the service is busy");
    traced(problem, reason)
}

/// A connection that was lost while it was needed.
pub(super) fn lost(reason: &str) -> Problem {
    let message = "the connection to the database was lost; a write may or may not have been carried out";
    traced(Problem::unavailable("connection-lost", "PGRST001", message), reason)
}

/// Gives a problem of the 5xx class a trace id, and logs the reason under it.
pub(super) fn traced(problem: Problem, reason: &str) -> Problem {
    let trace_id = uuid::Uuid::new_v4().to_string();
    tracing::error!(
        trace_id,
        code = problem.code(),
        status = problem.status().as_u16(),
        reason,
        "a request failed"
    );
    problem.with_member("trace_id", trace_id)
}

fn describe(db: &DbError, table: &Served, tables: &Tables) -> Problem {
    let code = db.code();
    if code.code().starts_with("FH") {
        return own(db, table);
    }
    match *code {
        SqlState::UNIQUE_VIOLATION | SqlState::EXCLUSION_VIOLATION => {
            refuse(StatusCode::CONFLICT, "already-exists", db, table, tables)
        }
        SqlState::FOREIGN_KEY_VIOLATION if table.guarded => in_one_shape(db),
        SqlState::FOREIGN_KEY_VIOLATION => refuse(StatusCode::CONFLICT, "reference", db, table, tables),
        SqlState::CHECK_VIOLATION => refuse(StatusCode::BAD_REQUEST, "rule", db, table, tables),
        SqlState::NOT_NULL_VIOLATION => {
            let column = db.column().unwrap_or("a column");
            let name = db.table().unwrap_or(&table.shape.name);
            plain(
                StatusCode::BAD_REQUEST,
                "required",
                db,
                format!("`{column}` is required"),
            )
            .with_details(format!("`{name}` takes no row without it"))
            .with_member("column", column)
        }
        SqlState::RAISE_EXCEPTION => {
            let problem = plain(StatusCode::BAD_REQUEST, "refused", db, db.message());
            pass(problem, db)
        }
        SqlState::TRIGGERED_DATA_CHANGE_VIOLATION => {
            let name = db.table().unwrap_or(&table.shape.name);
            let message = format!("changing the row of `{name}` sets off another change of the same row");
            plain(StatusCode::CONFLICT, "triggered-change", db, message)
        }
        SqlState::INSUFFICIENT_PRIVILEGE if is_of_policy(db) => by_policy(db),
        SqlState::INSUFFICIENT_PRIVILEGE => plain(StatusCode::FORBIDDEN, "forbidden", db, "this is not permitted"),
        SqlState::LOCK_NOT_AVAILABLE => {
            let problem = Problem::unavailable("locked", code.code(), "another write holds the row");
            traced(problem, db.message())
        }
        SqlState::QUERY_CANCELED => {
            let problem = Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                "out-of-time",
                code.code(),
                "the request took too long",
            );
            traced(problem, db.message())
        }
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => {
            let message = "too many writers compete for the same rows";
            let problem = Problem::unavailable("contention", code.code(), message);
            traced(problem, db.message())
        }
        SqlState::READ_ONLY_SQL_TRANSACTION => {
            let message = "the database takes no writes at the moment";
            let problem = Problem::unavailable("read-only", code.code(), message);
            traced(problem, db.message())
        }
        SqlState::PROGRAM_LIMIT_EXCEEDED | SqlState::STATEMENT_TOO_COMPLEX => {
            plain(StatusCode::BAD_REQUEST, "too-large", db, db.message())
        }
        _ => by_class(db),
    }
}

fn by_class(db: &DbError) -> Problem {
    match db.code().code().get(..2).unwrap_or_default() {
        // Data exceptions quote what the client sent; syntax and type errors name columns, types and operators.
        "22" => plain(StatusCode::BAD_REQUEST, "bad-value", db, db.message()),
        "42" if is_mismatch(db) => plain(StatusCode::BAD_REQUEST, "bad-type", db, db.message()),
        "21" => {
            let message = "the request names the same row twice";
            plain(StatusCode::BAD_REQUEST, "twice", db, message)
        }
        "0A" => plain(StatusCode::BAD_REQUEST, "bad-query", db, db.message()),
        "23" => plain(StatusCode::CONFLICT, "rule", db, "a rule of the table is violated"),
        "08" | "53" | "57" => traced(
            Problem::unavailable("unavailable", db.code().code(), "the database is not available"),
            db.message(),
        ),
        _ => traced(
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                db.code().code(),
                "the request failed inside the service",
            ),
            db.message(),
        ),
    }
}

fn is_mismatch(db: &DbError) -> bool {
    [
        SqlState::UNDEFINED_FUNCTION,
        SqlState::UNDEFINED_OBJECT,
        SqlState::DATATYPE_MISMATCH,
        SqlState::AMBIGUOUS_FUNCTION,
        SqlState::CANNOT_COERCE,
        SqlState::GENERATED_ALWAYS,
        SqlState::INDETERMINATE_COLLATION,
        SqlState::INDETERMINATE_DATATYPE,
        SqlState::GROUPING_ERROR,
        SqlState::WRONG_OBJECT_TYPE,
        // `on_conflict` names columns that no unique constraint covers.
        SqlState::INVALID_COLUMN_REFERENCE,
    ]
    .contains(db.code())
        // A value that does not parse, as a text search: an error in SQL itself has a position.
        || (*db.code() == SqlState::SYNTAX_ERROR && db.position().is_none())
}

fn plain(status: StatusCode, kind: &'static str, db: &DbError, message: impl Into<String>) -> Problem {
    Problem::new(status, kind, db.code().code(), message)
}

/// Passes on what the service's own SQL wrote for the client.
fn pass(mut problem: Problem, db: &DbError) -> Problem {
    if let Some(detail) = db.detail() {
        problem = problem.with_details(detail);
    }
    if let Some(hint) = db.hint() {
        problem = problem.with_hint(hint);
    }
    problem
}

/// SQLSTATE class `FH`: raised by the library's own triggers, written for the client.
fn own(db: &DbError, table: &Served) -> Problem {
    let code = db.code().code();
    let message = db.message();
    let problem = match code {
        "FH002" => {
            plain(StatusCode::METHOD_NOT_ALLOWED, "append-only", db, message).with_header(header::ALLOW, table.allow())
        }
        "FH003" => plain(StatusCode::FORBIDDEN, "truncate-refused", db, message),
        "FH006" => Problem::unavailable("recovering", code, message),
        "FH007" => Problem::unavailable("copy-empty", code, message),
        "FH020" => plain(StatusCode::CONFLICT, "stale-version", db, message),
        "FH022" => plain(StatusCode::NOT_FOUND, "no-version", db, message),
        "FH021" => plain(StatusCode::PRECONDITION_FAILED, "version-mismatch", db, message),
        "FH001" => plain(StatusCode::UNPROCESSABLE_ENTITY, "unknown-reference", db, message),
        "FH004" => plain(StatusCode::UNPROCESSABLE_ENTITY, "key-changed", db, message),
        "FH005" => plain(StatusCode::UNPROCESSABLE_ENTITY, "event-refused", db, message),
        _ => plain(StatusCode::UNPROCESSABLE_ENTITY, "refused", db, message),
    };
    let problem = match db.column() {
        Some(column) => problem.with_member("column", column),
        None => problem,
    };
    pass(problem, db)
}

/// A constraint's refusal, as a sentence about the field; in its own words where the service's own SQL raised it.
fn refuse(status: StatusCode, kind: &'static str, db: &DbError, table: &Served, tables: &Tables) -> Problem {
    let of = db.table().unwrap_or(&table.shape.name);
    let mut problem = if is_raised(db) {
        pass(plain(status, kind, db, db.message()), db)
    } else {
        let problem = plain(status, kind, db, violation(kind, of, db, table, tables));
        if of == table.shape.name {
            problem
        } else {
            problem.with_details(format!("the rule belongs to `{of}`"))
        }
    };
    if let Some(name) = db.constraint() {
        problem = problem.with_member("constraint", name);
    }
    if let Some(column) = db.column() {
        problem = problem.with_member("column", column);
    }
    if of != table.shape.name {
        problem = problem.with_member("table", of);
    }
    problem
}

/// Whether a policy refused the row; its message is in the server's language, the routine is not.
fn is_of_policy(db: &DbError) -> bool {
    db.routine() == Some("ExecWithCheckOptions")
}

/// A row that no policy allows to be written: as it would be, or because a row of its key is somebody else's.
fn by_policy(db: &DbError) -> Problem {
    let message = "a policy does not allow this row to be written";
    plain(StatusCode::FORBIDDEN, "refused-by-policy", db, message)
}

/// A foreign key's refusal where policies hide rows: which key it was would tell whether the row is hidden or not there.
fn in_one_shape(db: &DbError) -> Problem {
    let message = "a row that this one refers to is not there, or others refer to this one";
    plain(StatusCode::CONFLICT, "reference", db, message)
}

/// Raised in PL/pgSQL, not found by the server itself.
fn is_raised(db: &DbError) -> bool {
    db.routine() == Some("exec_stmt_raise")
}

fn violation(kind: &str, of: &str, db: &DbError, table: &Served, tables: &Tables) -> String {
    let name = db.constraint().unwrap_or("unknown");
    match tables.get(of).and_then(|t| t.shape.constraints.get(name)) {
        // The row refers to itself or is referred to: only the server's message tells which end was touched.
        _ if kind == "reference" && db.message().starts_with("update or delete") => {
            format!("rows of `{of}` still refer to this row of `{}`", table.shape.name)
        }
        Some(constraint) => sentence(name, constraint),
        None => format!("a row of `{of}` violates the rule `{name}`"),
    }
}

fn sentence(name: &str, constraint: &Constraint) -> String {
    let fields = listed(constraint.columns.iter().map(String::as_str));
    let several = constraint.columns.len() > 1;
    match constraint.kind {
        ConstraintKind::Primary | ConstraintKind::Unique if fields.is_empty() => {
            format!("a row that is equal by `{name}` exists already")
        }
        ConstraintKind::Primary | ConstraintKind::Unique => {
            let these = if several { "these" } else { "this" };
            format!("a row with {these} {fields} exists already")
        }
        ConstraintKind::Foreign => {
            let verb = if several { "name" } else { "names" };
            let to = constraint.to.as_deref().unwrap_or("the other table");
            format!("{fields} {verb} no row of `{to}`")
        }
        ConstraintKind::Check => {
            let verb = if several { "violate" } else { "violates" };
            format!("{fields} {verb} the rule `{name}`: {}", constraint.definition)
        }
        ConstraintKind::Exclusion => format!("a row that overlaps in {fields} exists already"),
        ConstraintKind::Other => format!("{fields} does not satisfy `{name}`"),
    }
}

/// The methods a table answers, as a 405.
pub(super) fn not_allowed(allow: HeaderValue, message: String) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "PGRST117",
        message,
    )
    .with_header(header::ALLOW, allow)
}
