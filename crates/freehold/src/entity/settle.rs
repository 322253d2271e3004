//! Settled answers: what a row is once the service's own triggers have run.
//!
//! `returning` is computed before AFTER triggers run, and those may change the very row that was written: the total of
//! an order, once its lines are in. Where the catalog knows of such triggers, the write gives back keys only, and a
//! second statement of the same transaction reads the rows by them: the answer, and the version in it, are what the
//! next reader sees. A row that is gone by then, or has another key, is not in the answer. What triggers do that wait
//! for the commit is not seen either.
//!
//! ```sql
//! with i0 as (select t.* from unnest($1::text[]) with ordinality as k(k0, place)
//!               join orders as t on t.id = k.k0::uuid order by k.place),
//!      i1 as (…), j1 as (…)            -- from here on as the write itself would answer
//! select … from i0 as t left join j1 on … order by …
//! ```

use freehold_manifest::model::Mode;
use tokio_postgres::Row;

use super::execute::{Outcome, Runner, Then};
use super::fault::Fault;
use super::fields::Level;
use super::nest::posted;
use super::problem::Problem;
use super::query::Query;
use super::returning::{self, Wanted};
use super::show::{self, Shown};
use super::sql::{Param, Statement};
use super::table::Served;
use crate::pg::catalog::AfterTriggers;

/// A write, and what reads its rows once they are settled.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) statement: Statement,
    /// None where the write itself says how its rows are.
    pub(super) reread: Option<Reread>,
}

/// A look at what a write touched, before it is committed.
pub(super) type Check = fn(&Outcome) -> Result<(), Problem>;

impl Plan {
    /// Writes, and takes it back when `check` refuses what was written.
    pub(super) async fn carry_out(&self, runner: Runner<'_>, check: Option<Check>) -> Result<Outcome, Fault> {
        if self.reread.is_none() && check.is_none() {
            return runner.write(&self.statement).await;
        }
        let next = |written: &Outcome| {
            if let Some(check) = check {
                check(written)?;
            }
            Ok(self.reread.as_ref().map_or(Then::Done, |reread| reread.of(written)))
        };
        runner.write_then(&self.statement, next).await
    }
}

/// A statement that reads rows by keys which the write will give back.
#[derive(Debug)]
pub(super) struct Reread {
    sql: String,
    /// Columns of the key of the rows written.
    keys: usize,
    /// Columns of the keys of the rows within them.
    within: usize,
}

impl Reread {
    /// The statement for what was written.
    fn of(&self, written: &Outcome) -> Then {
        /// Columns before the key: the row and its version.
        const BEFORE: usize = 2;
        let Some(first) = written.rows.first() else {
            return Then::Done;
        };
        // A key is never null, and its text always a text.
        let text = |row: &Row, column| row.try_get::<_, String>(column).unwrap_or_default();
        let roots = (0..self.keys).map(|key| written.rows.iter().map(|row| text(row, BEFORE + key)).collect());
        let within = (0..self.within).map(|key| first.try_get(BEFORE + self.keys + key).unwrap_or_default());
        Then::Read(Statement {
            sql: self.sql.clone(),
            params: roots.chain(within).map(Param::Texts).collect(),
        })
    }
}

/// What the write itself gives back, if `reread` follows it.
pub(super) fn first(wanted: Wanted, reread: Option<&Reread>) -> Wanted {
    match reread {
        Some(_) => Wanted::Identity,
        None => wanted,
    }
}

/// The second statement of a change of one table's rows, if `runs` says that triggers follow it.
///
/// # Errors
/// A 400 for a `select` of unknown columns.
pub(super) fn of_rows(
    table: &Served,
    query: &Query,
    wanted: Wanted,
    runs: fn(AfterTriggers) -> bool,
) -> Result<Option<Reread>, Problem> {
    let needed = match wanted {
        Wanted::Count => false,
        Wanted::Identity => table.keeps_version(),
        Wanted::Rows => table.entry.mode == Mode::ReadWrite,
    };
    if !needed || !runs(table.shape.after_triggers) || table.shape.key.is_empty() {
        return Ok(None);
    }
    rows(table, query, wanted).map(Some)
}

