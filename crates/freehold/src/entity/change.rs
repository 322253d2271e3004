//! What PATCH, PUT and DELETE share: which rows, under which guard, and what is answered.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use freehold_manifest::model::Unguarded;

use super::Wake;
use super::answer::{self, Exact};
use super::execute::Outcome;
use super::fault::Fault;
use super::guard::{Guard, etag, if_match};
use super::headers::{Form, Preferences, Return, accepted, preferences};
use super::http::Write;
use super::limits::ROWS_MAX;
use super::problem::Problem;
use super::returning::{self, Rows, Wanted};
use super::settle::{Check, Plan};
use super::sql::{NO_COLUMN, Param, Statement, pins_one, push_filters};

/// How a change is to be made and answered.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) guard: Guard,
    pub(super) form: Form,
    pub(super) preferences: Preferences,
    pub(super) reach: Rows,
}

impl Terms {
    /// What must be read back.
    pub(super) fn wanted(&self) -> Wanted {
        returning::wanted(self.preferences.answer, self.reach)
    }
}

/// Reads the terms of a change.
///
/// # Errors
/// 400 without a filter, for a guard on rows that are not pinned, or on a table without versions; 428 when the table
/// wants a guard and there is none.
pub(super) fn terms(write: &Write<'_>, version: Option<i64>) -> Result<Terms, Problem> {
    let Write {
        table, query, headers, ..
    } = write;
    let name = &table.shape.name;
    if query.filters.is_empty() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "no-filter",
            "21000",
            format!("nothing of `{name}` is changed without a filter"),
        )
        .with_hint("say which rows: ?id=eq.7"));
    }
    if query.limit.is_some() || query.offset > 0 {
        return Err(Problem::grammar("a change takes no limit and offset").with_hint("say which rows with filters"));
    }
    for filter in &query.filters {
        table.column(&filter.column, NO_COLUMN)?;
    }
    let guard = if_match(headers)?.and_version(version);
    let reach = if pins_one(table, &query.filters) {
        Rows::AtMostOne
    } else {
        Rows::Any
    };
    if guard != Guard::None && reach == Rows::Any {
        let problem = bad_guard("a guard needs a filter that names one row by its primary key");
        return Err(problem.with_hint(format!("filter with eq on {}", key_list(write))));
    }
    if matches!(guard, Guard::Version(_)) && !table.keeps_version() {
        return Err(bad_guard(&format!("rows of `{name}` have no version")));
    }
    if guard == Guard::None && table.entry.unguarded == Unguarded::Refused {
        return Err(Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "guard-required",
            "FH428",
            format!("`{name}` is changed only under If-Match, or with `version` in the body"),
        )
        .with_hint("read the row first and send its ETag back"));
    }
    Ok(Terms {
        guard,
        form: accepted(headers)?,
        preferences: preferences(headers),
        reach,
    })
}

fn key_list(write: &Write<'_>) -> String {
    super::table::listed(write.table.shape.key.iter().map(String::as_str))
}

fn bad_guard(message: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-precondition", "FH400", message)
}

/// Appends which rows: the filters, and the version the guard wants.
pub(super) fn push_where(statement: &mut Statement, write: &Write<'_>, guard: &Guard) -> Result<(), Problem> {
    push_filters(statement, write.table, &write.query.filters)?;
    if let Guard::Version(versions) = guard {
        statement.push(" and t.\"version\" = any(");
        statement.param(Param::Versions(versions.clone())).push(")");
    }
    Ok(())
}

/// Carries a change out.
///
/// # Errors
/// 412 with the current version when the guard is not met, 404 when a guarded row is not there, 406 when one row was
/// asked for and the change would touch another number; nothing is changed then.
pub(super) async fn carry_out(write: &Write<'_>, plan: &Plan, terms: &Terms) -> Result<Outcome, Problem> {
    let Write {
        surface, runner, table, ..
    } = write;
    let _wake = Wake(&surface.written);
    let check = match terms.reach {
        Rows::AtMostOne => None,
        Rows::Any => needed_check(terms),
    };
    let outcome = plan.carry_out(*runner, check).await;
    let outcome = outcome.map_err(|f| f.into_problem(table, &surface.tables))?;
    if outcome.affected == 0 && terms.guard != Guard::None {
        return Err(explain(write).await);
    }
    if terms.form == Form::Object && outcome.affected != 1 {
        return Err(answer::not_singular(outcome.affected, Exact::Yes));
    }
    Ok(outcome)
}

fn needed_check(terms: &Terms) -> Option<Check> {
    match (terms.form, terms.preferences.answer) {
        (Form::Object, _) => Some(|outcome| match outcome.affected {
            1 => Ok(()),
            n => Err(answer::not_singular(n, Exact::Yes)),
        }),
        (Form::Array, Return::Representation) => Some(|outcome| {
            if outcome.affected <= ROWS_MAX {
                return Ok(());
            }
            Err(Problem::body(format!(
                "the change touches {} rows, and an answer holds {ROWS_MAX}",
                outcome.affected
            ))
            .with_hint("ask for return=minimal, or narrow the filter"))
        }),
        _ => None,
    }
}

/// Finds out why a guarded change touched nothing.
async fn explain(write: &Write<'_>) -> Problem {
    let Write {
        surface,
        runner,
        table,
        query,
        ..
    } = write;
    let name = &table.shape.name;
    let mut statement = Statement::new();
    statement.push("select null::text, ");
    super::sql::push_version(&mut statement, table, "t");
    statement.push(" from ").push(&table.qualified).push(" as t");
    if let Err(problem) = push_filters(&mut statement, table, &query.filters) {
        return problem;
    }
    let found = match runner.read(&statement).await {
        Ok(found) => found,
        Err(Fault::Refused(problem)) => return problem,
        Err(fault) => return fault.into_problem(table, &surface.tables),
    };
    let Some(row) = found.rows.first() else {
        return Problem::new(
            StatusCode::NOT_FOUND,
            "no-row",
            "PGRST116",
            format!("`{name}` has no such row"),
        )
        .with_details("The result contains 0 rows");
    };
    stale(name, answer::version(row))
}

/// A guard that is not met.
pub(super) fn stale(table: &str, version: Option<i64>) -> Problem {
    let problem = Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "stale-version",
        "FH412",
        format!("the row of `{table}` has changed since it was read"),
    )
    .with_hint("read it again, and decide again");
    match version {
        Some(version) => problem
            .with_member("current_version", version)
            .with_header(axum::http::header::ETAG, etag(version)),
        None => problem,
    }
}

/// The answer to a change that was carried out.
pub(super) fn respond(terms: &Terms, outcome: Outcome, range: Range) -> Response<Body> {
    let affected = outcome.affected;
    let version = match outcome.rows.as_slice() {
        [row] if terms.reach == Rows::AtMostOne || terms.form == Form::Object => answer::version(row),
        _ => None,
    };
    let mut response = answer::written(
        terms.preferences,
        terms.form,
        StatusCode::OK,
        StatusCode::NO_CONTENT,
        outcome.rows,
    );
    match range {
        Range::Counted => {
            answer::set_range(&mut response, 0, affected);
            answer::set_version(&mut response, version);
        }
        Range::Gone => answer::set_range(&mut response, 0, 0),
    }
    response
}

/// What `Content-Range` says of the rows a change touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// Their number.
    Counted,
    /// Nothing: they are not there any more, and neither is their version.
    Gone,
}
