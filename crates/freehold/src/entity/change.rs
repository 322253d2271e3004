//! What PATCH, PUT and DELETE share: which rows, under which guard, and what is answered.

use axum::http::StatusCode;
use freehold_manifest::model::Unguarded;

use super::Wake;
use super::answer::{self, Answer, Exact, Extent};
use super::execute::Outcome;
use super::fault::Fault;
use super::filter::{Glue, pinned, push_filters};
use super::guard::{Guard, etag, if_match};
use super::headers::{CHANGE, Form, Preferences, Return, accepted, preferences};
use super::http::Write;
use super::plan::Node;
use super::problem::Problem;
use super::returning::{self, Rows, Wanted};
use super::settle::{Check, Plan};
use super::sql::{Param, Statement};

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
    let rows = &query.rows;
    if rows.filters.is_empty() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "no-filter",
            "21000",
            format!("nothing of `{name}` is changed without a filter"),
        )
        .with_hint("say which rows: ?id=eq.7"));
    }
    if rows.limit.is_some() || rows.offset > 0 || query.after.is_some() {
        return Err(Problem::grammar("a change takes no limit and offset").with_hint("say which rows with filters"));
    }
    let guard = if_match(headers)?.and_version(version);
    let reach = match pinned(table, &rows.filters) {
        Some(_) => Rows::AtMostOne,
        None => Rows::Any,
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
        preferences: preferences(headers, CHANGE)?,
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
pub(super) fn push_where(statement: &mut Statement, node: &Node<'_>, guard: &Guard) -> Result<(), Problem> {
    let mut glue = Glue::Where;
    push_filters(statement, node, &mut glue)?;
    if let Guard::Version(versions) = guard {
        glue.push(statement);
        statement.push("t.\"version\" = any(");
        statement.param(Param::Versions(versions.clone())).push(")");
    }
    Ok(())
}

/// Carries a change out.
///
/// # Errors
/// 412 with the current version when the guard is not met, 404 when a guarded row is not there, 406 when one row was
/// asked for and the change would touch another number; nothing is changed then.
pub(super) async fn carry_out(
    write: &Write<'_>,
    node: &Node<'_>,
    plan: &Plan,
    terms: &Terms,
) -> Result<Outcome, Problem> {
    let Write {
        surface, runner, table, ..
    } = write;
    let _wake = Wake(&surface.written);
    let check = match terms.reach {
        Rows::AtMostOne => None,
        Rows::Any => needed_check(terms, surface.limits.rows),
    };
    let outcome = plan.carry_out(*runner, check).await;
    let outcome = outcome.map_err(|f| f.into_problem(table, &surface.tables))?;
    if outcome.affected == 0 && terms.guard != Guard::None {
        return Err(explain(write, node).await);
    }
    if terms.form.is_single() && outcome.affected != 1 {
        return Err(answer::not_singular(outcome.affected, Exact::Yes));
    }
    Ok(outcome)
}

/// Refuses more rows than the client allows.
pub(super) fn check_affected(affected: u64, most: Option<u64>) -> Result<(), Problem> {
    let Some(most) = most.filter(|most| affected > *most) else {
        return Ok(());
    };
    Err(Problem::new(
        StatusCode::BAD_REQUEST,
        "max-affected",
        "PGRST124",
        "Query result exceeds max-affected preference constraint",
    )
    .with_details(format!("The query affects {affected} rows"))
    .with_member("max_affected", most))
}

fn needed_check(terms: &Terms, rows_max: u64) -> Option<Check> {
    let single = terms.form.is_single();
    let shown = terms.preferences.answer == Return::Representation;
    let most = terms.preferences.max_affected;
    if !single && !shown && most.is_none() {
        return None;
    }
    Some(Box::new(move |affected| {
        check_affected(affected, most)?;
        if single && affected != 1 {
            return Err(answer::not_singular(affected, Exact::Yes));
        }
        if shown && affected > rows_max {
            return Err(Problem::body(format!(
                "the change touches {affected} rows, and an answer holds {rows_max}"
            ))
            .with_hint("ask for return=minimal, or narrow the filter")
            .with_member("limit", "rows"));
        }
        Ok(())
    }))
}

/// Finds out why a guarded change touched nothing.
async fn explain(write: &Write<'_>, node: &Node<'_>) -> Problem {
    let Write {
        surface, runner, table, ..
    } = write;
    let name = &table.shape.name;
    let mut statement = Statement::new();
    statement.push("select null::text, ");
    super::sql::push_version(&mut statement, table, "t");
    statement.push(" from ").push(&table.qualified).push(" as t");
    if let Err(problem) = push_filters(&mut statement, node, &mut Glue::Where) {
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
pub(super) fn respond(terms: &Terms, node: &Node<'_>, outcome: Outcome, range: Range) -> Answer {
    let Outcome {
        rows,
        affected,
        transaction,
        ..
    } = outcome;
    let version = match rows.as_slice() {
        [row] if terms.reach == Rows::AtMostOne || terms.form.is_single() => answer::version(row),
        _ => None,
    };
    let (full, bare) = (StatusCode::OK, StatusCode::NO_CONTENT);
    let mut response = answer::written(&terms.preferences, terms.form, node, full, bare, rows);
    let extent = Extent {
        first: (range == Range::Counted).then_some(0),
        count: affected,
        total: terms.preferences.count.map(|_| affected),
    };
    extent.describe(&mut response);
    if range == Range::Counted {
        answer::set_version(&mut response, version);
    }
    answer::set_transaction(&mut response, transaction);
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
