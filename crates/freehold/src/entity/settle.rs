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
use super::filter::Glue;
use super::nest::posted;
use super::order::push_order;
use super::plan::Node;
use super::problem::Problem;
use super::returning::{self, BEFORE_KEY, TRANSACTION, Wanted};
use super::show::{self, Shown};
use super::sql::{Param, Statement};
use super::table::Served;
use crate::pg::catalog::AfterTriggers;

/// A write, and what reads its rows once they are settled.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) statement: Statement,
    /// What the write gives back.
    pub(super) wanted: Wanted,
    /// None where the write itself says how its rows are.
    pub(super) reread: Option<Reread>,
}

/// A look at how many rows a write touched, before it is committed.
pub(super) type Check = Box<dyn Fn(u64) -> Result<(), Problem> + Send + Sync>;

impl Plan {
    /// Writes, and takes it back when `check` refuses what was written.
    pub(super) async fn carry_out(&self, runner: Runner<'_>, check: Option<Check>) -> Result<Outcome, Fault> {
        let mut outcome = if self.reread.is_none() && check.is_none() {
            runner.write(&self.statement).await?
        } else {
            let next = |written: &Outcome| {
                if let Some(check) = &check {
                    check(self.affected(written))?;
                }
                Ok(self.reread.as_ref().map_or(Then::Done, |reread| reread.of(written)))
            };
            runner.write_then(&self.statement, next).await?
        };
        outcome.affected = self.affected(&outcome);
        let told = outcome.written().first();
        let transaction = told.and_then(|row| row.try_get::<_, Option<i64>>(TRANSACTION).ok().flatten());
        outcome.transaction = transaction.and_then(|n| u64::try_from(n).ok());
        Ok(outcome)
    }

    /// How many rows were written; where they are only counted, the one row that came back says it.
    fn affected(&self, outcome: &Outcome) -> u64 {
        let counted = match self.wanted {
            Wanted::Count => outcome.written().first().and_then(super::answer::version),
            Wanted::Identity | Wanted::Rows => None,
        };
        counted.and_then(|n| u64::try_from(n).ok()).unwrap_or(outcome.affected)
    }
}

/// A statement that reads rows by keys which the write will give back.
#[derive(Debug)]
pub(super) struct Reread {
    sql: String,
    /// Its parameters: first an empty array for each column of a key, then those of embedded relations' filters.
    params: Vec<Param>,
    /// Columns of the key of the rows written.
    keys: usize,
    /// Columns of the keys of the rows within them.
    within: usize,
}

impl Reread {
    /// The statement for what was written.
    fn of(&self, written: &Outcome) -> Then {
        let Some(first) = written.rows.first() else {
            return Then::Done;
        };
        // A key is never null, and its text always a text.
        let text = |row: &Row, column| row.try_get::<_, String>(column).unwrap_or_default();
        let roots = (0..self.keys).map(|key| written.rows.iter().map(|row| text(row, BEFORE_KEY + key)).collect());
        let within = (0..self.within).map(|key| first.try_get(BEFORE_KEY + self.keys + key).unwrap_or_default());
        let keys = roots.chain(within).map(Param::Texts);
        let others = self.params.iter().skip(self.keys + self.within).cloned();
        Then::Read(Statement {
            sql: self.sql.clone(),
            params: keys.chain(others).collect(),
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

/// The second statement of a change of one table's rows: where `runs` says that triggers follow it, or where other
/// tables' rows are shown with them.
///
/// # Errors
/// A 400 for what `select` asks of embedded relations.
pub(super) fn of_rows(
    node: &Node<'_>,
    wanted: Wanted,
    runs: fn(AfterTriggers) -> bool,
) -> Result<Option<Reread>, Problem> {
    let table = node.table;
    let settled = match wanted {
        Wanted::Count => false,
        Wanted::Identity => table.keeps_version(),
        Wanted::Rows => table.entry.mode == Mode::ReadWrite,
    };
    let joined = wanted == Wanted::Rows && !node.children.is_empty();
    if table.shape.key.is_empty() || !(joined || (settled && runs(table.shape.after_triggers))) {
        return Ok(None);
    }
    rows(node, wanted).map(Some)
}

/// The second statement of a POST of roots with rows within them.
///
/// # Errors
/// A 400 for what `select` asks of embedded relations.
pub(super) fn of_roots(
    root: &Level<'_>,
    node: &Node<'_>,
    asked: Asked,
    wanted: Wanted,
) -> Result<Option<Reread>, Problem> {
    let posted = posted(root);
    if asked == Asked::Selected || posted.is_empty() {
        return of_rows(node, wanted, |after| after.insert);
    }
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
    if wanted != Wanted::Rows {
        return rows(node, wanted).map(Some);
    }
    let mut reader = Reader {
        statement: Statement::new(),
        next: 1,
    };
    reader.statement.push("with i0 as (");
    push_by_key(&mut reader.statement, root.table);
    reader.statement.push(")");
    let shown = reader.push_within(root);
    show::push_roots(&mut reader.statement, root, node, &shown)?;
    Ok(Some(Reread {
        sql: reader.statement.sql,
        params: reader.statement.params,
        keys: root.table.shape.key.len(),
        within: posted.iter().map(|n| n.level.table.shape.key.len()).sum(),
    }))
}

/// How a POST says what it wants back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// By `select`, which embeds relations.
    Selected,
    /// By the body: the row, and the rows that were posted within it.
    Posted,
}

fn rows(node: &Node<'_>, wanted: Wanted) -> Result<Reread, Problem> {
    let table = node.table;
    let mut sql = Statement::new();
    sql.push("select ");
    sql.push(if wanted == Wanted::Rows {
        node.form.row_sql()
    } else {
        "null::text"
    });
    returning::push_identity(&mut sql, table);
    push_from(&mut sql, table);
    if wanted == Wanted::Rows {
        returning::push_shown(&mut sql, node)?;
        let mut glue = Glue::Where;
        for child in node.children.iter().filter(|c| c.is_inner()) {
            glue.push(&mut sql);
            super::select::push_exists(&mut sql, node, child)?;
        }
    }
    if node.rows.order.is_empty() || wanted != Wanted::Rows {
        sql.push(" order by k.place");
    } else {
        push_order(&mut sql, node)?;
    }
    Ok(Reread {
        sql: sql.sql,
        params: sql.params,
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
    sql.push(" order by k.place");
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
}
