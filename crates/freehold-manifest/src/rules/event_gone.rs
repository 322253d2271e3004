//! A promised event that is sent no more.

use super::Rule;
use super::promises::{Broken, names};
use crate::contract::of_event;
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;

pub(super) const RULE: Rule = rule!("event-gone", "an event that others hear is no longer published");

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for service in landscape.services.iter().filter(|service| service.publishes.complete) {
        let Some(contract) = &service.contract else { continue };
        for event in &contract.events.items {
            if service.publishes.has(&event.value) {
                continue;
            }
            let consumers = of_event(landscape, &service.name, &event.value);
            let steps = format!(
                "go on sending it until no version of {} that runs hears it; a new meaning is a new event beside it",
                names(&consumers)
            );
            let broken = Broken {
                rule: RULE.name,
                what: format!("`{}` is no longer published", event.value),
                place: Some(contract.place(&event.span, "promised here")),
                consumers,
                steps,
            };
            found.push(broken.finding());
        }
    }
}
