//! Building a bridge to another database or server.

use super::super::attack::{Actor, Attack, Attempt, Ground};
use super::super::scene::Scene;

const NOT_SHIPPED: &str = "the server does not have the extension";

pub(super) const ATTACKS: &[Attack] = &[
    at_home("create-dblink", "install dblink", Actor::App, |s| {
        extension(s, "dblink")
    }),
    at_home(
        "owner-creates-dblink",
        "install dblink as the own owner",
        Actor::Owner,
        |s| extension(s, "dblink"),
    ),
    at_home("create-postgres-fdw", "install postgres_fdw", Actor::App, |s| {
        extension(s, "postgres_fdw")
    }),
    at_home(
        "owner-creates-postgres-fdw",
        "install postgres_fdw as the own owner",
        Actor::Owner,
        |s| extension(s, "postgres_fdw"),
    ),
    at_home("create-file-fdw", "install file_fdw", Actor::App, |s| {
        extension(s, "file_fdw")
    }),
    at_home(
        "owner-creates-file-fdw",
        "install file_fdw as the own owner",
        Actor::Owner,
        |s| extension(s, "file_fdw"),
    ),
    at_home("create-adminpack", "install adminpack", Actor::Owner, |s| {
        extension(s, "adminpack")
    }),
    at_home(
        "create-pageinspect",
        "install pageinspect, which reads raw pages",
        Actor::Owner,
        |s| extension(s, "pageinspect"),
    ),
    at_home(
        "create-foreign-data-wrapper",
        "create a foreign data wrapper",
        Actor::Owner,
        |_| Attempt::run("create foreign data wrapper freehold_attack"),
    ),
    at_home(
        "create-untrusted-language",
        "create a language without limits",
        Actor::Owner,
        |_| {
            // The handler exists on every server and is of the right kind.
            Attempt::run("create language freehold_attack handler plpgsql_call_handler")
        },
    ),
    at_home(
        "create-c-function",
        "create a function of the C library",
        Actor::Owner,
        |s| {
            Attempt::run(format!(
                "create function {}.freehold_attack(cstring) returns int language c as 'libc.so.6', 'system'",
                super::sql(&s.attacker.names.schema)
            ))
        },
    ),
    at_home(
        "create-subscription",
        "subscribe to its database's changes",
        Actor::Owner,
        |s| {
            Attempt::run(format!(
                "create subscription freehold_attack connection {} publication p with (connect = false)",
                crate::provision::literal(&format!("dbname={}", s.victim.names.database))
            ))
        },
    ),
    at_home("load-library", "load a library of its own", Actor::App, |_| {
        Attempt::run("load '/tmp/freehold_attack'")
    })
    // The file is not there: loading was allowed.
    .breached_by(&["58P01"]),
];

const fn at_home(name: &'static str, about: &'static str, actor: Actor, attempt: fn(&Scene<'_>) -> Attempt) -> Attack {
    Attack::on_other(name, about, actor, Ground::Home, attempt)
}

fn extension(scene: &Scene<'_>, name: &str) -> Attempt {
    if scene.attacker.installed.contains(name) {
        // The bridge stands.
        Attempt::run(format!("select 'extension {name} is installed'"))
    } else if scene.attacker.installable.contains(name) {
        Attempt::run(format!("create extension {name}"))
    } else {
        Attempt::Absent(NOT_SHIPPED)
    }
}
