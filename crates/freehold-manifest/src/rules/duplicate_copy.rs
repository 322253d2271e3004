//! Two copies of one table in one service.

use super::Rule;
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;

pub(super) const RULE: Rule = rule!("duplicate-copy", "two copies of one table in one service");

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for (service, copy) in landscape.copies() {
        let Some(of) = &copy.of else { continue };
        let Some(first) = service
            .copy_of(&of.value)
            .filter(|first| first.name.span != copy.name.span)
        else {
            continue;
        };
        found.push(
            Diagnostic::error(
                RULE.name,
                format!("`{}` keeps two copies of `{}`", service.name, of.value),
            )
            .at(service.place(&copy.name.span, "the second copy"))
            .also(service.place(&first.name.span, "the first"))
            .help("keep one, with the columns of both"),
        );
    }
}
