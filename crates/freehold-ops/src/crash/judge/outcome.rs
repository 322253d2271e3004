//! `invariants/outcome/<service>.sql`: what was acknowledged came to its end, once; nothing else did.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::{Case, Finding, rows, symptom};
use crate::crash::ledger::Standing;

const CHECK: &str = "outcome";

/// Where a key was found, and with which outcome.
type Outcomes = BTreeMap<String, Vec<(String, String)>>;

pub(super) async fn check(case: &Case<'_>) -> Result<Vec<Finding>> {
    if case.invariants.outcome.is_empty() {
        return Ok(Vec::new());
    }
    let mut outcomes = Outcomes::new();
    let mut services = Vec::new();
    for statement in &case.invariants.outcome {
        services.push(statement.service.clone());
        for row in rows(case.court(&statement.service)?, &statement.file, &statement.sql).await? {
            ensure!(row.len() == 2, "{} must return (key, outcome)", statement.file);
            let text = |place| row.get(place).unwrap_or("null").to_owned();
            let found = outcomes.entry(text(0)).or_default();
            found.push((statement.service.clone(), text(1)));
        }
    }
    Ok(compare(case.ledger.keys(), &outcomes, &services))
}

fn compare(ledger: &BTreeMap<String, Standing>, outcomes: &Outcomes, services: &[String]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (key, standing) in ledger {
        if *standing == Standing::Accepted && !outcomes.contains_key(key) {
            found.push(finding(
                symptom::LOST,
                services,
                key,
                "it was acknowledged and has no outcome".to_owned(),
            ));
        }
    }
    for (key, outcomes) in outcomes {
        let told: Vec<String> = outcomes
            .iter()
            .map(|(service, outcome)| format!("{outcome} in {service}"))
            .collect();
        let told = told.join(", ");
        let services: Vec<String> = outcomes.iter().map(|(service, _)| service.clone()).collect();
        match ledger.get(key) {
            None => found.push(finding(
                symptom::UNEXPECTED,
                &services,
                key,
                format!("it was never sent: {told}"),
            )),
            Some(Standing::Refused) => {
                found.push(finding(
                    symptom::UNEXPECTED,
                    &services,
                    key,
                    format!("it was refused: {told}"),
                ));
            }
            Some(Standing::Sent | Standing::Accepted) if outcomes.len() > 1 => {
                let detail = format!("it has {} outcomes: {told}", outcomes.len());
                found.push(finding(symptom::DOUBLED, &services, key, detail));
            }
            Some(Standing::Sent | Standing::Accepted) => {}
        }
    }
    found
}

fn finding(symptom: &str, services: &[String], key: &str, detail: String) -> Finding {
    let mut services = services.to_vec();
    services.dedup();
    Finding {
        services,
        ..Finding::new(symptom, CHECK, "", detail).about(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_is_there_once_and_what_was_not_at_most_once() {
        let ledger = [
            ("kept", Standing::Accepted),
            ("lost", Standing::Accepted),
            ("twice", Standing::Accepted),
            ("unknown and there", Standing::Sent),
            ("unknown and not there", Standing::Sent),
            ("unknown and twice", Standing::Sent),
            ("refused", Standing::Refused),
            ("refused and there", Standing::Refused),
        ];
        let ledger = ledger.map(|(key, standing)| (key.to_owned(), standing)).into();
        let mut outcomes = Outcomes::new();
        for key in [
            "kept",
            "twice",
            "twice",
            "unknown and there",
            "unknown and twice",
            "unknown and twice",
            "refused and there",
            "never sent",
        ] {
            let found = outcomes.entry(key.to_owned()).or_default();
            found.push(("order".to_owned(), "confirmed".to_owned()));
        }
        let found = compare(&ledger, &outcomes, &["order".to_owned()]);
        let told: Vec<(&str, &str)> = found
            .iter()
            .map(|f| (f.symptom.as_str(), f.key.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(
            told,
            [
                (symptom::LOST, "lost"),
                (symptom::UNEXPECTED, "never sent"),
                (symptom::UNEXPECTED, "refused and there"),
                (symptom::DOUBLED, "twice"),
                (symptom::DOUBLED, "unknown and twice"),
            ]
        );
    }
}
