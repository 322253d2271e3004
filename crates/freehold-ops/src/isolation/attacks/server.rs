//! Disturbing or reconfiguring the server that others live on.

use super::super::attack::{Actor, Attack, Attempt, Ground, Proof};
use super::super::scene::Scene;

pub(super) const ATTACKS: &[Attack] = &[
    on_server("terminate-sessions", "end its sessions", Actor::App, |s| {
        Attempt::proven(
            format!("select pg_terminate_backend({})", s.victim.canary.pid),
            Proof::Yes,
        )
    }),
    on_server(
        "owner-terminates-sessions",
        "end its sessions as the own owner",
        Actor::Owner,
        |s| {
            Attempt::proven(
                format!("select pg_terminate_backend({})", s.victim.canary.pid),
                Proof::Yes,
            )
        },
    ),
    on_server("cancel-statements", "cancel its statements", Actor::App, |s| {
        Attempt::proven(format!("select pg_cancel_backend({})", s.victim.canary.pid), Proof::Yes)
    }),
    on_server(
        "alter-system",
        "change the server's configuration",
        Actor::Owner,
        |_| {
            // A developer's switch at its default: nothing changes if it gets through.
            Attempt::outside("alter system set trace_notify = off", "alter system reset trace_notify")
        },
    ),
    on_server(
        "reload-configuration",
        "have the configuration read again",
        Actor::App,
        |_| Attempt::run("select pg_reload_conf()"),
    ),
    on_server("reset-statistics", "wipe the statistics", Actor::App, |_| {
        Attempt::run("select pg_stat_reset()")
    }),
    on_server(
        "create-restore-point",
        "write into the write-ahead log's history",
        Actor::App,
        |_| Attempt::run("select pg_create_restore_point('freehold_attack')"),
    )
    // The log keeps too little for it: creating was allowed.
    .breached_by(&["55000"]),
    on_server("switch-wal", "switch the write-ahead log", Actor::App, |_| {
        Attempt::run("select pg_switch_wal()")
    }),
    on_server("checkpoint", "force a checkpoint", Actor::App, |_| {
        Attempt::run("checkpoint")
    }),
    on_server(
        "skip-triggers",
        "switch triggers off with session_replication_role",
        Actor::App,
        |_| Attempt::run("set local session_replication_role = replica"),
    ),
    on_server(
        "owner-skips-triggers",
        "switch triggers off as the own owner",
        Actor::Owner,
        |_| Attempt::run("set local session_replication_role = replica"),
    ),
    on_server(
        "open-large-objects",
        "switch off the rights of large objects",
        Actor::App,
        |_| Attempt::run("set local lo_compat_privileges = on"),
    ),
    on_server("hide-statements", "switch the server's log off", Actor::App, |_| {
        Attempt::run("set local log_min_messages = panic")
    }),
    on_server(
        "create-event-trigger",
        "watch everyone's DDL with an event trigger",
        Actor::Owner,
        |_| Attempt::run("create event trigger freehold_attack on ddl_command_start execute function pg_catalog.now()"),
    )
    // The function is of the wrong kind: creating was allowed.
    .breached_by(&["42P17"]),
    on_server("create-tablespace", "create a tablespace", Actor::Owner, |_| {
        Attempt::outside(
            "create tablespace freehold_attack location '/tmp/freehold_attack'",
            "drop tablespace if exists freehold_attack",
        )
    })
    .breached_by(&["58P01"]),
    on_server("create-database", "create a database", Actor::Owner, |_| {
        Attempt::outside(
            "create database freehold_attack",
            "drop database if exists freehold_attack",
        )
    }),
];

const fn on_server(
    name: &'static str,
    about: &'static str,
    actor: Actor,
    attempt: fn(&Scene<'_>) -> Attempt,
) -> Attack {
    Attack::on_other(name, about, actor, Ground::Server, attempt)
}
