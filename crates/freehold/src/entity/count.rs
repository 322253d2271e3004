//! How many rows there are: counted, or as the planner guesses.

use super::execute::Who;
use super::filter::{Glue, push_where};
use super::headers::Count;
use super::plan::Node;
use super::problem::Problem;
use super::read::Reading;
use super::select::{push_groups, push_outputs, push_spreads};
use super::sql::Statement;

/// Counts the rows of a request, whatever part of them is answered.
///
/// The planner's guess is about the rows of all: where policies hide some, they are counted.
///
/// # Errors
/// As the request itself.
pub(super) async fn rows(reading: Reading<'_>, node: &Node<'_>, wanted: Count) -> Result<u64, Problem> {
    if reading.runner.who != Who::Unasked {
        return exact(reading, node).await;
    }
    match wanted {
        Count::Exact => exact(reading, node).await,
        Count::Planned => planned(reading, node).await,
        Count::Estimated => {
            let guess = planned(reading, node).await?;
            if guess > reading.limits.rows {
                return Ok(guess);
            }
            exact(reading, node).await
        }
    }
}

async fn exact(reading: Reading<'_>, node: &Node<'_>) -> Result<u64, Problem> {
    let mut sql = Statement::new();
    sql.push("select null::text, count(*) from (select ");
    push_rows(&mut sql, reading, node)?;
    sql.push(") as r");
    let found = reading.run(&sql).await?;
    let count: i64 = found.rows.first().and_then(|row| row.try_get(1).ok()).unwrap_or(0);
    Ok(u64::try_from(count).unwrap_or(0))
}

async fn planned(reading: Reading<'_>, node: &Node<'_>) -> Result<u64, Problem> {
    let mut sql = Statement::new();
    sql.push("explain (format json) select ");
    push_rows(&mut sql, reading, node)?;
    let found = reading.run(&sql).await?;
    let plan: Option<serde_json::Value> = found.rows.first().and_then(|row| row.try_get(0).ok());
    let rows = plan
        .as_ref()
        .and_then(|plan| plan.pointer("/0/Plan/Plan Rows")?.as_u64());
    Ok(rows.unwrap_or(0))
}

fn push_rows(sql: &mut Statement, reading: Reading<'_>, node: &Node<'_>) -> Result<(), Problem> {
    if node.is_grouped() {
        push_outputs(sql, node)?;
    }
    reading.source.push(sql, node);
    if node.is_grouped() {
        push_spreads(sql, node)?;
    }
    push_where(sql, node, &mut Glue::Where)?;
    push_groups(sql, node);
    Ok(())
}
