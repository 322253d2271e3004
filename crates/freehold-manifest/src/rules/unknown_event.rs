//! A topic that nobody speaks on, or nobody else.

use super::Rule;
use crate::declared::{At, DeclaredService, DeclaredStream};
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::model::Audience;
use crate::nearest::suggestion;

pub(super) const RULE: Rule = rule!("unknown-event", "a subscription to what nobody publishes");

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for service in &landscape.services {
        for topic in &service.subscribes.items {
            let owner = topic.value.split('.').next().and_then(|name| landscape.service(name));
            if let Some(owner) =
                owner.filter(|owner| owner.readable && owner.publishes.complete && owner.streams_readable)
            {
                found.extend(unheard(service, owner, topic));
            }
        }
    }
}

fn unheard(service: &DeclaredService<'_>, owner: &DeclaredService<'_>, topic: &At<String>) -> Option<Diagnostic> {
    let mut parts = topic.value.split('.').skip(1);
    let (first, suffix) = (parts.next().unwrap_or_default(), parts.next());
    if owner.name == service.name {
        return Some(
            Diagnostic::error(
                RULE.name,
                format!("`{}` does not hear its own `{}`", service.name, topic.value),
            )
            .at(service.place(&topic.span, "never heard"))
            .help("do it in the transaction that causes it, or by a command to itself: `sends` and `[commands]`"),
        );
    }
    if owner.publishes.has(&topic.value) {
        return None;
    }
    if let Some(stream) = owner.published_stream(first) {
        return unsaid(service, owner, stream, topic, suffix);
    }
    if let Some(table) = owner.table(first) {
        if table.publishes.items.is_empty() && table.publishes.complete {
            return Some(
                Diagnostic::error(
                    RULE.name,
                    format!("nobody hears of `{}`: `{first}` publishes no columns", topic.value),
                )
                .at(service.place(&topic.span, "never sent"))
                .also(owner.place(&table.name.span, "has no `publishes`"))
                .help(format!("add `publishes` to `[owns.{first}]` of `{}`", owner.name)),
            );
        }
        if matches!(suffix, None | Some("changed" | "deleted")) {
            return None;
        }
        return Some(
            Diagnostic::error(RULE.name, format!("`{}` sends no `{}`", owner.name, topic.value))
                .at(service.place(&topic.span, "never sent"))
                .help(format!(
                    "row events are `{0}.{first}.changed` and `{0}.{first}.deleted`",
                    owner.name
                )),
        );
    }
    let tables = owner
        .owns
        .iter()
        .filter(|table| !table.publishes.items.is_empty())
        .flat_map(|table| {
            ["", ".changed", ".deleted"].map(|suffix| format!("{}.{}{suffix}", owner.name, table.name.value))
        });
    let streams = owner
        .streams
        .iter()
        .filter(|stream| stream.audience == Audience::Published)
        .map(|stream| format!("{}.{}", owner.name, stream.name.value));
    let known: Vec<String> = owner
        .publishes
        .values()
        .into_iter()
        .chain(tables)
        .chain(streams)
        .collect();
    Some(
        Diagnostic::error(RULE.name, format!("`{}` publishes no `{}`", owner.name, topic.value))
            .at(service.place(&topic.span, "never sent"))
            .maybe_help(suggestion(&topic.value, known.iter().map(String::as_str), "it sends")),
    )
}

/// An event that a published stream never has.
fn unsaid(
    service: &DeclaredService<'_>,
    owner: &DeclaredService<'_>,
    stream: &DeclaredStream,
    topic: &At<String>,
    event: Option<&str>,
) -> Option<Diagnostic> {
    let event = event.filter(|event| !stream.events.has(event) && stream.events.complete)?;
    let known = stream.events.items.iter().map(|event| event.value.as_str());
    let message = format!("`{event}` never happens to `{}.{}`", owner.name, stream.name.value);
    Some(
        Diagnostic::error(RULE.name, message)
            .at(service.place(&topic.span, "never sent"))
            .also(owner.place(&stream.name.span, "its events are listed here"))
            .maybe_help(suggestion(event, known, "it has")),
    )
}
