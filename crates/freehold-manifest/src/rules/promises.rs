//! What the rules about broken promises have in common: a sentence that names who relies on it, and the way out.

use crate::contract::{Consumer, said};
use crate::declared::DeclaredService;
use crate::diagnostic::{Diagnostic, Place};
use crate::schema::Change;

/// What is no longer as promised.
pub(super) struct Broken {
    pub(super) rule: &'static str,
    /// A sentence without an end: "`user.users.name` is dropped".
    pub(super) what: String,
    /// Where it was broken.
    pub(super) place: Option<Place>,
    /// Who relies on it.
    pub(super) consumers: Vec<Consumer>,
    /// What to do while somebody relies on it.
    pub(super) steps: String,
}

impl Broken {
    /// The finding: with consumers it can only be undone, without it can be accepted.
    pub(super) fn finding(self) -> Diagnostic {
        let mut finding = if self.consumers.is_empty() {
            let message = format!("{}; it was promised, though nobody in this system uses it", self.what);
            Diagnostic::error(self.rule, message)
                .help("if that is meant: `freehold check --accept`, and commit contract.toml")
                .acceptable()
        } else {
            let message = format!("{}, but is used by {}", self.what, said(&self.consumers));
            Diagnostic::error(self.rule, message).help(self.steps)
        };
        finding.place = self.place;
        finding.also = self.consumers.into_iter().map(|consumer| consumer.place).collect();
        finding
    }
}

/// Where a migration made a change; none if no change is known to have done it.
pub(super) fn place(service: &DeclaredService<'_>, change: Option<&Change>) -> Option<Place> {
    change.and_then(|change| service.sql_place(&change.at, "here"))
}

/// The names of those who rely on it, for a remedy: `product` and `order`.
pub(super) fn names(consumers: &[Consumer]) -> String {
    let mut names: Vec<String> = Vec::new();
    for consumer in consumers {
        let name = format!("`{}`", consumer.service);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(" and ")
}

/// Leaves out findings of other rules about a declaration that a broken promise points to: they follow from it.
pub(super) fn speak_first(found: &mut Vec<Diagnostic>, rules: &[&str]) {
    let spoken: Vec<Place> = found
        .iter()
        .filter(|finding| rules.contains(&finding.rule))
        .flat_map(|finding| finding.also.iter().chain(&finding.place).cloned())
        .collect();
    found.retain(|finding| {
        let follows = finding.place.as_ref().is_some_and(|place| {
            spoken
                .iter()
                .any(|other| (&other.file, &other.span) == (&place.file, &place.span))
        });
        rules.contains(&finding.rule) || !follows
    });
}
