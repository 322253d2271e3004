//! A command that one side sends and the other does not obey, or the other way round.

use super::Rule;
use crate::declared::{At, DeclaredCommand, DeclaredService};
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::nearest::{nearest, suggestion};

pub(super) const RULE: Rule = rule!(
    "unknown-command",
    "a command that is sent and not obeyed, or obeyed and not sent"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for sender in &landscape.services {
        for sent in &sender.sends.items {
            if let Some(addressee) = addressee(landscape, sent) {
                found.extend(not_obeyed(sender, addressee, sent));
            }
        }
    }
    for obeying in &landscape.services {
        for command in &obeying.commands {
            for from in &command.from.items {
                if let Some(sender) = landscape.service(&from.value) {
                    found.extend(not_sent(sender, obeying, command, from));
                }
            }
        }
    }
}

fn addressee<'s, 'a>(landscape: &'s Landscape<'a>, command: &At<String>) -> Option<&'s DeclaredService<'a>> {
    landscape.service(command.value.split('.').next()?)
}

fn not_obeyed(sender: &DeclaredService<'_>, addressee: &DeclaredService<'_>, sent: &At<String>) -> Option<Diagnostic> {
    let Some(command) = addressee.command(&sent.value) else {
        let known = addressee.commands.iter().map(|command| command.name.value.as_str());
        let help = suggestion(&sent.value, known, "it obeys").unwrap_or_else(|| {
            format!(
                "add `\"{}\" = {{ from = [\"{}\"] }}` to `[commands]` of `{}`, or remove it here",
                sent.value, sender.name, addressee.name
            )
        });
        return addressee.commands_readable.then(|| {
            Diagnostic::error(RULE.name, format!("`{}` obeys no `{}`", addressee.name, sent.value))
                .at(sender.place(&sent.span, "never obeyed"))
                .help(help)
        });
    };
    if command.from.has(&sender.name) || !command.from.complete || command.from.items.is_empty() {
        return None;
    }
    let message = format!(
        "`{}` does not obey `{}` from `{}`",
        addressee.name, sent.value, sender.name
    );
    Some(
        Diagnostic::error(RULE.name, message)
            .at(sender.place(&sent.span, "never obeyed"))
            .also(addressee.place(&command.name.span, format!("`from` lacks `{}`", sender.name)))
            .help(format!(
                "add `{}` to `from` there, or remove the command here",
                sender.name
            )),
    )
}

fn not_sent(
    sender: &DeclaredService<'_>,
    obeying: &DeclaredService<'_>,
    command: &DeclaredCommand,
    from: &At<String>,
) -> Option<Diagnostic> {
    let name = &command.name.value;
    if sender.sends.has(name) || !sender.sends.complete || is_misspelt(sender, obeying, name) {
        return None;
    }
    Some(
        Diagnostic::error(RULE.name, format!("`{}` does not send `{name}`", sender.name))
            .at(obeying.place(&from.span, "none would ever come"))
            .help(format!(
                "add `\"{name}\"` to `sends` of `{}`, or remove `{}` here",
                sender.name, sender.name
            )),
    )
}

/// Whether the sender means this command and writes another name, which has been reported.
fn is_misspelt(sender: &DeclaredService<'_>, obeying: &DeclaredService<'_>, name: &str) -> bool {
    let sent = sender.sends.items.iter().map(|sent| &sent.value);
    sent.filter(|sent| sent.split('.').next() == Some(&obeying.name) && obeying.command(sent).is_none())
        .any(|sent| nearest(sent, [name]).is_some())
}
