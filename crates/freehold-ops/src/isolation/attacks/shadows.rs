//! Putting something where another service, or the server, will find it first.

use super::super::attack::{Actor, Attack, Attempt, Ground};
use super::super::scene::Scene;
use freehold_manifest::model::Placement;

const ONLY_SHARED: &str = "only a shared database has a shared schema";
const NO_TABLES: &str = "it has no tables yet";

pub(super) const ATTACKS: &[Attack] = &[
    there(
        "create-table-there",
        "create a table in its schema",
        Actor::App,
        create_table,
    ),
    there(
        "owner-creates-table-there",
        "create a table in its schema as the own owner",
        Actor::Owner,
        create_table,
    ),
    there(
        "create-function-there",
        "create a function in its schema",
        Actor::App,
        |s| Attempt::run(create_function(&s.victim.names.schema)),
    ),
    there(
        "owner-creates-function-there",
        "create a function in its schema as the own owner",
        Actor::Owner,
        |s| Attempt::run(create_function(&s.victim.names.schema)),
    ),
    there(
        "create-in-library-schema",
        "create a table in its schema of the library",
        Actor::Owner,
        |s| {
            Attempt::run(format!(
                "create table {}.freehold_attack (id int)",
                super::sql(&s.victim.names.freehold)
            ))
        },
    ),
    there("alter-its-table", "change the shape of its table", Actor::Owner, |s| {
        on_prize(s, |t| format!("alter table {t} add column freehold_attack int"))
    }),
    there("drop-its-table", "drop its table", Actor::Owner, |s| {
        on_prize(s, |t| format!("drop table {t} cascade"))
    }),
    there("watch-its-table", "put a trigger on its table", Actor::Owner, |s| {
        on_prize(s, |t| {
            format!(
                "create trigger freehold_attack before insert on {t} execute function pg_catalog.suppress_redundant_updates_trigger()"
            )
        })
    }),
    there("rule-its-table", "put a rule on its table", Actor::Owner, |s| {
        on_prize(s, |t| {
            format!("create rule freehold_attack as on insert to {t} do instead nothing")
        })
    }),
    there("index-its-table", "put an index on its table", Actor::Owner, |s| {
        on_prize(s, |t| format!("create index on {t} ((1))"))
    }),
    there(
        "open-its-row-security",
        "switch off row level security of its table",
        Actor::Owner,
        |s| on_prize(s, |t| format!("alter table {t} disable row level security")),
    ),
    there("drop-its-schema", "drop its schema", Actor::Owner, |s| {
        Attempt::run(format!("drop schema {} cascade", super::sql(&s.victim.names.schema)))
    }),
    there("rename-its-schema", "rename its schema", Actor::Owner, |s| {
        Attempt::run(format!(
            "alter schema {} rename to freehold_attack",
            super::sql(&s.victim.names.schema)
        ))
    }),
    there(
        "create-schema-there",
        "create a schema in its database",
        Actor::App,
        |_| Attempt::run("create schema freehold_attack"),
    ),
    there(
        "shadow-temporarily",
        "create a temporary table that hides a real one",
        Actor::App,
        |s| {
            let name = s.victim.relations.first().map_or("orders", |t| t.name.as_str());
            Attempt::run(format!("create temporary table {} (id int)", super::sql(name)))
        },
    ),
    Attack::on_other(
        "shadow-system-function",
        "create a function in pg_catalog",
        Actor::Owner,
        Ground::Server,
        |_| Attempt::run(create_function("pg_catalog")),
    ),
    Attack::on_other(
        "shadow-in-public",
        "create a function in schema public of the shared database",
        Actor::Owner,
        Ground::Home,
        |s| in_shared(s, create_function("public")),
    ),
    Attack::on_other(
        "shadow-in-shared-schema",
        "create a function in the shared schema freehold",
        Actor::Owner,
        Ground::Home,
        |s| in_shared(s, create_function("freehold")),
    ),
    Attack::on_other(
        "replace-dispatcher",
        "replace the shared function freehold.emit",
        Actor::Owner,
        Ground::Home,
        |s| {
            in_shared(
                s,
                "create or replace function freehold.emit(type text, key text, payload json) returns bigint language sql return 0"
                    .to_owned(),
            )
        },
    ),
    Attack::on_other(
        "publish-all-tables",
        "create a publication of all tables",
        Actor::Owner,
        Ground::Server,
        |_| Attempt::run("create publication freehold_attack for all tables"),
    ),
];

const fn there(name: &'static str, about: &'static str, actor: Actor, attempt: fn(&Scene<'_>) -> Attempt) -> Attack {
    Attack::on_other(name, about, actor, Ground::There, attempt)
}

fn create_table(scene: &Scene<'_>) -> Attempt {
    Attempt::run(format!(
        "create table {}.freehold_attack (id int)",
        super::sql(&scene.victim.names.schema)
    ))
}

fn create_function(schema: &str) -> String {
    format!(
        "create function {}.lower(varchar) returns text language sql return 'attack'",
        super::sql(schema)
    )
}

fn on_prize(scene: &Scene<'_>, text: fn(&str) -> String) -> Attempt {
    match scene.prize() {
        Some(table) => Attempt::run(text(&table.sql())),
        None => Attempt::Absent(NO_TABLES),
    }
}

fn in_shared(scene: &Scene<'_>, text: String) -> Attempt {
    match scene.placement {
        Placement::Schema => Attempt::run(text),
        Placement::Server | Placement::Database => Attempt::Absent(ONLY_SHARED),
    }
}
