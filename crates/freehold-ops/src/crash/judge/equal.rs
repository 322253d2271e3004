//! `invariants/equal/<name>/<service>.sql` and the workload's facts of that name say the same.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{Case, Finding, rows, symptom};
use crate::crash::workload::Fact;

/// The side of the workload's facts.
const WORLD: &str = "world";

/// What one side says of each key: its values in order, each as often as it was said.
type Side = BTreeMap<String, Vec<String>>;

pub(super) async fn check(case: &Case<'_>) -> Result<Vec<Finding>> {
    let named = case.facts.iter().map(|fact| fact.fact.as_str());
    let names: BTreeSet<&str> = case.invariants.equal.keys().map(String::as_str).chain(named).collect();
    let mut found = Vec::new();
    for name in names {
        let mut sides: Vec<(String, Side)> = Vec::new();
        for statement in case.invariants.equal.get(name).into_iter().flatten() {
            let mut side = Side::new();
            for row in rows(case.court(&statement.service)?, &statement.file, &statement.sql).await? {
                ensure!(row.len() == 2, "{} must return (key, value)", statement.file);
                let values = side.entry(row.get(0).unwrap_or("null").to_owned()).or_default();
                values.push(plain(row.get(1).unwrap_or("null")));
            }
            sides.push((statement.service.clone(), side));
        }
        let mut facts = case.facts.iter().filter(|fact| fact.fact == name).peekable();
        if facts.peek().is_some() || sides.len() == 1 {
            sides.push((WORLD.to_owned(), world(facts)));
        }
        ensure!(
            sides.len() > 1,
            "the workload tells a fact {name:?}, and there is no invariants/equal/{name}/<service>.sql to compare it with"
        );
        found.extend(compare(name, sides));
    }
    Ok(found)
}

fn world<'f>(facts: impl Iterator<Item = &'f Fact>) -> Side {
    let mut side = Side::new();
    for fact in facts {
        let value = match &fact.value {
            Value::String(text) => plain(text),
            Value::Bool(true) => "t".to_owned(),
            Value::Bool(false) => "f".to_owned(),
            other => plain(&other.to_string()),
        };
        side.entry(fact.key.clone()).or_default().push(value);
    }
    side
}

/// A number without the zeros that say nothing: 12.50 is 12.5 everywhere.
fn plain(text: &str) -> String {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_decimal = digits.split_once('.').is_some_and(|(whole, part)| {
        [whole, part]
            .iter()
            .all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    });
    match is_decimal {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}

fn compare(name: &str, mut sides: Vec<(String, Side)>) -> Vec<Finding> {
    for (_, side) in &mut sides {
        side.values_mut().for_each(|values| values.sort());
    }
    let keys: BTreeSet<String> = sides.iter().flat_map(|(_, side)| side.keys().cloned()).collect();
    let mut found = Vec::new();
    for key in keys {
        let said: Vec<(&str, &[String])> = sides
            .iter()
            .map(|(who, side)| (who.as_str(), side.get(&key).map_or(&[][..], Vec::as_slice)))
            .collect();
        if said.iter().all(|(_, values)| *values == said[0].1) {
            continue;
        }
        // The same, said more often by one than by another, is a repetition.
        let distinct = |values: &[String]| values.iter().cloned().collect::<BTreeSet<_>>();
        let repeated = said.iter().all(|(_, values)| distinct(values) == distinct(said[0].1));
        let told: Vec<String> = said
            .iter()
            .map(|(who, values)| match values {
                [] => format!("nothing in {who}"),
                values => format!("{} in {who}", values.join(" and ")),
            })
            .collect();
        found.push(Finding {
            symptom: if repeated { symptom::DOUBLED } else { symptom::DISAGREE }.to_owned(),
            check: format!("equal/{name}"),
            services: sides.iter().map(|(who, _)| who.clone()).collect(),
            key: Some(key.clone()),
            detail: told.join(", "),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(who: &str, said: &[(&str, &str)]) -> (String, Side) {
        let mut side = Side::new();
        for (key, value) in said {
            side.entry((*key).to_owned()).or_default().push(plain(value));
        }
        (who.to_owned(), side)
    }

    #[test]
    fn sides_that_differ_in_a_key_a_value_or_a_number_of_times_are_told_with_what_each_says() {
        let order = side("order", &[("a", "12.50"), ("b", "1"), ("c", "7"), ("d", "x")]);
        let world = side("world", &[("a", "12.5"), ("b", "2"), ("c", "7"), ("c", "7.0")]);
        let told: Vec<String> = compare("paid", vec![order, world])
            .into_iter()
            .map(|f| format!("{} {}: {}", f.symptom, f.key.unwrap_or_default(), f.detail))
            .collect();
        assert_eq!(
            told,
            [
                "disagree b: 1 in order, 2 in world",
                "doubled c: 7 in order, 7 and 7 in world",
                "disagree d: x in order, nothing in world"
            ]
        );
    }

    #[test]
    fn a_number_is_compared_as_a_number_and_a_text_as_it_is() {
        for (text, same) in [
            ("10", "10"),
            ("10.00", "10"),
            ("-0.50", "-0.5"),
            ("1.2.0", "1.2.0"),
            ("a.0", "a.0"),
            (".0", ".0"),
        ] {
            assert_eq!(plain(text), same);
        }
    }
}
