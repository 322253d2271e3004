//! Reading secrets and other people's statements from the catalogue.

use super::super::attack::{Actor, Attack, Attempt, Ground, Proof};
use super::super::scene::Scene;
use super::super::territory::Sampled;
use crate::provision::literal;

pub(super) const ATTACKS: &[Attack] = &[
    on_server("read-authid", "read password verifiers from pg_authid", |_| {
        Attempt::run("select rolpassword from pg_authid limit 1")
    }),
    on_server("read-shadow", "read password verifiers from pg_shadow", |_| {
        Attempt::run("select passwd from pg_shadow limit 1")
    }),
    on_server(
        "read-user-mapping",
        "read remote passwords from pg_user_mapping",
        |_| Attempt::run("select umoptions from pg_user_mapping limit 1"),
    ),
    on_server(
        "read-subscription",
        "read connection strings from pg_subscription",
        |_| Attempt::run("select subconninfo from pg_subscription limit 1"),
    ),
    on_server("read-hba-rules", "read who may log in from where", |_| {
        Attempt::run("select * from pg_hba_file_rules limit 1")
    }),
    on_server("read-file-settings", "read the configuration files", |_| {
        Attempt::run("select * from pg_file_settings limit 1")
    }),
    on_server("read-large-objects", "read the pages of all large objects", |_| {
        Attempt::run("select data from pg_largeobject limit 1")
    }),
    on_server(
        "read-activity",
        "read its sessions' statements in pg_stat_activity",
        |scene| {
            Attempt::proven(
                format!(
                    "select query from pg_stat_activity where pid = {} and query like {}",
                    scene.victim.canary.pid,
                    literal(&format!("%{}%", scene.victim.canary.word))
                ),
                Proof::Rows,
            )
        },
    ),
    Attack::on_other(
        "reader-reads-activity",
        "read its sessions' statements in pg_stat_activity as the own reader",
        Actor::Reader,
        Ground::Server,
        |scene| {
            Attempt::proven(
                format!(
                    "select query from pg_stat_get_activity({}) where query like {}",
                    scene.victim.canary.pid,
                    literal(&format!("%{}%", scene.victim.canary.word))
                ),
                Proof::Rows,
            )
        },
    ),
    Attack::on_other(
        "read-statistic",
        "read samples of its rows from pg_statistic",
        Actor::App,
        Ground::There,
        |_| Attempt::run("select stavalues1 from pg_statistic limit 1"),
    ),
    Attack::on_other(
        "read-stats",
        "read samples of its rows from pg_stats",
        Actor::App,
        Ground::There,
        samples,
    ),
];

const fn on_server(name: &'static str, about: &'static str, attempt: fn(&Scene<'_>) -> Attempt) -> Attack {
    Attack::on_other(name, about, Actor::App, Ground::Server, attempt)
}

/// Only tables of which the administrator sees samples: elsewhere no row would tell nothing.
fn samples(scene: &Scene<'_>) -> Attempt {
    let sampled = scene.prey().filter(|t| t.sampled == Sampled::Yes);
    Attempt::each(
        sampled.map(|t| {
            format!(
                "select most_common_vals from pg_stats where schemaname = {} and tablename = {}",
                literal(&t.schema),
                literal(&t.name)
            )
        }),
        Proof::Rows,
        "none of its tables has been analysed",
    )
}
