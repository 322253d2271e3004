//! A function to be called that no migration creates.

use super::Rule;
use crate::declared::{DeclaredFunction, DeclaredService};
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::nearest::nearest;
use crate::schema::Caller;

pub(super) const RULE: Rule = rule!(
    "unknown-function",
    "a function that no migration of its service creates"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    folds(landscape, found);
    for (service, function) in landscape.functions() {
        let name = &function.name.value;
        // A name that a table has is another rule's.
        if service.is_table(name) || !service.schema.complete {
            continue;
        }
        if service.schema.functions_of(name).next().is_none() {
            found.push(absent(service, function));
            continue;
        }
        let callable = |sql: &crate::schema::SqlFunction| sql.caller == Caller::Statement;
        if !service.schema.functions_of(name).any(callable) {
            let message = format!("`{name}` is a trigger function");
            let mut finding = Diagnostic::error(RULE.name, message)
                .at(service.place(&function.name.span, "nothing but a trigger can call it"))
                .help("remove the entry, or name a function that returns something else");
            for sql in service.schema.functions_of(name) {
                finding.also.extend(service.sql_place(&sql.at, "created here"));
            }
            found.push(finding);
        }
    }
}

/// A fold that no migration creates.
fn folds(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, projection) in landscape.projections() {
        let Some(fold) = projection.fold.as_ref().filter(|_| service.schema.complete) else {
            continue;
        };
        if service.schema.functions_of(&fold.value).next().is_some() {
            continue;
        }
        let created = service.schema.functions.iter().map(|sql| sql.name.name.as_str());
        let help = match nearest(&fold.value, created) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "add `create function {}(events json)` to {}/migrations",
                fold.value, service.name
            ),
        };
        let message = format!(
            "no migration of `{}` creates the function `{}`",
            service.name, fold.value
        );
        found.push(
            Diagnostic::error(RULE.name, message)
                .at(service.place(&fold.span, format!("to fold `{}`", projection.name.value)))
                .help(help),
        );
    }
}

fn absent(service: &DeclaredService<'_>, function: &DeclaredFunction) -> Diagnostic {
    let name = &function.name.value;
    let created = service.schema.functions.iter().map(|sql| sql.name.name.as_str());
    let help = if service.schema.view(name).is_some() {
        format!("`{name}` is a view: write `[views.{name}]`")
    } else if let Some(near) = nearest(name, created) {
        format!("did you mean `{near}`?")
    } else {
        format!("add `create function {name}(…)` to {}/migrations", service.name)
    };
    let message = format!("no migration of `{}` creates the function `{name}`", service.name);
    Diagnostic::error(RULE.name, message)
        .at(service.place(&function.name.span, "to be called"))
        .help(help)
}
