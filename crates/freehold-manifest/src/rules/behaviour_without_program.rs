//! Behaviour that nobody would run.

use super::Rule;
use crate::declared::{At, DeclaredProjection, DeclaredService, Span};
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::model::sessions_ended;

pub(super) const RULE: Rule = rule!(
    "behaviour-without-program",
    "behaviour declared without a program to run it"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    let system = landscape.system.name.as_ref().map_or("my", |name| name.value.as_str());
    let auth = landscape.system.auth.as_ref();
    let by_library = auth.map(|auth| sessions_ended(&auth.service.value));
    for service in landscape.services.iter().filter(|service| service.program.is_none()) {
        let behaviour = behaviour(service, by_library.as_deref());
        let Some(((label, span), more)) = behaviour.split_first() else {
            continue;
        };
        let message = format!("`{}` declares behaviour and names no program", service.name);
        let help = format!(
            "make a program that does it, and name it: `program = \"{system}-{}\"`; or remove what nobody needs",
            service.name
        );
        let mut finding = Diagnostic::error(RULE.name, message).at(service.place(span, *label));
        for (label, span) in more {
            finding = finding.also(service.place(span, *label));
        }
        found.push(finding.help(help));
    }
}

/// What needs code: the first entry of each key, and what would not be done. The library itself hears `by_library`.
fn behaviour<'s>(service: &'s DeclaredService<'_>, by_library: Option<&str>) -> Vec<(&'static str, &'s Span)> {
    let needs_code = |topic: &&At<String>| by_library != Some(topic.value.as_str());
    let subscribed = service
        .subscribes
        .items
        .iter()
        .find(needs_code)
        .map(|topic| &topic.span);
    let sagas = service.sagas.items.first().map(|saga| &saga.span);
    let sent = service.sends.items.first().map(|command| &command.span);
    let by_program = |projection: &&DeclaredProjection| projection.fold.is_none();
    let projected = service.projections.iter().find(by_program).map(|p| &p.name.span);
    let obeyed = service.commands.first().map(|command| &command.name.span);
    [
        ("nobody would handle it", subscribed),
        ("nobody would run it", sagas),
        ("nobody would send it", sent),
        ("nobody would obey it", obeyed),
        ("nobody would fold it: it names no `fold`", projected),
    ]
    .into_iter()
    .filter_map(|(label, span)| Some((label, span?)))
    .collect()
}
