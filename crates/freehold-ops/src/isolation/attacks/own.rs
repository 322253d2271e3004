//! What a service at work must leave alone of its own: history, copies, and the library's tables.

use super::super::attack::{Actor, Attack, Attempt, Proof};
use super::super::scene::Scene;
use super::super::territory::{Kind, Relation};
use super::tables::{insert_nothing, update_nothing};
use crate::provision::literal;

/// No privilege, or the library's own refusal of a change of an append-only table.
const APPEND_ONLY: &[&str] = &["42501", "FH002"];
/// A truncation that only another table's foreign key stops was allowed.
const REFERENCED: &[&str] = &["0A000"];
const NO_APPEND_ONLY: &str = "the service has no append-only table";
const NO_COPIES: &str = "the service keeps no copies";
const NO_LIBRARY: &str = "the library's tables are not installed";
const NO_TABLES: &str = "the service has no tables yet";

pub(super) const ATTACKS: &[Attack] = &[
    own("own-update-history", "change a row of an append-only table", |s| {
        each(s, Kind::AppendOnly, change_one, Proof::Changes)
    })
    .refused_by(APPEND_ONLY),
    own("own-delete-history", "delete a row of an append-only table", |s| {
        each(s, Kind::AppendOnly, delete_one, Proof::Changes)
    })
    .refused_by(APPEND_ONLY),
    own("own-truncate-history", "truncate an append-only table", |s| {
        each(s, Kind::AppendOnly, truncate, Proof::Runs)
    })
    .refused_by(APPEND_ONLY)
    .breached_by(REFERENCED),
    own(
        "own-skip-history-triggers",
        "change an append-only table with its triggers off",
        |s| {
            each(
                s,
                Kind::AppendOnly,
                |t| format!("set local session_replication_role = replica; {}", change_one(t)),
                Proof::Changes,
            )
        },
    ),
    own("own-insert-copy", "put rows into a copy", |s| {
        each(s, Kind::Copy, insert_nothing, Proof::Runs)
    }),
    own("own-update-copy", "change a copy", |s| {
        each(s, Kind::Copy, update_nothing, Proof::Runs)
    }),
    own("own-delete-copy", "delete from a copy", |s| {
        each(s, Kind::Copy, delete_nothing, Proof::Runs)
    }),
    own("own-truncate-copy", "truncate a copy", |s| {
        each(s, Kind::Copy, truncate, Proof::Runs)
    })
    .breached_by(REFERENCED),
    own("own-insert-library", "write outbox, log or cursor directly", |s| {
        each(s, Kind::Library, insert_nothing, Proof::Runs)
    }),
    own("own-update-library", "change outbox, log or cursor directly", |s| {
        each(s, Kind::Library, update_nothing, Proof::Runs)
    }),
    own(
        "own-delete-library",
        "delete from outbox, log or cursor directly",
        |s| each(s, Kind::Library, delete_nothing, Proof::Runs),
    ),
    own("own-truncate-library", "truncate outbox, log or cursor", |s| {
        each(s, Kind::Library, truncate, Proof::Runs)
    })
    .breached_by(REFERENCED),
    own("own-update-story", "rewrite what sagas and commands came to", |s| {
        each(s, Kind::Story, update_nothing, Proof::Runs)
    }),
    own("own-delete-story", "delete what sagas and commands came to", |s| {
        each(s, Kind::Story, delete_nothing, Proof::Runs)
    }),
    own("own-truncate-story", "truncate what sagas and commands came to", |s| {
        each(s, Kind::Story, truncate, Proof::Runs)
    })
    .breached_by(REFERENCED),
    by_reader("own-reader-inserts", "insert as the reader", |s| all(s, insert_nothing)),
    by_reader("own-reader-updates", "update as the reader", |s| all(s, update_nothing)),
    by_reader("own-reader-deletes", "delete as the reader", |s| all(s, delete_nothing)),
    by_reader("own-reader-truncates", "truncate as the reader", |s| all(s, truncate)).breached_by(REFERENCED),
    Attack::on_own("own-reader-emits", "emit an event as the reader", Actor::Reader, |s| {
        if !s.attacker.has_emit {
            return Attempt::Absent(NO_LIBRARY);
        }
        Attempt::run(format!(
            "select {}.emit('freehold.attacked', 'key', '{{}}')",
            super::sql(&s.attacker.names.freehold)
        ))
    })
    // An error of the function itself: it was called.
    .breached_by(&["FH005", "FH001", "22023", "23514"]),
];

const fn own(name: &'static str, about: &'static str, attempt: fn(&Scene<'_>) -> Attempt) -> Attack {
    Attack::on_own(name, about, Actor::App, attempt)
}

const fn by_reader(name: &'static str, about: &'static str, attempt: fn(&Scene<'_>) -> Attempt) -> Attack {
    Attack::on_own(name, about, Actor::Reader, attempt)
}

fn each(scene: &Scene<'_>, kind: Kind, text: fn(&Relation) -> String, proof: Proof) -> Attempt {
    let absent = match kind {
        Kind::AppendOnly => NO_APPEND_ONLY,
        Kind::Copy => NO_COPIES,
        Kind::Library | Kind::Story => NO_LIBRARY,
        Kind::Owned | Kind::Unknown => NO_TABLES,
    };
    Attempt::each(scene.attacker.of(&[kind]).map(text), proof, absent)
}

fn all(scene: &Scene<'_>, text: fn(&Relation) -> String) -> Attempt {
    let tables = scene.attacker.relations.iter().map(text);
    Attempt::each(tables, Proof::Runs, NO_TABLES)
}

/// One real row, since a trigger may be what stops it; to the value it has.
fn change_one(table: &Relation) -> String {
    /// The bits of `BEFORE` and `UPDATE` in `pg_trigger.tgtype`.
    const GUARD: u8 = 2 | 16;
    let column = super::sql(&table.column);
    format!(
        "update {0} set {column} = {column} where ctid = (select ctid from {0} limit 1); {1}",
        table.sql(),
        is_unguarded(table, GUARD)
    )
}

fn delete_one(table: &Relation) -> String {
    /// The bits of `BEFORE` and `DELETE` in `pg_trigger.tgtype`.
    const GUARD: u8 = 2 | 8;
    format!(
        "delete from {0} where ctid = (select ctid from {0} limit 1); {1}",
        table.sql(),
        is_unguarded(table, GUARD)
    )
}

/// Asked behind a change that was let through: an empty table has no row for a trigger to fire on.
fn is_unguarded(table: &Relation, guard: u8) -> String {
    format!(
        "select not exists (select from pg_trigger where tgrelid = {}::regclass and not tgisinternal \
         and tgenabled in ('O', 'A') and tgtype & {guard} = {guard})",
        literal(&table.sql())
    )
}

fn delete_nothing(table: &Relation) -> String {
    format!("delete from {} where false", table.sql())
}

fn truncate(table: &Relation) -> String {
    format!("truncate {}", table.sql())
}
