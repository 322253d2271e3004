//! A foreign key through the wall.

use super::Rule;
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;

pub(super) const RULE: Rule = rule!(
    "cross-service-foreign-key",
    "a foreign key to another service's table, or to a copy of it"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for service in &landscape.services {
        for key in &service.schema.foreign_keys {
            let column = key.columns.first().map_or("<column>", String::as_str);
            let owned = key.to.in_own_schema() && service.table(&key.to.name).is_some();
            let copy = service
                .copies
                .iter()
                .find(|copy| !owned && key.to.is_own(&copy.name.value));
            let (message, to) = if let Some(copy) = copy {
                let message = format!("`{}` has a foreign key to the copy `{}`", key.table, key.to);
                (message, copy.of.as_ref().map(|of| of.value.to_string()))
            } else if let Some(owner) = landscape.foreign_owner(service, &key.to) {
                let message = format!(
                    "`{}` has a foreign key to `{}`, which `{}` owns",
                    key.table, key.to, owner.name
                );
                (message, Some(format!("{}.{}", owner.name, key.to.name)))
            } else {
                continue;
            };
            let to = to.unwrap_or_else(|| "<service>.<table>".to_owned());
            let mut finding = Diagnostic::error(RULE.name, message).help(format!(
                "remove it, and declare in {}: `refs.{column} = {{ to = \"{to}\" }}` in `[owns.{}]`",
                service.file.path, key.table
            ));
            finding.place = service.sql_place(&key.at, "not a table of this service");
            found.push(finding);
        }
    }
}
