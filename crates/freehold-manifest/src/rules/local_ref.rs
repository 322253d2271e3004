//! A reference or copy of one's own table.

use super::Rule;
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;

pub(super) const RULE: Rule = rule!("local-ref", "a reference to, or a copy of, a table of the same service");

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for mention in landscape.mentions() {
        let (service, to) = (mention.service, mention.to);
        if to.value.service != service.name {
            continue;
        }
        let help = if mention.by.starts_with("refs.") {
            format!("write a foreign key instead: `references {}`", to.value.table)
        } else {
            "read the table itself".to_owned()
        };
        found.push(
            Diagnostic::error(
                RULE.name,
                format!(
                    "`{}` leads to `{}`, which is `{}`'s own",
                    mention.by, to.value, service.name
                ),
            )
            .at(service.place(&to.span, "in the same database"))
            .help(help),
        );
    }
}
