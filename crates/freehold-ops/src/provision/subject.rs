//! `freehold.subject()` and `freehold.is_service()`: made before a service's first migration, whose policies name them.
//!
//! The library keeps them at each installation; in a shared database they stand in the shared schema, as `freehold.emit` does.

use freehold::install::SUBJECT;
use freehold_manifest::names::Names;

use super::schemas::{SHARED, usage};
use super::sql::{identifier, literal};
use super::statement::Statement;

/// What each of the library's functions begins with.
const BEGIN: &str = "create or replace function freehold.";

/// The functions of a service's own database, which its owner owns.
pub(super) fn of(owner: &str) -> Vec<Statement> {
    let owned = |function: Function<'_>| {
        vec![
            function.create(),
            Statement::new(
                format!("alter function {} owner to {}", function.signature(), identifier(owner)),
                function.is(&format!("pg_get_userbyid(p.proowner) = {}", literal(owner))),
            ),
            function.without_public(),
        ]
    };
    functions().flat_map(owned).collect()
}

/// The functions of a shared database, which all its services may call.
pub(super) fn shared(services: &[Names]) -> Vec<Statement> {
    let roles = || services.iter().flat_map(|n| [&n.owner, &n.migrator, &n.app, &n.reader]);
    let mut wanted: Vec<Statement> = roles().map(|role| usage(SHARED, role)).collect();
    for function in functions() {
        wanted.push(function.create());
        wanted.push(function.without_public());
        wanted.extend(roles().map(|role| function.grant(role)));
    }
    wanted
}

/// One function as the library writes it.
struct Function<'t> {
    name: &'t str,
    text: String,
    body: &'t str,
}

fn functions() -> impl Iterator<Item = Function<'static>> {
    SUBJECT.split(BEGIN).skip(1).filter_map(|rest| {
        let mut parts = rest.splitn(3, "$$");
        let (head, body) = (parts.next()?, parts.next()?);
        Some(Function {
            name: head.split_once('(')?.0,
            text: format!("{BEGIN}{head}$${body}$$"),
            body,
        })
    })
}

impl Function<'_> {
    fn signature(&self) -> String {
        format!("{}.{}()", identifier(SHARED), identifier(self.name))
    }

    fn is(&self, condition: &str) -> String {
        format!(
            "exists (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace \
             where n.nspname = {} and p.proname = {} and {condition})",
            literal(SHARED),
            literal(self.name)
        )
    }

    fn create(&self) -> Statement {
        Statement::new(
            self.text.clone(),
            self.is(&format!("p.prosrc = {}", literal(self.body))),
        )
    }

    fn without_public(&self) -> Statement {
        Statement::new(
            format!("revoke all on function {} from public", self.signature()),
            self.is("not exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0)"),
        )
    }

    fn grant(&self, role: &str) -> Statement {
        Statement::new(
            format!("grant execute on function {} to {}", self.signature(), identifier(role)),
            self.is(&format!(
                "exists (select from aclexplode(p.proacl) a where a.grantee = (select oid from pg_roles where rolname = {}))",
                literal(role)
            )),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_functions_are_found_in_the_librarys_text() {
        let found: Vec<_> = functions()
            .map(|f| (f.name, f.text.ends_with("$$"), f.body.len() > 10))
            .collect();
        assert_eq!(found, [("subject", true, true), ("is_service", true, true)]);
    }
}
