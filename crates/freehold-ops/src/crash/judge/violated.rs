//! `invariants/<service>/<name>.sql` find nothing.

use anyhow::Result;
use tokio_postgres::SimpleQueryRow;

use super::{Case, Finding, rows, symptom};

pub(super) async fn check(case: &Case<'_>) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for statement in &case.invariants.violated {
        for row in rows(case.court(&statement.service)?, &statement.file, &statement.sql).await? {
            found.push(finding(&statement.service, &statement.name, &row));
        }
    }
    Ok(found)
}

/// A row says by its columns what is wrong: `symptom`, if it is the first, in a word; `key` about what.
fn finding(service: &str, name: &str, row: &SimpleQueryRow) -> Finding {
    let names: Vec<&str> = row.columns().iter().map(|column| column.name()).collect();
    let symptom = match names.first() {
        Some(&"symptom") => row.get(0).unwrap_or(symptom::VIOLATED),
        _ => symptom::VIOLATED,
    };
    let key = names
        .iter()
        .position(|name| *name == "key")
        .and_then(|place| row.get(place));
    let shown = names
        .iter()
        .enumerate()
        .filter(|(_, name)| !["symptom", "key"].contains(name));
    let shown: Vec<String> = shown
        .map(|(place, name)| format!("{name} = {}", row.get(place).unwrap_or("null")))
        .collect();
    let mut finding = Finding::new(symptom, name, service, shown.join(", "));
    finding.key = key.map(str::to_owned);
    finding
}
