//! A promised table whose primary key is another.

use super::Rule;
use super::promises::{Broken, names, place};
use crate::contract::of_key;
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::model::TableName;
use crate::nearest::list;
use crate::schema::ChangeSort;

pub(super) const RULE: Rule = rule!(
    "published-key-changed",
    "a table that others copy or refer to gets another primary key"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for service in &landscape.services {
        for promised in service.contract.iter().flat_map(|contract| &contract.tables) {
            let Some(table) = service.table(&promised.name.value) else {
                continue;
            };
            let Some(key) = service.key(table) else { continue };
            // A key column that is gone is another rule's.
            let whole = promised
                .key
                .iter()
                .all(|column| service.has_column(table, column) == Some(true));
            if promised.key.is_empty() || key == promised.key || !whole {
                continue;
            }
            let of = TableName {
                service: service.name.clone(),
                table: table.name.value.clone(),
            };
            let change = service
                .schema
                .last_change(&of.table, |what| *what == ChangeSort::KeyTouched);
            let consumers = of_key(landscape, &of);
            let steps = format!(
                "keep {} the primary key, by which rows are found in {}; another way to name a row is a unique constraint beside it, \
                 another key a new table",
                list(promised.key.iter().map(String::as_str)),
                names(&consumers)
            );
            let new = if key.is_empty() {
                "no primary key any more".to_owned()
            } else {
                format!("the primary key {}", list(key.iter().map(String::as_str)))
            };
            let broken = Broken {
                rule: RULE.name,
                what: format!(
                    "`{of}` has {new}, and was promised with {}",
                    list(promised.key.iter().map(String::as_str))
                ),
                place: place(service, change).or_else(|| Some(service.place(&table.name.span, "declared here"))),
                consumers,
                steps,
            };
            found.push(broken.finding());
        }
    }
}
