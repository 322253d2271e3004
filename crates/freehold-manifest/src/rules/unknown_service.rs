//! A name of no service.

use super::Rule;
use crate::declared::{At, DeclaredService, Span};
use crate::diagnostic::{Diagnostic, Place};
use crate::landscape::{Found, Landscape};
use crate::nearest::suggestion;

pub(super) const RULE: Rule = rule!("unknown-service", "a service that system.toml does not list");

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for mention in landscape.mentions() {
        if matches!(landscape.find(&mention.to.value), Found::NoService) {
            found.push(unknown(
                landscape,
                mention.service,
                &mention.to.value.service,
                &mention.to.span,
            ));
        }
    }
    if let Some(auth) = &landscape.system.auth
        && landscape.is_unlisted(&auth.service.value)
    {
        let name = &auth.service.value;
        let place = Place::new(landscape.system.file, &auth.service.span, "not listed in `services`");
        found.push(
            Diagnostic::error(
                RULE.name,
                format!("there is no service `{name}` that could give tokens"),
            )
            .at(place)
            .maybe_help(suggestion(name, landscape.service_names(), "the services are")),
        );
    }
    for service in &landscape.services {
        let senders = service.commands.iter().flat_map(|command| &command.from.items);
        let named = service
            .subscribes
            .items
            .iter()
            .chain(&service.sends.items)
            .chain(senders);
        for (name, span) in named.map(first_part) {
            if landscape.is_unlisted(name) {
                found.push(unknown(landscape, service, name, span));
            }
        }
    }
}

/// The service that a name begins with, or is.
fn first_part(name: &At<String>) -> (&str, &Span) {
    let first = name.value.split('.').next().unwrap_or(&name.value);
    (first, &name.span)
}

fn unknown(landscape: &Landscape<'_>, service: &DeclaredService<'_>, name: &str, span: &Span) -> Diagnostic {
    Diagnostic::error(RULE.name, format!("there is no service `{name}`"))
        .at(service.place(span, "not listed in system.toml"))
        .maybe_help(suggestion(name, landscape.service_names(), "the services are"))
}
