//! Two listeners on one port.

use std::collections::HashMap;

use super::Rule;
use crate::declared::At;
use crate::diagnostic::{Diagnostic, Place};
use crate::landscape::Landscape;
use crate::resolve::default_port;

pub(super) const RULE: Rule = rule!(
    "port-clash",
    "two services, or a service and the console, on one TCP port"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    let system = &landscape.system;
    let mut taken: HashMap<u16, (String, Place)> = HashMap::new();
    let console = Place::new(system.file, &system.port.span, "the console");
    taken.insert(system.port.value, ("the console".to_owned(), console));
    // Ports that are written down first: they are the ones meant.
    let mut implied = Vec::new();
    for (index, service) in landscape.services.iter().enumerate() {
        let who = format!("service `{}`", service.name);
        let Some(port) = &service.port else {
            implied.push((index, who));
            continue;
        };
        let place = service.place(&port.span, who.as_str());
        claim(&mut taken, port.value, who, place, found);
    }
    for (index, who) in implied {
        let entry = system.services.as_ref().and_then(|services| services.items.get(index));
        let span = entry.map_or(0..0, |At { span, .. }| span.clone());
        let Some(port) = default_port(system.port.value, index) else {
            let place = Place::new(system.file, &system.port.span, "too high");
            found.push(
                Diagnostic::error(RULE.name, format!("{who} would get a port above 65535"))
                    .at(place)
                    .help("lower `port` of system.toml: services follow from the next one"),
            );
            continue;
        };
        let place = Place::new(
            system.file,
            &span,
            format!("{who}: port {port} by its place in the list"),
        );
        claim(&mut taken, port, who, place, found);
    }
}

fn claim(taken: &mut HashMap<u16, (String, Place)>, port: u16, who: String, place: Place, found: &mut Vec<Diagnostic>) {
    if let Some((first, there)) = taken.get(&port) {
        found.push(
            Diagnostic::error(RULE.name, format!("{who} and {first} both listen on port {port}"))
                .at(place)
                .also(there.clone())
                .help("give one of them another `port`"),
        );
        return;
    }
    taken.insert(port, (who, place));
}
