//! A name of no service.

use super::Rule;
use crate::declared::{DeclaredService, Span};
use crate::diagnostic::Diagnostic;
use crate::landscape::{Found, Landscape};
use crate::model::TableName;
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
    for service in &landscape.services {
        for topic in &service.subscribes.items {
            let Some((name, table)) = topic.value.split_once('.') else {
                continue;
            };
            let to = TableName {
                service: name.to_owned(),
                table: table.to_owned(),
            };
            if matches!(landscape.find(&to), Found::NoService) {
                found.push(unknown(landscape, service, name, &topic.span));
            }
        }
    }
}

fn unknown(landscape: &Landscape<'_>, service: &DeclaredService<'_>, name: &str, span: &Span) -> Diagnostic {
    Diagnostic::error(RULE.name, format!("there is no service `{name}`"))
        .at(service.place(span, "not listed in system.toml"))
        .maybe_help(suggestion(name, landscape.service_names(), "the services are"))
}
