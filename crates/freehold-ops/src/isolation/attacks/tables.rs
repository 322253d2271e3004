//! Going for rows.

use super::super::attack::{Actor, Attack, Attempt, Ground, Proof};
use super::super::scene::Scene;
use super::super::territory::{Kind, Relation};
use crate::provision::literal;
use freehold_manifest::model::Placement;

const NO_TABLES: &str = "it has no tables yet";
const NO_LIBRARY: &str = "the library's tables are not installed";
const NO_SEQUENCES: &str = "it has no sequences";
const NO_EMIT: &str = "the library's functions are not installed";
const ONE_DATABASE: &str = "the placement shares one database";
/// `cross-database references are not implemented`.
const NO_SUCH_WAY: &[&str] = &["0A000"];
/// A truncation that only another table's foreign key stops was allowed.
const REFERENCED: &[&str] = &["0A000"];

pub(super) const ATTACKS: &[Attack] = &[
    there("read-tables", "read its tables", Actor::App, read),
    there(
        "reader-reads-tables",
        "read its tables as the own reader",
        Actor::Reader,
        read,
    ),
    there(
        "owner-reads-tables",
        "read its tables as the own owner",
        Actor::Owner,
        read,
    ),
    Attack::on_other(
        "read-across-databases",
        "name its tables as database.schema.table",
        Actor::App,
        Ground::Home,
        |scene| across(scene, |name, _| format!("select from {name} limit 1")),
    )
    .refused_by(NO_SUCH_WAY),
    Attack::on_other(
        "write-across-databases",
        "delete from its tables as database.schema.table",
        Actor::App,
        Ground::Home,
        |scene| across(scene, |name, _| format!("delete from {name} where false")),
    )
    .refused_by(NO_SUCH_WAY),
    there("insert-rows", "insert into its tables", Actor::App, insert),
    there(
        "owner-inserts-rows",
        "insert into its tables as the own owner",
        Actor::Owner,
        insert,
    ),
    there("update-rows", "update its tables", Actor::App, update),
    there(
        "owner-updates-rows",
        "update its tables as the own owner",
        Actor::Owner,
        update,
    ),
    there("delete-rows", "delete from its tables", Actor::App, |scene| {
        each(scene, Proof::Runs, |t| format!("delete from {} where false", t.sql()))
    }),
    there("truncate-tables", "truncate its tables", Actor::App, truncate).breached_by(REFERENCED),
    there(
        "owner-truncates-tables",
        "truncate its tables as the own owner",
        Actor::Owner,
        truncate,
    )
    .breached_by(REFERENCED),
    there("lock-tables", "lock its tables against everyone", Actor::App, |scene| {
        each(scene, Proof::Runs, |t| {
            format!("lock table {} in access exclusive mode nowait", t.sql())
        })
    })
    // Locked by another one: the lock was allowed.
    .breached_by(&["55P03"]),
    there("read-log", "read its log and outbox", Actor::App, |scene| {
        Attempt::each(
            scene
                .victim
                .of(&[Kind::Library])
                .map(|t| format!("select from {} limit 1", t.sql())),
            Proof::Runs,
            NO_LIBRARY,
        )
    }),
    there(
        "write-outbox",
        "put messages into its outbox and log",
        Actor::App,
        |scene| {
            Attempt::each(
                scene.victim.of(&[Kind::Library]).map(insert_nothing),
                Proof::Runs,
                NO_LIBRARY,
            )
        },
    ),
    there("emit-as-other", "emit an event in its name", Actor::App, |scene| {
        if !scene.victim.has_emit {
            return Attempt::Absent(NO_EMIT);
        }
        Attempt::run(format!(
            "select {}.emit('freehold.attacked', 'key', '{{}}')",
            super::sql(&scene.victim.names.freehold)
        ))
    })
    // An error of the function itself: it was called.
    .breached_by(&["FH005", "FH001", "22023", "23514"]),
    there("take-ids", "draw numbers from its sequences", Actor::App, |scene| {
        Attempt::each(
            scene
                .victim
                .sequences
                .iter()
                .map(|s| format!("select nextval({})", literal(s))),
            Proof::Runs,
            NO_SEQUENCES,
        )
    }),
];

const fn there(name: &'static str, about: &'static str, actor: Actor, attempt: fn(&Scene<'_>) -> Attempt) -> Attack {
    Attack::on_other(name, about, actor, Ground::There, attempt)
}

fn each(scene: &Scene<'_>, proof: Proof, text: fn(&Relation) -> String) -> Attempt {
    Attempt::each(scene.prey().map(text), proof, NO_TABLES)
}

fn read(scene: &Scene<'_>) -> Attempt {
    // Without columns a privilege on any one column is enough; with them, one on all is needed. Both are tried.
    Attempt::each(
        scene.prey().flat_map(|t| {
            [
                format!("select from {} limit 1", t.sql()),
                format!("select {} from {} limit 1", super::sql(&t.column), t.sql()),
            ]
        }),
        Proof::Runs,
        NO_TABLES,
    )
}

fn insert(scene: &Scene<'_>) -> Attempt {
    Attempt::each(scene.prey().map(insert_nothing), Proof::Runs, NO_TABLES)
}

/// No row is inserted, but the privilege is asked for as if one were; nothing is read.
pub(super) fn insert_nothing(table: &Relation) -> String {
    format!(
        "insert into {} ({}) select null where false",
        table.sql(),
        super::sql(&table.column)
    )
}

/// No row is changed, but the privilege is asked for as if one were; nothing is read.
pub(super) fn update_nothing(table: &Relation) -> String {
    format!(
        "update {} set {} = default where false",
        table.sql(),
        super::sql(&table.column)
    )
}

fn update(scene: &Scene<'_>) -> Attempt {
    each(scene, Proof::Runs, update_nothing)
}

fn truncate(scene: &Scene<'_>) -> Attempt {
    each(scene, Proof::Runs, |t| format!("truncate {}", t.sql()))
}

fn across(scene: &Scene<'_>, text: fn(&str, &Relation) -> String) -> Attempt {
    if scene.placement == Placement::Schema {
        return Attempt::Absent(ONE_DATABASE);
    }
    let database = super::sql(&scene.victim.names.database);
    Attempt::each(
        scene.prey().map(|t| text(&format!("{database}.{}", t.sql()), t)),
        Proof::Runs,
        NO_TABLES,
    )
}
