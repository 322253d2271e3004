//! A projection of a stream or topic that its service does not have.

use super::Rule;
use crate::declared::{At, DeclaredService};
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::nearest::suggestion;

pub(super) const RULE: Rule = rule!(
    "unknown-stream",
    "a projection of a stream or topic that its service does not have"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, projection) in landscape.projections() {
        let topics = projection.topics.items.iter();
        let unknown = topics.filter(|topic| is_silent(service, &topic.value));
        found.extend(unknown.map(|topic| unsaid(service, &projection.name.value, topic)));
        let streams = projection.streams.items.iter();
        let unknown = streams.filter(|name| service.streams_readable && service.stream(&name.value).is_none());
        found.extend(unknown.map(|name| absent(service, &projection.name.value, name)));
    }
}

/// Whether the service's log has nothing on that topic.
fn is_silent(service: &DeclaredService<'_>, topic: &str) -> bool {
    let known = service.readable && service.streams_readable && service.publishes.complete;
    known && !topics(service).iter().any(|own| own == topic)
}

fn topics(service: &DeclaredService<'_>) -> Vec<String> {
    let tables = service
        .owns
        .iter()
        .filter(|table| !table.publishes.items.is_empty() || !table.publishes.complete);
    let rows = tables.map(|table| format!("{}.{}", service.name, table.name.value));
    service.publishes.values().into_iter().chain(rows).collect()
}

fn unsaid(service: &DeclaredService<'_>, projection: &str, topic: &At<String>) -> Diagnostic {
    let own = topics(service);
    let message = format!("`{}` says nothing on `{}`", service.name, topic.value);
    Diagnostic::error(RULE.name, message)
        .at(service.place(&topic.span, format!("followed by `{projection}`")))
        .maybe_help(suggestion(&topic.value, own.iter().map(String::as_str), "its topics"))
}

fn absent(service: &DeclaredService<'_>, projection: &str, name: &At<String>) -> Diagnostic {
    let known: Vec<&str> = service
        .streams
        .iter()
        .map(|stream| stream.name.value.as_str())
        .collect();
    let help = suggestion(&name.value, known.iter().copied(), "its streams")
        .unwrap_or_else(|| format!("declare it: `[streams.{}]`, with its `events`", name.value));
    let message = format!("`{}` has no stream `{}`", service.name, name.value);
    Diagnostic::error(RULE.name, message)
        .at(service.place(&name.span, format!("followed by `{projection}`")))
        .help(help)
}
