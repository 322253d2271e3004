//! Becoming someone else, or more.

use super::super::attack::{Actor, Attack, Attempt, Ground, Proof};
use super::super::scene::Scene;
use crate::provision::literal;

pub(super) const ATTACKS: &[Attack] = &[
    on_server("set-role-owner", "become its owner", Actor::App, |s| {
        set_role(&s.victim.names.owner)
    }),
    on_server("set-role-migrator", "become its migrator", Actor::App, |s| {
        set_role(&s.victim.names.migrator)
    }),
    on_server("set-role-app", "become its app role", Actor::App, |s| {
        set_role(&s.victim.names.app)
    }),
    on_server("set-role-reader", "become its reader", Actor::App, |s| {
        set_role(&s.victim.names.reader)
    }),
    on_server(
        "migrator-sets-role-owner",
        "become its owner as the own migrator",
        Actor::Migrator,
        |s| set_role(&s.victim.names.owner),
    ),
    on_server(
        "reader-sets-role-owner",
        "become its owner as the own reader",
        Actor::Reader,
        |s| set_role(&s.victim.names.owner),
    ),
    on_server(
        "hold-membership",
        "be a member of any of its roles",
        Actor::App,
        hold_membership,
    ),
    on_server(
        "migrator-holds-membership",
        "be a member of any of its roles as the own migrator",
        Actor::Migrator,
        hold_membership,
    ),
    on_server(
        "reader-holds-membership",
        "be a member of any of its roles as the own reader",
        Actor::Reader,
        hold_membership,
    ),
    on_server(
        "set-session-authorization",
        "take its app role's session",
        Actor::App,
        |s| Attempt::run(format!("set session authorization {}", super::sql(&s.victim.names.app))),
    ),
    on_server(
        "grant-self-owner",
        "make itself a member of its owner",
        Actor::App,
        |s| {
            Attempt::run(format!(
                "grant {} to {}",
                super::sql(&s.victim.names.owner),
                super::sql(&s.attacker.names.app)
            ))
        },
    ),
    on_server(
        "owner-grants-self-owner",
        "make itself a member of its owner, as the own owner",
        Actor::Owner,
        |s| {
            Attempt::run(format!(
                "grant {} to {}",
                super::sql(&s.victim.names.owner),
                super::sql(&s.attacker.names.owner)
            ))
        },
    ),
    on_server(
        "alter-role-password",
        "change its app role's password",
        Actor::App,
        |s| Attempt::run(format!("alter role {} password null", super::sql(&s.victim.names.app))),
    ),
    on_server(
        "alter-role-settings",
        "change its app role's settings",
        Actor::App,
        |s| {
            Attempt::run(format!(
                "alter role {} set search_path = pg_temp",
                super::sql(&s.victim.names.app)
            ))
        },
    ),
    on_server(
        "alter-default-privileges",
        "have its owner's future tables granted to itself",
        Actor::App,
        |s| {
            Attempt::run(format!(
                "alter default privileges for role {} grant all on tables to {}",
                super::sql(&s.victim.names.owner),
                super::sql(&s.attacker.names.app)
            ))
        },
    ),
    on_server(
        "reassign-owned",
        "take over everything its owner owns",
        Actor::Owner,
        |s| {
            Attempt::run(format!(
                "reassign owned by {} to {}",
                super::sql(&s.victim.names.owner),
                super::sql(&s.attacker.names.owner)
            ))
        },
    ),
    on_server("drop-owned", "drop everything its owner owns", Actor::Owner, |s| {
        Attempt::run(format!("drop owned by {} cascade", super::sql(&s.victim.names.owner)))
    }),
    on_server("create-role", "create a superuser", Actor::Owner, |_| {
        Attempt::run("create role freehold_attack superuser login")
    }),
    on_server("become-superuser", "make itself a superuser", Actor::App, |s| {
        alter_self(s, "superuser")
    }),
    on_server(
        "become-createrole",
        "let itself create and alter roles",
        Actor::App,
        |s| alter_self(s, "createrole"),
    ),
    on_server(
        "become-bypassrls",
        "let itself pass row level security",
        Actor::App,
        |s| alter_self(s, "bypassrls"),
    ),
    on_server("become-replication", "let itself replicate", Actor::App, |s| {
        alter_self(s, "replication")
    }),
    on_server("join-read-all-data", "join pg_read_all_data", Actor::Owner, |s| {
        join(s, "pg_read_all_data")
    }),
    on_server("join-write-all-data", "join pg_write_all_data", Actor::Owner, |s| {
        join(s, "pg_write_all_data")
    }),
    on_server(
        "join-execute-program",
        "join pg_execute_server_program",
        Actor::Owner,
        |s| join(s, "pg_execute_server_program"),
    ),
];

const fn on_server(
    name: &'static str,
    about: &'static str,
    actor: Actor,
    attempt: fn(&Scene<'_>) -> Attempt,
) -> Attack {
    Attack::on_other(name, about, actor, Ground::Server, attempt)
}

fn set_role(role: &str) -> Attempt {
    Attempt::run(format!("set local role {}", super::sql(role)))
}

fn hold_membership(scene: &Scene<'_>) -> Attempt {
    let names = &scene.victim.names;
    let roles = [&names.owner, &names.migrator, &names.app, &names.reader];
    Attempt::each(
        roles.map(|role| format!("select pg_has_role({}, 'member')", literal(role))),
        Proof::Granted,
        "it has no roles",
    )
}

fn alter_self(scene: &Scene<'_>, attribute: &str) -> Attempt {
    Attempt::run(format!(
        "alter role {} {attribute}",
        super::sql(&scene.attacker.names.app)
    ))
}

fn join(scene: &Scene<'_>, role: &str) -> Attempt {
    Attempt::run(format!("grant {role} to {}", super::sql(&scene.attacker.names.app)))
}
