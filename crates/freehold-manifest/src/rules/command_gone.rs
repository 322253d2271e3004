//! A promised command that is obeyed no more, or not from a sender it was promised to.

use super::Rule;
use super::promises::{Broken, names};
use crate::contract::{Consumer, of_command};
use crate::declared::{DeclaredService, PromisedCommand};
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;

pub(super) const RULE: Rule = rule!("command-gone", "a command that others send is no longer obeyed");

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for service in landscape.services.iter().filter(|service| service.commands_readable) {
        for promised in service.contract.iter().flat_map(|contract| &contract.commands) {
            found.extend(gone(landscape, service, promised));
        }
    }
}

fn gone(landscape: &Landscape<'_>, service: &DeclaredService<'_>, promised: &PromisedCommand) -> Option<Diagnostic> {
    let name = &promised.name.value;
    let sent = |senders: &[&String]| -> Vec<Consumer> {
        let each = senders.iter().flat_map(|sender| of_command(landscape, name, sender));
        each.collect()
    };
    let (what, consumers, place) = match service.command(name) {
        None => {
            let place = service.contract.as_ref()?.place(&promised.name.span, "promised here");
            (
                "is no longer obeyed".to_owned(),
                sent(&promised.from.iter().collect::<Vec<_>>()),
                place,
            )
        }
        Some(command) => {
            let lost: Vec<&String> = promised.from.iter().filter(|from| !command.from.has(from)).collect();
            if lost.is_empty() || !command.from.complete {
                return None;
            }
            let from = crate::nearest::list(lost.iter().map(|from| from.as_str()));
            let place = service.place(&command.name.span, "here");
            (format!("is no longer obeyed from {from}"), sent(&lost), place)
        }
    };
    let steps = format!(
        "go on obeying it until no version of {} that runs sends it, and no saga that may send it is unfinished; a new meaning is a new command beside it",
        names(&consumers)
    );
    let broken = Broken {
        rule: RULE.name,
        what: format!("`{name}` {what}"),
        place: Some(place),
        consumers,
        steps,
    };
    Some(broken.finding())
}
