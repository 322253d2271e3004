//! DDL of a service at work: only its migrations change its shape.

use super::super::attack::{Actor, Attack, Attempt, Proof};
use super::super::scene::Scene;

const NO_TABLES: &str = "the service has no tables yet";

pub(super) const ATTACKS: &[Attack] = &[
    own("own-become-owner", "become the own owner while serving", |s| {
        Attempt::run(format!("set local role {}", super::sql(&s.attacker.names.owner)))
    }),
    own("own-become-migrator", "become the own migrator while serving", |s| {
        Attempt::run(format!("set local role {}", super::sql(&s.attacker.names.migrator)))
    }),
    own("own-create-table", "create a table while serving", |s| {
        Attempt::run(format!(
            "create table {}.freehold_attack (id int)",
            super::sql(&s.attacker.names.schema)
        ))
    }),
    own("own-create-view", "create a view while serving", |s| {
        Attempt::run(format!(
            "create view {}.freehold_attack as select 1",
            super::sql(&s.attacker.names.schema)
        ))
    }),
    own("own-create-function", "create a function while serving", |s| {
        Attempt::run(format!(
            "create function {}.freehold_attack() returns int language sql security definer return 1",
            super::sql(&s.attacker.names.schema)
        ))
    }),
    own(
        "own-create-in-library-schema",
        "create a function among the library's",
        |s| {
            Attempt::run(format!(
                "create function {}.freehold_attack() returns int language sql return 1",
                super::sql(&s.attacker.names.freehold)
            ))
        },
    ),
    own("own-create-schema", "create a schema while serving", |_| {
        Attempt::run("create schema freehold_attack")
    }),
    own(
        "own-create-temporary-table",
        "hide a table behind a temporary one",
        |s| {
            let name = s.tool().map_or("orders", |t| t.name.as_str());
            Attempt::run(format!("create temporary table {} (id int)", super::sql(name)))
        },
    ),
    own(
        "own-create-extension",
        "install a trusted extension while serving",
        |s| {
            let mut trusted = ["hstore", "citext", "pgcrypto"].into_iter();
            match trusted.find(|name| s.attacker.installable.contains(*name)) {
                Some(name) => Attempt::run(format!("create extension {name}")),
                None => Attempt::Absent("the server has no trusted extension to install"),
            }
        },
    ),
    own("own-alter-table", "change a table's shape while serving", |s| {
        on_table(s, |t| format!("alter table {t} add column freehold_attack int"))
    }),
    own(
        "own-rewrite-table",
        "rewrite a column's values with ALTER TABLE",
        |s| match s.tool() {
            Some(t) => Attempt::run(format!(
                "alter table {} alter column {} type text using 'forged'",
                t.sql(),
                super::sql(&t.column)
            )),
            None => Attempt::Absent(NO_TABLES),
        },
    ),
    own("own-drop-table", "drop a table while serving", |s| {
        on_table(s, |t| format!("drop table {t} cascade"))
    }),
    own("own-create-trigger", "put a trigger on a table while serving", |s| {
        on_table(s, |t| {
            format!(
                "create trigger freehold_attack before update on {t} for each row execute function pg_catalog.suppress_redundant_updates_trigger()"
            )
        })
    }),
    own("own-disable-triggers", "switch a table's triggers off", |s| {
        on_table(s, |t| format!("alter table {t} disable trigger user"))
    }),
    own("own-grant-table", "grant a table to everyone", |s| match s.tool() {
        Some(t) => Attempt::proven(
            format!(
                "grant select on {} to public; select exists (select from pg_class c, aclexplode(c.relacl) a \
                 where c.oid = {}::regclass and a.grantee = 0)",
                t.sql(),
                crate::provision::literal(&t.sql())
            ),
            Proof::Granted,
        ),
        None => Attempt::Absent(NO_TABLES),
    }),
];

const fn own(name: &'static str, about: &'static str, attempt: fn(&Scene<'_>) -> Attempt) -> Attack {
    Attack::on_own(name, about, Actor::App, attempt)
}

fn on_table(scene: &Scene<'_>, text: fn(&str) -> String) -> Attempt {
    match scene.tool() {
        Some(table) => Attempt::run(text(&table.sql())),
        None => Attempt::Absent(NO_TABLES),
    }
}
