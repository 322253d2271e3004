//! Going around PostgreSQL: files and programs of its machine.

use super::super::attack::{Actor, Attack, Attempt, Ground};
use super::super::scene::Scene;
use crate::provision::literal;

const NO_FILE: &str = "it has no tables, so no files";
const NO_TOOL: &str = "the attacker has no table to copy into";
const NO_HBA: &str = "the server does not tell where pg_hba.conf is";

/// From where the files are: with two servers the attacker's own does not hold them.
const GROUND: Ground = Ground::Server;

pub(super) const ATTACKS: &[Attack] = &[
    attack("copy-to-program", "run a program with COPY TO", |_| {
        Attempt::run("copy (select 1) to program 'true'")
    }),
    attack("copy-from-program", "run a program with COPY FROM", |s| {
        copy_from(s, "program 'true'")
    }),
    attack("copy-to-file", "write a file with COPY TO", |_| {
        Attempt::run("copy (select 1) to '/dev/null'")
    }),
    attack("copy-from-file", "read a file with COPY FROM", |s| {
        copy_from(s, "'/dev/null'")
    }),
    attack("read-hba-file", "read pg_hba.conf", |s| match &s.attacker.hba_file {
        Some(file) => Attempt::run(format!("select pg_read_file({}, 0, 1)", literal(file))),
        None => Attempt::Absent(NO_HBA),
    }),
    attack("read-table-file", "read the file of its table", |s| {
        match &s.victim.file {
            Some(file) => Attempt::run(format!("select pg_read_binary_file({}, 0, 1)", literal(file))),
            None => Attempt::Absent(NO_FILE),
        }
    }),
    attack("stat-table-file", "look for the file of its table", |s| {
        match &s.victim.file {
            Some(file) => Attempt::run(format!("select pg_stat_file({})", literal(file))),
            None => Attempt::Absent(NO_FILE),
        }
    }),
    attack("list-data-folder", "list the data folder", |_| {
        Attempt::run("select pg_ls_dir('.') limit 1")
    }),
    attack("list-log-folder", "list the server's log files", |_| {
        Attempt::run("select pg_ls_logdir() limit 1")
    })
    // The folder is missing: listing was allowed.
    .breached_by(&["58P01"]),
    attack("list-wal", "list the write-ahead log", |_| {
        Attempt::run("select pg_ls_waldir() limit 1")
    }),
    attack("import-file", "read a file into a large object", |_| {
        Attempt::run("select lo_import('/etc/hostname')")
    })
    .breached_by(&["58P01"]),
    attack("export-file", "write a large object to a file", |_| {
        Attempt::run("select lo_export(0, '/dev/null')")
    })
    // There is no such large object: exporting was allowed.
    .breached_by(&["42704"]),
];

const fn attack(name: &'static str, about: &'static str, attempt: fn(&Scene<'_>) -> Attempt) -> Attack {
    Attack::on_other(name, about, Actor::App, GROUND, attempt)
}

fn copy_from(scene: &Scene<'_>, source: &str) -> Attempt {
    match scene.tool() {
        Some(table) => Attempt::run(format!("copy {} from {source}", table.sql())),
        None => Attempt::Absent(NO_TOOL),
    }
}
