//! A function that is called by clients and runs with its owner's rights.

use super::Rule;
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::model::ServedTo;
use crate::schema::Rights;

pub(super) const RULE: Rule = rule!(
    "function-as-owner",
    "a function that clients call and that passes row level security, with its owner's rights"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    if landscape.system.auth.is_none() {
        return;
    }
    for (service, function) in landscape.functions() {
        let name = &function.name.value;
        let whose = match function.served.value {
            ServedTo::Anybody => "without a token",
            ServedTo::SignedIn | ServedTo::Nobody => "by whoever has a token",
        };
        let owned = service.schema.functions_of(name);
        for sql in owned.filter(|sql| sql.rights == Rights::Owner && service.schema.complete) {
            let message = format!("the function `{name}` runs with the rights of its owner, past every policy");
            let mut finding = Diagnostic::warning(RULE.name, message)
                .also(service.place(&function.name.span, format!("called {whose}")))
                .help(format!(
                    "leave `security definer` out, or `alter function {name} security invoker` in a new migration; if it must pass the policies, let it ask `freehold.subject()` itself"
                ));
            finding.place = service.sql_place(&sql.at, "`security definer`");
            found.push(finding);
        }
    }
}
