//! A view to be served that no migration creates.

use super::Rule;
use crate::declared::{DeclaredService, DeclaredView};
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::nearest::nearest;
use crate::schema::ViewSort;

pub(super) const RULE: Rule = rule!("unknown-view", "a view that no migration of its service creates");

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, view) in landscape.views() {
        // A name that a table has is another rule's.
        if service.is_table(&view.name.value) {
            continue;
        }
        match service.schema.view(&view.name.value) {
            Some(sql) if sql.sort == ViewSort::Materialised => {
                let message = format!("`{}` is a materialised view", view.name.value);
                let mut finding = Diagnostic::error(RULE.name, message)
                    .at(service.place(&view.name.span, "only plain views are served"))
                    .help("add a view that selects from it, and name that one");
                finding.also.extend(service.sql_place(&sql.at, "created here"));
                found.push(finding);
            }
            None if service.schema.complete => found.push(absent(service, view)),
            _ => {}
        }
    }
}

fn absent(service: &DeclaredService<'_>, view: &DeclaredView) -> Diagnostic {
    let name = &view.name.value;
    let created = service.schema.views.iter().map(|sql| sql.name.name.as_str());
    let help = if service.schema.functions_of(name).next().is_some() {
        format!("`{name}` is a function: write `[functions.{name}]`")
    } else if let Some(near) = nearest(name, created) {
        format!("did you mean `{near}`?")
    } else {
        format!("add `create view {name} as …` to {}/migrations", service.name)
    };
    let message = format!("no migration of `{}` creates the view `{name}`", service.name);
    Diagnostic::error(RULE.name, message)
        .at(service.place(&view.name.span, "to be served"))
        .help(help)
}
