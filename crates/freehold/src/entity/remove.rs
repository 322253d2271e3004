//! `DELETE`: the rows a filter names.

use super::answer::Answer;
use super::change::{self, Range};
use super::http::Write;
use super::plan::plan;
use super::problem::Problem;
use super::returning::{self, Also};
use super::settle::Plan;
use super::sql::Statement;

/// Deletes rows.
pub(super) async fn rows(write: Write<'_>) -> Result<Answer, Problem> {
    let terms = change::terms(&write, None)?;
    let node = plan(
        &write.surface.tables,
        write.table,
        &write.query,
        &write.surface.limits,
        terms.form,
    )?;
    let wanted = terms.wanted();
    let mut statement = Statement::new();
    statement
        .push("delete from ")
        .push(&write.table.qualified)
        .push(" as t");
    change::push_where(&mut statement, &node, &terms.guard)?;
    returning::complete(&mut statement, &node, wanted, Also::Nothing)?;
    let plan = Plan {
        statement,
        wanted,
        reread: None,
    };
    let outcome = change::carry_out(&write, &node, &plan, &terms).await?;
    Ok(change::respond(&terms, &node, outcome, Range::Gone))
}
