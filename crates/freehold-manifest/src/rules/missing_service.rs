//! A service without a folder.

use super::Rule;
use crate::diagnostic::{Diagnostic, Place};
use crate::landscape::Landscape;
use crate::nearest::nearest;
use crate::parse::is_identifier;
use crate::source::Sources;

pub(super) const RULE: Rule = rule!("missing-service", "a service that has no folder with a freehold.toml");

pub(super) fn check(landscape: &Landscape<'_>, sources: &Sources, found: &mut Vec<Diagnostic>) {
    let listed = landscape.system.services.iter().flat_map(|services| &services.items);
    for service in listed.filter(|s| is_identifier(&s.value) && !sources.services.contains_key(&s.value)) {
        let name = &service.value;
        let unlisted = sources
            .services
            .keys()
            .map(String::as_str)
            .filter(|folder| landscape.service(folder).is_none());
        let help = match nearest(name, unlisted) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("create {name}/freehold.toml, or remove `{name}` from `services`"),
        };
        found.push(
            Diagnostic::error(RULE.name, format!("the service `{name}` has no {name}/freehold.toml"))
                .at(Place::new(&sources.system, &service.span, "listed here"))
                .help(help),
        );
    }
}
