//! Every row of an append-only table against its entry in the log.

use std::collections::BTreeMap;

use anyhow::Result;
use freehold::install::chain;
use freehold::pg::catalog::TableShape;
use freehold::pg::ident;

use super::report::{Finding, TableProof, What};
use crate::events::Database;

/// Rows that are named of one table.
const NAMED_MAX: i64 = 1_000;

/// The entries of a table, by the columns they were made of.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// What a payload begins with, and how many entries have it.
    forms: BTreeMap<String, i64>,
}

impl Entries {
    pub(super) fn count(&self) -> i64 {
        self.forms.values().sum()
    }
}

/// The entries of every table that has some, by the table's name.
///
/// # Errors
/// What the database says.
pub(super) async fn entries(database: &Database) -> Result<BTreeMap<String, Entries>> {
    // A fact has no second dot in its name, so only entries end like this.
    let pattern = format!("{}.%.appended", database.service.replace('_', "\\_"));
    let sql = format!(
        "select e.type, left(e.payload::text, -{digest}), count(*)
         from (
           select l.type, l.payload from freehold.log l
           union all
           select o.type, o.payload from freehold.outbox o
         ) e
         where e.type like $1
         group by 1, 2",
        digest = chain::DIGEST_CHARACTERS,
    );
    let mut tables: BTreeMap<String, Entries> = BTreeMap::new();
    for row in database.rows(&sql, &[&pattern]).await? {
        let kind: &str = row.get(0);
        let Some(table) = kind.split('.').nth(1) else {
            continue;
        };
        let form: Option<String> = row.get(1);
        let forms = &mut tables.entry(table.to_owned()).or_default().forms;
        *forms.entry(form.unwrap_or_default()).or_default() += row.get::<_, i64>(2);
    }
    Ok(tables)
}

/// Compares the rows of a table with its entries.
///
/// One statement for all of it, in the server; of what is right only the number leaves it.
///
/// # Errors
/// What the database says.
pub(super) async fn compare(
    database: &Database,
    shape: &TableShape,
    entries: &Entries,
    found: &mut Vec<Finding>,
) -> Result<TableProof> {
    let forms = Forms::of(shape, entries);
    let topic = chain::topic(&database.service, &shape.name);
    let rows = database.rows(&forms.statement(shape), &[&topic]).await?;
    let altered = rows.iter().find_map(|row| row.get::<_, Option<i64>>(4));
    let mut proof = TableProof {
        table: shape.name.clone(),
        proven: 0,
        unlisted: altered.unwrap_or(0),
    };
    for row in &rows {
        let (verdict, number): (&str, i64) = (row.get(0), row.get(3));
        let Some((what, detail)) = told(verdict) else {
            proof.proven = number;
            continue;
        };
        proof.unlisted -= number;
        found.push(Finding {
            what,
            table: Some(shape.name.clone()),
            position: row.get(1),
            key: row.get(2),
            detail: detail.to_owned(),
        });
    }
    found.extend(forms.unproven(&shape.name));
    Ok(proof)
}

fn told(verdict: &str) -> Option<(What, &'static str)> {
    Some(match verdict {
        "changed" => (What::RowChanged, "the row is not what was written"),
        "removed" => (What::RowRemoved, "the row that was written is gone"),
        "inserted" => (
            What::RowInserted,
            "the row has no entry in the log: it was not written in the ordinary way",
        ),
        "twice" => (What::RowTwice, "the row was written again: it was taken out meanwhile"),
        _ => return None,
    })
}

/// What the entries of a table were made of.
struct Forms<'a> {
    /// Of columns that are there: the payload's beginning and the columns.
    known: Vec<(&'a str, Vec<String>)>,
    /// Of others: how many entries, and why they prove nothing.
    lost: Vec<(&'a str, i64, String)>,
}

impl<'a> Forms<'a> {
    fn of(shape: &TableShape, entries: &'a Entries) -> Self {
        let mut forms = Self {
            known: Vec::new(),
            lost: Vec::new(),
        };
        for (form, number) in &entries.forms {
            let Some(columns) = chain::payload_columns(form) else {
                let why = "their entries do not name the columns they are made of".to_owned();
                forms.lost.push((form, *number, why));
                continue;
            };
            match columns.iter().find(|column| shape.column(column).is_none()) {
                Some(gone) => forms.lost.push((form, *number, format!("their column {gone} is gone"))),
                None => forms.known.push((form, columns)),
            }
        }
        forms
    }

    fn unproven(&self, table: &str) -> impl Iterator<Item = Finding> {
        self.lost.iter().map(move |(_, number, why)| {
            let detail = format!("{number} rows cannot be proven: {why}");
            Finding::of_table(What::RowsUnproven, table, detail)
        })
    }

    /// Verdict, position, key, how many, and how many of all verdicts that are findings.
    fn statement(&self, shape: &TableShape) -> String {
        let payload =
            |number: usize, columns: &Vec<String>| format!(", {} as p{number}", chain::entry_payload("t", columns));
        let payloads: String = self.known.iter().enumerate().map(|(n, (_, c))| payload(n, c)).collect();
        let same = |(number, (form, _)): (usize, &(&str, Vec<String>))| {
            format!(" when {} then r.p{number}", ident::literal(form))
        };
        let same: String = self.known.iter().enumerate().map(same).collect();
        let lost: Vec<String> = self.lost.iter().map(|(form, ..)| ident::literal(form)).collect();
        format!(
            "with entries as (
               select
                 e.key collate \"C\" as key, max(e.position) as position, count(*) as times,
                 max(e.payload) as payload, left(max(e.payload), -{digest}) as form
               from (
                 select l.key, l.position, l.payload::text as payload from freehold.log l where l.type = $1
                 union all
                 select o.key, null, o.payload::text from freehold.outbox o where o.type = $1
               ) e
               group by 1
             ),
             rows as (
               select ({key}) collate \"C\" as key{payloads}
               from {on} t
             ),
             judged as (
               select
                 coalesce(e.key, r.key) as key,
                 e.position,
                 case
                   when r.key is null then 'removed'
                   when e.key is null then 'inserted'
                   when e.times > 1 then 'twice'
                   when e.form = any(array[{lost}]::text[]) then 'unproven'
                   when e.payload is not distinct from case e.form{same} else null end then 'right'
                   else 'changed'
                 end as verdict
               from entries e
               full join rows r on r.key = e.key
               -- A fence: what is computed of a row is computed once.
               offset 0
             ),
             counted as (
               select
                 j.verdict,
                 case when j.verdict not in ('right', 'unproven') then j.position end as position,
                 case when j.verdict not in ('right', 'unproven') then j.key end as key,
                 count(*) as number
               from judged j
               group by 1, 2, 3
             )
             select
               c.verdict, c.position, c.key, c.number,
               (sum(c.number) filter (where c.verdict not in ('right', 'unproven')) over ())::bigint
             from counted c
             where c.verdict <> 'unproven'
             order by c.verdict = 'right' desc, c.position, c.key
             limit {limit}",
            digest = chain::DIGEST_CHARACTERS,
            key = chain::entry_key("t", &shape.key),
            on = ident::qualified(&shape.schema, &shape.name),
            lost = lost.join(", "),
            same = if same.is_empty() { " when null then null" } else { &same },
            limit = NAMED_MAX + 1,
        )
    }
}
