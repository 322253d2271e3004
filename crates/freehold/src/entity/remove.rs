//! `DELETE`: the rows a filter names.

use axum::body::Body;
use axum::http::Response;

use super::change::{self, Range};
use super::http::Write;
use super::problem::Problem;
use super::returning;
use super::settle::Plan;
use super::sql::Statement;

/// Deletes rows.
pub(super) async fn rows(write: Write<'_>) -> Result<Response<Body>, Problem> {
    let terms = change::terms(&write, None)?;
    let mut statement = Statement::new();
    statement
        .push("delete from ")
        .push(&write.table.qualified)
        .push(" as t");
    change::push_where(&mut statement, &write, &terms.guard)?;
    returning::push(&mut statement, write.table, &write.query, terms.wanted())?;
    let plan = Plan {
        statement,
        reread: None,
    };
    let outcome = change::carry_out(&write, &plan, &terms).await?;
    Ok(change::respond(&terms, outcome, Range::Gone))
}
