//! Getting into a database that is another's.

use super::super::attack::{Actor, Attack, Attempt, Ground, KEPT_OUT, Proof, UNPROVEN};
use super::super::scene::{Scene, Server};
use crate::provision::literal;
use freehold_manifest::model::Placement;

const SHARED: &str = "the placement shares one database";
const NOT_OURS: &str = "the server is not ours: others may need to connect to its common databases";

/// Only the sessions in the database stop what was allowed: our own victim's session among them.
const IN_USE: &[&str] = &["55006", "0A000"];

pub(super) const ATTACKS: &[Attack] = &[
    Attack::on_other(
        "connect-app",
        "connect to its database as the own app role",
        Actor::App,
        Ground::There,
        connect,
    )
    .refused_by(KEPT_OUT),
    Attack::on_other(
        "connect-reader",
        "connect to its database as the own reader",
        Actor::Reader,
        Ground::There,
        connect,
    )
    .refused_by(KEPT_OUT),
    Attack::on_other(
        "connect-migrator",
        "connect to its database as the own migrator",
        Actor::Migrator,
        Ground::There,
        connect,
    )
    .refused_by(KEPT_OUT),
    Attack::on_other(
        "impersonate",
        "log in as its app role with the own password",
        Actor::App,
        Ground::There,
        |_| Attempt::Impersonate,
    )
    .refused_by(UNPROVEN),
    Attack::on_other(
        "hold-connect",
        "hold the right to connect to its database, whatever pg_hba.conf says",
        Actor::App,
        Ground::Server,
        hold_connect,
    ),
    Attack::on_other(
        "reader-holds-connect",
        "hold the right to connect to its database as the own reader",
        Actor::Reader,
        Ground::Server,
        hold_connect,
    ),
    Attack::on_other(
        "owner-holds-connect",
        "hold the right to connect to its database as the own owner",
        Actor::Owner,
        Ground::Server,
        hold_connect,
    ),
    Attack::on_other(
        "replicate",
        "open a replication connection to its database",
        Actor::App,
        Ground::There,
        |scene| Attempt::Replicate(scene.victim.names.database.clone()),
    )
    .refused_by(KEPT_OUT),
    Attack::on_own(
        "own-replicate",
        "open a replication connection to the own database",
        Actor::App,
        |scene| Attempt::Replicate(scene.attacker.names.database.clone()),
    )
    .refused_by(KEPT_OUT),
    Attack::on_own(
        "own-connect-template1",
        "connect to database template1, where all new databases come from",
        Actor::App,
        |scene| common(scene, "template1"),
    )
    .refused_by(KEPT_OUT),
    Attack::on_own(
        "own-connect-postgres",
        "connect to database postgres",
        Actor::App,
        |scene| common(scene, "postgres"),
    )
    .refused_by(KEPT_OUT),
    Attack::on_other(
        "create-physical-slot",
        "create a replication slot that streams the whole server",
        Actor::App,
        Ground::Server,
        |_| Attempt::run("select pg_create_physical_replication_slot('freehold_attack', false, true)"),
    ),
    Attack::on_other(
        "create-logical-slot",
        "create a slot that decodes the database's changes",
        Actor::App,
        Ground::Server,
        |_| Attempt::run("select pg_create_logical_replication_slot('freehold_attack', 'pgoutput', true)"),
    ),
    Attack::on_other(
        "copy-database",
        "create a database with its database as the template",
        Actor::App,
        Ground::Server,
        copy_database,
    )
    .breached_by(IN_USE),
    Attack::on_other(
        "owner-copies-database",
        "create a database with its database as the template, as the own owner",
        Actor::Owner,
        Ground::Server,
        copy_database,
    )
    .breached_by(IN_USE),
    Attack::on_other(
        "open-database",
        "grant itself CONNECT on its database",
        Actor::Owner,
        Ground::Server,
        |scene| match scene.placement {
            Placement::Schema => Attempt::Absent(SHARED),
            _ => Attempt::proven(
                format!(
                    "grant connect on database {} to {}; select has_database_privilege({}, {}, 'connect')",
                    super::sql(&scene.victim.names.database),
                    super::sql(&scene.attacker.names.app),
                    literal(&scene.attacker.names.app),
                    literal(&scene.victim.names.database)
                ),
                Proof::Granted,
            ),
        },
    ),
    Attack::on_other(
        "rename-database",
        "rename its database",
        Actor::Owner,
        Ground::Server,
        |scene| {
            Attempt::run(format!(
                "alter database {} rename to freehold_attack",
                super::sql(&scene.victim.names.database)
            ))
        },
    )
    .breached_by(IN_USE),
    Attack::on_other(
        "configure-database",
        "change a setting of its database",
        Actor::App,
        Ground::Server,
        |scene| {
            Attempt::run(format!(
                "alter database {} set work_mem = '64kB'",
                super::sql(&scene.victim.names.database)
            ))
        },
    ),
];

fn connect(scene: &Scene<'_>) -> Attempt {
    match scene.placement {
        Placement::Schema => Attempt::Absent(SHARED),
        _ => Attempt::Connect(scene.victim.names.database.clone()),
    }
}

fn hold_connect(scene: &Scene<'_>) -> Attempt {
    match scene.placement {
        Placement::Schema => Attempt::Absent(SHARED),
        _ => Attempt::proven(
            format!(
                "select has_database_privilege({}, 'connect')",
                literal(&scene.victim.names.database)
            ),
            Proof::Granted,
        ),
    }
}

fn common(scene: &Scene<'_>, database: &str) -> Attempt {
    match scene.server {
        Server::Ours => Attempt::Connect(database.to_owned()),
        Server::Foreign => Attempt::Absent(NOT_OURS),
    }
}

fn copy_database(scene: &Scene<'_>) -> Attempt {
    Attempt::outside(
        format!(
            "create database freehold_attack template {}",
            super::sql(&scene.victim.names.database)
        ),
        "drop database if exists freehold_attack",
    )
}
