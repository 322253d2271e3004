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
