//! A contract that states less than is promised.

use super::Rule;
use crate::contract::{Contract, Fit, fit, of_service};
use crate::declared::{DeclaredContract, DeclaredService, PromisedColumn};
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;

pub(super) const RULE: Rule = rule!("contract-stale", "a contract that does not state all that is published");

/// More additions than this are not listed: a person would not read them.
const LISTED_MAX: usize = 6;

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for service in &landscape.services {
        let Some(contract) = &service.contract else { continue };
        let added = added(service, contract);
        if added.is_empty() {
            continue;
        }
        let more = added.len().saturating_sub(LISTED_MAX);
        let listed = crate::nearest::list(added.iter().take(LISTED_MAX).map(String::as_str));
        let listed = match more {
            0 => listed,
            more => format!("{listed} and {more} more"),
        };
        let message = format!("the contract of `{}` does not state {listed}", service.name);
        found.push(
            Diagnostic::warning(RULE.name, message)
                .at(contract.place(&(0..0), ""))
                .help("`freehold check --accept`, and commit contract.toml: from then on it is promised")
                .acceptable(),
        );
    }
}

/// What is published and not stated, or stated narrower than it is.
fn added(service: &DeclaredService<'_>, contract: &DeclaredContract<'_>) -> Vec<String> {
    let now = of_service(service);
    let mut added = Vec::new();
    for table in &now.tables {
        let of = format!("{}.{}", service.name, table.name);
        let Some(stated) = contract.tables.iter().find(|stated| stated.name.value == table.name) else {
            added.push(of);
            continue;
        };
        for column in &table.columns {
            if !has(&stated.columns, &column.name, &column.ty) {
                added.push(format!("{of}.{}", column.name));
            }
        }
    }
    added.extend(now.events.iter().filter(|event| !contract.events.has(event)).cloned());
    for (event, fields) in &now.payloads {
        let stated = contract.payloads.iter().find(|stated| &stated.event.value == event);
        let fields = fields
            .iter()
            .filter(|field| !stated.is_some_and(|stated| has(&stated.fields, &field.name, &field.ty)));
        added.extend(fields.map(|field| format!("{event}: {}", field.name)));
    }
    added.extend(commands(&now, contract));
    added
}

/// Whether a column is stated as it is, or otherwise than it may be, which is another rule's.
fn has(stated: &[PromisedColumn], name: &str, ty: &str) -> bool {
    let stated = stated.iter().find(|column| column.name.value == name);
    stated.is_some_and(|stated| ty.is_empty() || (!stated.ty.is_empty() && fit(&stated.ty, ty) != Fit::Wider))
}

fn commands(now: &Contract, contract: &DeclaredContract<'_>) -> Vec<String> {
    let unstated = now.commands.iter().filter(|command| {
        let stated = contract
            .commands
            .iter()
            .find(|stated| stated.name.value == command.name);
        !stated.is_some_and(|stated| command.from.iter().all(|from| stated.from.contains(from)))
    });
    unstated.map(|command| command.name.clone()).collect()
}
