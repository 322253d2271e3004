//! An event that holds less than was promised, or something else.

use super::Rule;
use super::promises::{Broken, names};
use crate::contract::{Fit, fit, of_event};
use crate::declared::{DeclaredPayload, DeclaredService};
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;

pub(super) const RULE: Rule = rule!(
    "payload-narrowed",
    "an event that others hear loses a field, or a field gets a narrower or another type"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for service in &landscape.services {
        let Some(contract) = &service.contract else { continue };
        for promised in &contract.payloads {
            // An event that is gone as a whole is another rule's.
            if service.publishes.has(&promised.event.value) {
                narrowed(landscape, service, promised, found);
            }
        }
    }
}

fn narrowed(
    landscape: &Landscape<'_>,
    service: &DeclaredService<'_>,
    promised: &DeclaredPayload,
    found: &mut Vec<Diagnostic>,
) {
    let event = &promised.event.value;
    let now = service.payload(event);
    for field in &promised.fields {
        let current = now.and_then(|now| now.fields.iter().find(|current| current.name.value == field.name.value));
        let name = &field.name.value;
        let (what, at) = match current {
            None => (
                format!("`{event}` no longer declares `{name}`"),
                now.map(|now| service.place(&now.event.span, "declared here")),
            ),
            Some(current) if fit(&field.ty, &current.ty) == Fit::Other => (
                format!(
                    "`{name}` of `{event}` becomes `{}`, and was promised as `{}`",
                    current.ty, field.ty
                ),
                Some(service.place(&current.name.span, "here")),
            ),
            Some(_) => continue,
        };
        let consumers = of_event(landscape, &service.name, event);
        let steps = format!(
            "an event may only grow: keep `{name}` as it was, add what is new beside it, or send a new event beside this one until no version of {} \
             that runs hears the old one",
            names(&consumers)
        );
        let contract = service.contract.as_ref();
        let place = at.or_else(|| Some(contract?.place(&field.name.span, "promised here")));
        let broken = Broken {
            rule: RULE.name,
            what,
            place,
            consumers,
            steps,
        };
        found.push(broken.finding());
    }
}
