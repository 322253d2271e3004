//! A promised column whose values may be others than was promised.

use super::Rule;
use super::promises::{Broken, names, place};
use crate::contract::{Fit, fit, of_column, of_service};
use crate::declared::DeclaredService;
use crate::diagnostic::Diagnostic;
use crate::landscape::Landscape;
use crate::model::TableName;
use crate::schema::ChangeSort;

pub(super) const RULE: Rule = rule!(
    "published-column-retyped",
    "a column that others copy, cache or hear of gets a narrower or another type, or may become null"
);

pub(super) fn check(landscape: &Landscape<'_>, found: &mut Vec<Diagnostic>) {
    for service in landscape.services.iter().filter(|service| service.contract.is_some()) {
        retyped(landscape, service, found);
    }
}

fn retyped(landscape: &Landscape<'_>, service: &DeclaredService<'_>, found: &mut Vec<Diagnostic>) {
    let now = of_service(service);
    for promised in service.contract.iter().flat_map(|contract| &contract.tables) {
        let Some(table) = now.table(&promised.name.value) else {
            continue;
        };
        for column in &promised.columns {
            let name = &column.name.value;
            let Some(current) = table.column(name).filter(|current| !current.ty.is_empty()) else {
                continue;
            };
            if column.ty.is_empty() || fit(&column.ty, &current.ty) != Fit::Other {
                continue;
            }
            let of = TableName {
                service: service.name.clone(),
                table: table.name.clone(),
            };
            let change = service.schema.last_change(&table.name, |what| match what {
                ChangeSort::ColumnRetyped(changed, _) | ChangeSort::NullAllowed(changed) => changed == name,
                _ => false,
            });
            let consumers = of_column(landscape, &of, name);
            let steps = format!(
                "expand: add a column of the new type beside it, keep both filled, publish both; move {} to it; contract: stop publishing \
                 `{name}`, then drop it",
                names(&consumers)
            );
            let at = place(service, change).or_else(|| {
                let sql = service.schema.table(&table.name)?.column(name)?;
                service.sql_place(&sql.at, "here")
            });
            let broken = Broken {
                rule: RULE.name,
                what: format!(
                    "`{of}.{name}` becomes `{}`, and was promised as `{}`",
                    current.ty, column.ty
                ),
                place: at,
                consumers,
                steps,
            };
            found.push(broken.finding());
        }
    }
}
