//! What one request may still ask for.

use freehold_manifest::model::Limits;

use super::scan::shown;
use crate::entity::limits::COLUMNS_MAX;
use crate::entity::problem::Problem;

/// Parts inside each other whatever the manifest allows: reading them, and what is made of them, is recursive.
const NESTING_MAX: u64 = 64;

/// Counts what a request asks for against the limits.
pub(super) struct Allowance<'l> {
    limits: &'l Limits,
    filters: u64,
    embeds: u64,
    entries: usize,
}

impl<'l> Allowance<'l> {
    pub(super) fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            filters: 0,
            embeds: 0,
            entries: 0,
        }
    }

    /// Counts one filter.
    pub(super) fn filter(&mut self) -> Result<(), Problem> {
        self.filters += 1;
        let most = self.limits.filters;
        if self.filters > most {
            return Err(beyond("filters", format!("a request has at most {most} filters")));
        }
        Ok(())
    }

    /// Counts one embedded relation, inside `depth - 1` others.
    pub(super) fn embed(&mut self, depth: u64) -> Result<(), Problem> {
        self.embeds += 1;
        let most = self.limits.embeds;
        if self.embeds > most {
            let message = format!("a request embeds at most {most} relations");
            return Err(beyond("embeds", message));
        }
        self.embed_depth(depth)
    }

    /// Checks how many embedded relations stand inside each other.
    pub(super) fn embed_depth(&self, depth: u64) -> Result<(), Problem> {
        let most = self.limits.embed_depth.min(NESTING_MAX);
        if depth > most {
            let message = format!("relations are embedded in each other at most {most} deep");
            return Err(beyond("embed_depth", message));
        }
        Ok(())
    }

    /// Checks how many different embedded relations are filtered, sorted or cut.
    pub(super) fn paths(&self, count: usize) -> Result<(), Problem> {
        let most = self.limits.embeds;
        if count as u64 > most {
            let message = format!("a request embeds at most {most} relations, and more are filtered or sorted");
            return Err(beyond("embeds", message));
        }
        Ok(())
    }

    /// Checks how many `and(…)` and `or(…)` stand inside each other.
    pub(super) fn filter_depth(&self, depth: u64) -> Result<(), Problem> {
        let most = self.limits.filter_depth.min(NESTING_MAX);
        if depth > most {
            let message = format!("`and` and `or` stand inside each other at most {most} deep");
            return Err(beyond("filter_depth", message));
        }
        Ok(())
    }

    /// Checks the number of values in a list.
    pub(super) fn values(&self, operator: &str, column: &str, count: usize) -> Result<(), Problem> {
        let most = self.limits.in_values;
        if count as u64 > most {
            let message = format!("`{operator}` on `{}` has more than {most} values", shown(column));
            return Err(beyond("in_values", message));
        }
        Ok(())
    }

    /// Checks the length of a regular expression.
    pub(super) fn pattern(&self, operator: &str, column: &str, pattern: &str) -> Result<(), Problem> {
        let most = self.limits.pattern_bytes;
        let column = shown(column);
        if most == 0 {
            let message = format!("`{operator}` on `{column}` is refused here: the limit `pattern_bytes` is 0");
            return Err(beyond("pattern_bytes", message));
        }
        if pattern.len() as u64 > most {
            let message =
                format!("the pattern of `{operator}` on `{column}` is longer than `pattern_bytes`, {most} bytes");
            return Err(beyond("pattern_bytes", message));
        }
        Ok(())
    }

    /// Checks how many rows are left out.
    pub(super) fn offset(&self, offset: u64) -> Result<(), Problem> {
        check_offset(self.limits, offset)
    }

    /// Counts one entry of `select`.
    pub(super) fn entry(&mut self) -> Result<(), Problem> {
        self.entries += 1;
        entries("select", self.entries)
    }
}

/// Checks how many rows are left out, by `offset` or otherwise.
///
/// # Errors
/// A 400 that names the limit `offset`.
pub(in crate::entity) fn check_offset(limits: &Limits, offset: u64) -> Result<(), Problem> {
    let most = limits.offset;
    if offset > most {
        return Err(beyond("offset", format!("`offset` is at most {most}")).with_details(
            "rows left out are counted one by one; the link to the next page in the header `Link` leads further",
        ));
    }
    Ok(())
}

/// Checks the number of entries in a list of columns.
pub(super) fn entries(part: &str, count: usize) -> Result<(), Problem> {
    if count > COLUMNS_MAX {
        let message = format!("`{}` has more than {COLUMNS_MAX} entries", shown(part));
        return Err(Problem::grammar(message));
    }
    Ok(())
}

fn beyond(limit: &str, message: String) -> Problem {
    Problem::grammar(message)
        .with_hint(format!("ask for less in one request; the limit is `{limit}`"))
        .with_member("limit", limit)
}