/// The second statement of a POST of roots with rows within them.
///
/// # Errors
/// A 400 for a `select` of unknown columns.
pub(super) fn of_roots(root: &Level<'_>, query: &Query, wanted: Wanted) -> Result<Option<Reread>, Problem> {
    let posted = posted(root);
    let tables = || std::iter::once(root.table).chain(posted.iter().map(|n| n.level.table));
    let is_keyed = match wanted {
        Wanted::Rows => tables().all(|t| !t.shape.key.is_empty()),
        Wanted::Count | Wanted::Identity => !root.table.shape.key.is_empty(),
    };
    let needed = match wanted {
        Wanted::Count => false,
        Wanted::Identity => root.table.keeps_version(),
        Wanted::Rows => tables().any(|t| t.entry.mode == Mode::ReadWrite),
    };
    if !needed || !is_keyed || !tables().any(|t| t.shape.after_triggers.insert) {
        return Ok(None);
    }
    if wanted != Wanted::Rows || root.nested.is_empty() {
        return rows(root.table, query, wanted).map(Some);
    }
    let mut reader = Reader {
        statement: Statement::new(),
        next: 1,
    };
    reader.statement.push("with i0 as (");
    push_by_key(&mut reader.statement, root.table);
    reader.statement.push(")");
    let shown = reader.push_within(root);
    show::push_roots(&mut reader.statement, root, query, &shown)?;
    Ok(Some(Reread {
        sql: reader.statement.sql,
        keys: root.table.shape.key.len(),
        within: posted.iter().map(|n| n.level.table.shape.key.len()).sum(),
    }))
}

fn rows(table: &Served, query: &Query, wanted: Wanted) -> Result<Reread, Problem> {
    let mut sql = Statement::new();
    sql.push("select ");
    returning::push_row(&mut sql, table, query, wanted)?;
    push_from(&mut sql, table);
    Ok(Reread {
        sql: sql.sql,
        keys: table.shape.key.len(),
        within: 0,
    })
}

struct Reader {
    statement: Statement,
    next: usize,
}

impl Reader {
    /// `i1`, `j1` …: the children in the order of [`posted`].
    fn push_within<'t>(&mut self, level: &'t Level<'t>) -> Vec<Shown<'t>> {
        let mut shown = Vec::new();
        for nested in &level.nested {
            if nested.level.rows == 0 {
                shown.push(Shown { nested, number: None });
                continue;
            }
            let number = self.next;
            self.next += 1;
            self.statement.push(", i").number(number).push(" as (");
            push_by_key(&mut self.statement, nested.level.table);
            self.statement.push(")");
            let within = self.push_within(&nested.level);
            show::push_aggregate(&mut self.statement, number, nested, &within);
            shown.push(Shown {
                nested,
                number: Some(number),
            });
        }
        shown
    }
}

fn push_by_key(sql: &mut Statement, table: &Served) {
    sql.push("select t.*");
    push_from(sql, table);
}

/// Appends ` from …`: the rows of the keys, in their order. The parameters are one array of texts for each column.
fn push_from(sql: &mut Statement, table: &Served) {
    let key = || table.shape.key.iter().filter_map(|k| table.shape.column(k));
    sql.push(" from unnest(");
    for (place, _) in key().enumerate() {
        sql.push(if place > 0 { ", " } else { "" });
        sql.param(Param::Texts(Vec::new()));
    }
    sql.push(") with ordinality as k(");
    for (place, _) in key().enumerate() {
        sql.push("k").number(place).push(", ");
    }
    sql.push("place) join ").push(&table.qualified).push(" as t on ");
    for (place, column) in key().enumerate() {
        sql.push(if place > 0 { " and " } else { "" });
        sql.column("t", &column.name).push(" = k.k").number(place);
        sql.push("::").push(&column.cast);
    }
    sql.push(" order by k.place");
}
