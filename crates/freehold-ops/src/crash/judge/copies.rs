//! Every copy says what its owner says, row by row and value by value.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use freehold::pg::ident;
use freehold_manifest::model::Copy;

use super::{Case, Court, Finding, symptom};

/// A table's rows by key: each column's value as JSON.
type Rows = BTreeMap<String, Vec<Option<String>>>;

pub(super) async fn check(case: &Case<'_>) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for court in case.courts.values() {
        for copy in &court.service.copies {
            let owner = case.court(&copy.of.service)?;
            let key = key_of(court, copy).await?;
            let theirs = read(owner, &copy.of.table, &key, &copy.columns).await?;
            let ours = read(court, &copy.name, &key, &copy.columns).await?;
            let holder = format!("{}.{}", court.service.name, copy.name);
            for (key, detail) in differences(&copy.columns, &theirs, &ours) {
                let detail = format!("copy {holder} of {}: {detail}", copy.of);
                let mut finding = Finding::new(symptom::DISAGREE, "copies", &copy.of.service, detail).about(key);
                finding.services.push(court.service.name.clone());
                found.push(finding);
            }
        }
    }
    Ok(found)
}

async fn key_of(court: &Court, copy: &Copy) -> Result<Vec<String>> {
    // With a server for each service, tables stand in `public`.
    let catalog = freehold::pg::catalog::load(&court.admin, "public").await?;
    let shape = catalog.tables.get(&copy.name);
    let key = shape.map(|shape| shape.key.clone()).filter(|key| !key.is_empty());
    key.with_context(|| format!("{}.{} has no primary key", court.service.name, copy.name))
}

async fn read(court: &Court, table: &str, key: &[String], columns: &[String]) -> Result<Rows> {
    // A message cannot tell a JSON value that is null from no value.
    let value = |column: &String| format!("nullif(to_jsonb({})::text, 'null')", ident::quote(column));
    let values: Vec<String> = columns.iter().map(value).collect();
    let key = match key {
        [one] => format!("{}::text", ident::quote(one)),
        several => {
            let several: Vec<String> = several.iter().map(|column| ident::quote(column)).collect();
            format!("json_build_array({})::text", several.join(", "))
        }
    };
    let table = ident::qualified("public", table);
    let sql = format!("select {key}, array[{}]::text[] from {table}", values.join(", "));
    let rows = court.admin.query(&sql, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Keys that only one side has, or that both have with other values, each with what differs.
fn differences(columns: &[String], theirs: &Rows, ours: &Rows) -> Vec<(String, String)> {
    let mut differ = Vec::new();
    for (key, owner) in theirs {
        match ours.get(key) {
            None => differ.push((key.clone(), "its row is missing in the copy".to_owned())),
            Some(copy) if copy == owner => {}
            Some(copy) => {
                let values = columns.iter().zip(owner.iter().zip(copy));
                let told: Vec<String> = values
                    .filter(|(_, (owner, copy))| owner != copy)
                    .map(|(column, (owner, copy))| {
                        format!("{column} is {} and {} in the copy", said(owner), said(copy))
                    })
                    .collect();
                differ.push((key.clone(), told.join(", ")));
            }
        }
    }
    let extra = ours.keys().filter(|key| !theirs.contains_key(*key));
    differ.extend(extra.map(|key| (key.clone(), "its row is only in the copy".to_owned())));
    differ
}

fn said(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("null")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_other_missing_or_extra_differs() {
        let rows = |list: &[(&str, Option<&str>)]| -> Rows {
            let row = |value: &Option<&str>| vec![value.map(str::to_owned)];
            list.iter()
                .map(|(key, value)| ((*key).to_owned(), row(value)))
                .collect()
        };
        let columns = ["name".to_owned()];
        let owner = rows(&[("a", Some("1")), ("b", Some("1")), ("c", None)]);
        assert!(differences(&columns, &owner, &owner).is_empty());
        let copy = rows(&[("a", Some("1")), ("b", None), ("d", None)]);
        let told: Vec<String> = differences(&columns, &owner, &copy)
            .into_iter()
            .map(|(key, detail)| format!("{key}: {detail}"))
            .collect();
        assert_eq!(
            told,
            [
                "b: name is 1 and null in the copy",
                "c: its row is missing in the copy",
                "d: its row is only in the copy"
            ]
        );
    }
}
