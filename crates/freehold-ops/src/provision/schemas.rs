//! Inside a database: whose schemas there are, and who may look into them.
//!
//! Privileges on tables come later, with the tables. Languages and the functions of large objects are left to PUBLIC on
//! purpose: nobody but the owner may create anything that uses them, and a dump would carry the change into restores,
//! where only a superuser could repeat it.

use super::databases::Database;
use super::sql::{identifier, literal};
use super::statement::Statement;
use super::subject;
use freehold_manifest::model::Placement;
use freehold_manifest::names::Names;

/// The shared schema of placement `schema`, where the dispatcher stands.
pub(super) const SHARED: &str = "freehold";

/// A function of the library for everyone in a shared database: it finds the caller's own by the name it logged in with.
/// `session_user` cannot be changed by `SET ROLE`, and the caller's own rights decide whether it may call that.
struct Dispatcher {
    name: &'static str,
    parameters: &'static str,
    /// The parameters' types, as they name the function.
    types: &'static str,
    body: &'static str,
}

const DISPATCHERS: [Dispatcher; 2] = [
    Dispatcher {
        name: "emit",
        parameters: "type text, key text, payload json",
        types: "text, text, json",
        body: "
declare
  prefix constant text := regexp_replace(session_user, '_(app|migrator|owner|reader)$', '');
  emitted bigint;
begin
  execute format('select %I.emit($1, $2, $3)', prefix || '_freehold')
  into emitted
  using type, key, payload;
  return emitted;
end
",
    },
    Dispatcher {
        name: "append",
        parameters: "stream text, key text, expected bigint, event text, body json, schema integer default 1",
        types: "text, text, bigint, text, json, integer",
        body: "
declare
  prefix constant text := regexp_replace(session_user, '_(app|migrator|owner|reader)$', '');
  appended bigint;
begin
  execute format('select %I.append($1, $2, $3, $4, $5, $6)', prefix || '_freehold')
  into appended
  using stream, key, expected, event, body, schema;
  return appended;
end
",
    },
];

/// Everything inside one database, in order.
pub(super) fn of_database(database: &Database, placement: Placement) -> Vec<Statement> {
    let mut wanted = Vec::new();
    if placement == Placement::Schema {
        wanted.extend(owned("public", &database.owner));
    }
    for names in &database.services {
        wanted.extend(of_service(names));
    }
    match placement {
        Placement::Server | Placement::Database => wanted.extend(subject::of(&database.owner)),
        Placement::Schema => {
            wanted.extend(shared(&database.services));
            wanted.extend(subject::shared(&database.services));
        }
    }
    wanted
}

fn of_service(names: &Names) -> Vec<Statement> {
    let mut wanted = Vec::new();
    for schema in [&names.schema, &names.freehold, &names.shadow] {
        wanted.extend(owned(schema, &names.owner));
        wanted.extend([&names.app, &names.reader].into_iter().map(|role| usage(schema, role)));
    }
    wanted.extend(defaults(&names.owner));
    wanted
}

/// A schema that is the owner's alone.
fn owned(schema: &str, owner: &str) -> Vec<Statement> {
    let (name, role) = (identifier(schema), identifier(owner));
    vec![
        Statement::new(
            format!("create schema if not exists {name} authorization {role}"),
            schema_is(schema, "true"),
        ),
        Statement::new(
            format!("alter schema {name} owner to {role}"),
            schema_is(schema, &format!("pg_get_userbyid(nspowner) = {}", literal(owner))),
        ),
        without_public(schema),
    ]
}

/// What the owner creates from now on is nobody's by default, also not PUBLIC's.
fn defaults(owner: &str) -> Vec<Statement> {
    [
        ("functions", "f"),
        ("types", "T"),
        ("tables", "r"),
        ("sequences", "S"),
        ("schemas", "n"),
    ]
    .into_iter()
    .map(|(kind, letter)| {
        Statement::new(
            format!(
                "alter default privileges for role {} revoke all on {kind} from public",
                identifier(owner)
            ),
            format!(
                "not exists (select from pg_roles r \
                 left join pg_default_acl d on d.defaclrole = r.oid and d.defaclnamespace = 0 and d.defaclobjtype = '{letter}', \
                 aclexplode(coalesce(d.defaclacl, acldefault({}, r.oid))) a \
                 where r.rolname = {} and a.grantee = 0)",
                // acldefault calls sequences 's'; the catalogue calls them 'S'.
                literal(if letter == "S" { "s" } else { letter }),
                literal(owner)
            ),
        )
    })
    .collect()
}

/// The dispatchers and who may call them: those who may emit and append.
fn shared(services: &[Names]) -> Vec<Statement> {
    let schema = identifier(SHARED);
    let callers: Vec<&str> = services
        .iter()
        .flat_map(|n| [n.owner.as_str(), n.migrator.as_str(), n.app.as_str()])
        .collect();
    let mut wanted = vec![
        Statement::new(
            format!("create schema if not exists {schema} authorization current_user"),
            schema_is(SHARED, "true"),
        ),
        without_public(SHARED),
    ];
    for dispatcher in &DISPATCHERS {
        wanted.extend(dispatched(dispatcher, &callers));
    }
    wanted.extend(callers.iter().map(|role| usage(SHARED, role)));
    wanted
}

fn dispatched(dispatcher: &Dispatcher, callers: &[&str]) -> Vec<Statement> {
    let Dispatcher {
        name,
        parameters,
        types,
        body,
    } = dispatcher;
    let schema = identifier(SHARED);
    let is = |condition: &str| {
        format!(
            "exists (select from pg_proc p where p.pronamespace = (select oid from pg_namespace where nspname = {}) \
             and p.proname = {} and {condition})",
            literal(SHARED),
            literal(name)
        )
    };
    let mut wanted = vec![
        Statement::new(
            format!(
                "create or replace function {schema}.{name}({parameters})\n\
                 returns bigint\nlanguage plpgsql\nsecurity invoker\nset search_path = pg_catalog, pg_temp\nas $${body}$$"
            ),
            is(&format!(
                "p.prosrc = {} and not p.prosecdef and 'search_path=pg_catalog, pg_temp' = any (p.proconfig)",
                literal(body)
            )),
        ),
        Statement::new(
            format!("revoke all on function {schema}.{name}({types}) from public"),
            is(
                "not exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0)",
            ),
        ),
    ];
    wanted.extend(callers.iter().map(|role| {
        Statement::new(
            format!("grant execute on function {schema}.{name}({types}) to {}", identifier(role)),
            is(&format!(
                "exists (select from aclexplode(p.proacl) a where a.grantee = (select oid from pg_roles where rolname = {}))",
                literal(role)
            )),
        )
    }));
    wanted
}

pub(super) fn usage(schema: &str, role: &str) -> Statement {
    Statement::new(
        format!("grant usage on schema {} to {}", identifier(schema), identifier(role)),
        schema_is(
            schema,
            &format!(
                "exists (select from aclexplode(nspacl) a \
                 where a.privilege_type = 'USAGE' and a.grantee = (select oid from pg_roles where rolname = {}))",
                literal(role)
            ),
        ),
    )
}

fn without_public(schema: &str) -> Statement {
    Statement::new(
        format!("revoke all on schema {} from public", identifier(schema)),
        schema_is(
            schema,
            "not exists (select from aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a where a.grantee = 0)",
        ),
    )
}

fn schema_is(schema: &str, condition: &str) -> String {
    format!(
        "exists (select from pg_namespace where nspname = {} and {condition})",
        literal(schema)
    )
}
