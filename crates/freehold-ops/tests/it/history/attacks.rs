//! The ways to alter what must not change, by whoever may take the walls down.

use freehold_ops::history::What;

use super::By;

/// One way.
#[derive(Debug)]
pub(super) struct Attack {
    pub(super) name: String,
    pub(super) by: By,
    pub(super) sql: String,
    /// What the verifier must say.
    pub(super) found: What,
    /// Where: the row that it must name.
    pub(super) row: Option<Row>,
}

/// A row of a guarded table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) table: &'static str,
    /// Its key in the log.
    pub(super) key: &'static str,
    /// The same in SQL.
    is: &'static str,
    /// A column, and another value of it.
    column: &'static str,
    forged: &'static str,
}

const ENTRY: Row = Row {
    table: "entries",
    key: "7",
    is: "id = 7",
    column: "what",
    forged: "'forged'",
};

const VERSION: Row = Row {
    table: "accounts_history",
    key: "[9, 2]",
    is: "id = 9 and version = 2",
    column: "state",
    forged: "'{}'::jsonb",
};

/// The walls of a table down, and up again, so that only what was done meanwhile shows.
fn behind(table: &str, sql: &str) -> String {
    format!(
        "alter table {table} disable trigger user; {sql};
         alter table {table} enable always trigger freehold_append_only;
         alter table {table} enable always trigger freehold_append_only_truncate;
         alter table {table} enable always trigger freehold_appended;"
    )
}

/// All of them: those on rows for each guarded table and for owner and superuser.
pub(super) fn all() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for row in [ENTRY, VERSION] {
        for by in [By::Owner, By::Superuser] {
            attacks.extend(on_rows(row, by));
            attacks.extend(on_walls(row, by));
        }
    }
    for by in [By::Owner, By::Superuser] {
        attacks.extend(on_log(by));
    }
    attacks.push(Attack {
        name: "rights: the application may become the owner".to_owned(),
        by: By::Superuser,
        sql: "grant books_ledger_owner to books_ledger_app".to_owned(),
        found: What::Owner,
        row: None,
    });
    attacks.push(Attack {
        name: "rights: the table belongs to the application".to_owned(),
        by: By::Superuser,
        sql: "alter table entries owner to books_ledger_app".to_owned(),
        found: What::Owner,
        row: None,
    });
    attacks
}

fn on_rows(row: Row, by: By) -> Vec<Attack> {
    let Row {
        table,
        is,
        column,
        forged,
        ..
    } = row;
    let of = |name: &str, sql: String, found: What, at: Option<Row>| Attack {
        name: format!("{table}: {name}"),
        by,
        sql,
        found,
        row: at,
    };
    let named = Some(row);
    vec![
        of(
            "a row is changed",
            behind(table, &format!("update {table} set {column} = {forged} where {is}")),
            What::RowChanged,
            named,
        ),
        of(
            "a value becomes null",
            behind(table, &format!("update {table} set {column} = null where {is}")),
            What::RowChanged,
            named,
        ),
        of(
            "a row is removed",
            behind(table, &format!("delete from {table} where {is}")),
            What::RowRemoved,
            named,
        ),
        of(
            "all rows are removed",
            behind(table, &format!("truncate {table}")),
            What::RowRemoved,
            named,
        ),
        of(
            "a row is removed and written again as it was",
            behind(
                table,
                &format!(
                    "create temp table kept as select * from {table} where {is}; delete from {table} where {is};
                     alter table {table} enable always trigger freehold_appended;
                     insert into {table} {overriding} select * from kept; select freehold.sequence(100)",
                    overriding = if table == "entries" {
                        "overriding system value"
                    } else {
                        ""
                    },
                ),
            ),
            What::RowTwice,
            Some(Row { key: row.key, ..row }),
        ),
        of(
            "a row is written past the log",
            behind(
                table,
                match table {
                    "entries" => "insert into entries (what) values ('forged')",
                    _ => "insert into accounts_history (id, version, operation, at) values (9, 9, 'update', now())",
                },
            ),
            What::RowInserted,
            None,
        ),
        of(
            "all rows are rewritten by their type",
            format!(
                "alter table {table} alter column {column} type {ty} using {forged}",
                ty = if column == "state" { "jsonb" } else { "text" }
            ),
            What::RowChanged,
            named,
        ),
        of(
            "a column is dropped",
            format!("alter table {table} drop column {column}"),
            What::RowsUnproven,
            None,
        ),
        of(
            "a column is renamed",
            format!("alter table {table} rename column {column} to other"),
            What::RowsUnproven,
            None,
        ),
        of(
            "the table is dropped",
            format!("drop table {table} cascade"),
            What::TableGone,
            None,
        ),
        of("the table is made anew, empty", anew(table), What::TableGone, None),
        of(
            "the table is made anew, empty, with its rights",
            format!("{}; grant select on {table} to books_ledger_reader", anew(table)),
            What::RowRemoved,
            named,
        ),
        of(
            "a view stands in its place",
            format!("alter table {table} rename to away; create view {table} as select * from away"),
            What::TableGone,
            None,
        ),
        of(
            "rows come by inheritance",
            {
                format!(
                    "create table child () inherits ({table}); insert into child select * from {table} where {is}; update child set {key}",
                    key = match table {
                        "entries" => "id = 1000",
                        _ => "version = 1000",
                    }
                )
            },
            What::RowInserted,
            None,
        ),
        of(
            "its entries are taken from the outbox",
            format!(
                "{write}; delete from freehold.outbox where type = 'ledger.{table}.appended'; select freehold.sequence(100)",
                write = match table {
                    "entries" => "insert into entries (what) values ('unheard')",
                    _ => "update accounts set balance = 0 where id = 9",
                }
            ),
            What::RowInserted,
            None,
        ),
        of(
            "a trigger swallows its entries",
            format!(
                "create function freehold.swallow() returns trigger language plpgsql as 'begin return null; end';
             create trigger swallow before insert on freehold.outbox for each row execute function freehold.swallow();
             {write}",
                write = match table {
                    "entries" => "insert into entries (what) values ('unheard')",
                    _ => "update accounts set balance = 0 where id = 9",
                }
            ),
            What::RowInserted,
            None,
        ),
    ]
}

fn anew(table: &str) -> String {
    format!(
        "create table fresh (like {table} including all); drop table {table} cascade; alter table fresh rename to {table}"
    )
}

/// What is left open, whether or not anything was altered through it.
fn on_walls(row: Row, by: By) -> Vec<Attack> {
    let table = row.table;
    let of = |name: &str, sql: String, found: What| Attack {
        name: format!("{table}: {name}"),
        by,
        sql,
        found,
        row: None,
    };
    let mut attacks = vec![
        of(
            "the application may change it",
            format!("grant update on {table} to books_ledger_app"),
            What::Grant,
        ),
        of(
            "everybody may truncate it",
            format!("grant truncate on {table} to public"),
            What::Grant,
        ),
        of(
            "a column of it may be changed",
            format!("grant update ({}) on {table} to books_ledger_app", row.column),
            What::Grant,
        ),
        of(
            "a rule keeps rows away",
            format!("create rule away as on insert to {table} do instead nothing"),
            What::Rule,
        ),
        of(
            "its guard does nothing",
            {
                "create or replace function freehold.refuse_change() returns trigger language plpgsql as 'begin return new; end'".to_owned()
            },
            What::Trigger,
        ),
        of(
            "its digests are another function's",
            {
                format!(
                    "create or replace function freehold.appended_{table}() returns trigger language plpgsql as 'begin return null; end'"
                )
            },
            What::Trigger,
        ),
        of(
            "its guard looks at some rows only",
            format!(
                "create or replace trigger freehold_append_only before update or delete on {table}
             for each row when (false) execute function freehold.refuse_change();
             alter table {table} enable always trigger freehold_append_only"
            ),
            What::Trigger,
        ),
    ];
    for trigger in [
        "freehold_append_only",
        "freehold_append_only_truncate",
        "freehold_appended",
    ] {
        attacks.push(of(
            &format!("{trigger} is dropped"),
            format!("drop trigger {trigger} on {table}"),
            What::Trigger,
        ));
        attacks.push(of(
            &format!("{trigger} is off"),
            format!("alter table {table} disable trigger {trigger}"),
            What::Trigger,
        ));
        attacks.push(of(
            &format!("{trigger} is off for replicas"),
            format!("alter table {table} enable trigger {trigger}"),
            What::Trigger,
        ));
    }
    if table == "accounts_history" {
        attacks.push(of(
            "its table records no updates",
            "drop trigger freehold_history_update on accounts".to_owned(),
            What::Trigger,
        ));
        attacks.push(of(
            "the application may write it",
            "grant insert on accounts_history to books_ledger_app".to_owned(),
            What::Grant,
        ));
    }
    attacks
}

/// The chain from a position on, as whoever has all power would compute it anew, head included.
pub(super) const RECOMPUTE: &str = "do $$
    declare
      chain bytea := sha256('');
      l record;
    begin
      for l in select * from freehold.log order by position loop
        chain := sha256(chain || sha256(freehold.canonical(l.epoch, l.position, l.prev, l.id, l.type, l.key, l.version, l.payload)));
        update freehold.log m set hash = chain where m.position = l.position;
      end loop;
      update freehold.log_head set (epoch, position, hash) = (select m.epoch, m.position, m.hash from freehold.log m order by m.position desc limit 1);
      update freehold.topic t set position = (select max(m.position) from freehold.log m where m.topic = t.topic);
    end
    $$";

fn on_log(by: By) -> Vec<Attack> {
    let of = |name: &str, sql: String, found: What| Attack {
        name: format!("log: {name}"),
        by,
        sql,
        found,
        row: None,
    };
    vec![
        of(
            "a message is changed",
            "update freehold.log set payload = '{}' where position = 40".to_owned(),
            What::LogChanged,
        ),
        of(
            "a key is changed",
            "update freehold.log set key = '1000' where position = 40".to_owned(),
            What::LogChanged,
        ),
        of(
            "a type is changed",
            "update freehold.log set type = 'ledger.accounts.deleted' where position = 40".to_owned(),
            What::LogChanged,
        ),
        of(
            "a topic is changed",
            "update freehold.log set topic = 'other' where position = 40".to_owned(),
            What::LogChanged,
        ),
        of(
            "a time is changed",
            "update freehold.log set time = time - interval '1 day' where position = 40".to_owned(),
            What::LogChanged,
        ),
        of(
            "an epoch is forged",
            "update freehold.log set epoch = 2 where position = 40".to_owned(),
            What::LogChanged,
        ),
        of(
            "a hash is changed",
            "update freehold.log set hash = sha256('') where position = 40".to_owned(),
            What::LogChanged,
        ),
        of(
            "a message is removed",
            "delete from freehold.log where position = 40".to_owned(),
            What::LogGap,
        ),
        of(
            "two messages change places",
            {
                "update freehold.log set position = 500000 where position = 40; update freehold.log set position = 40 where position = 41;
             update freehold.log set position = 41 where position = 500000".to_owned()
            },
            What::LogChanged,
        ),
        of(
            "its beginning is cut",
            "delete from freehold.log where position <= 40".to_owned(),
            What::LogGap,
        ),
        of(
            "its end is cut",
            "delete from freehold.log where position > 40".to_owned(),
            What::LogHead,
        ),
        of(
            "the head is moved back",
            "update freehold.log_head set position = 40".to_owned(),
            What::LogHead,
        ),
        of(
            "the head's epoch is forged",
            "update freehold.log_head set epoch = 2".to_owned(),
            What::LogHead,
        ),
        of(
            "the head's hash is forged",
            "update freehold.log_head set hash = sha256('')".to_owned(),
            What::LogHead,
        ),
        of(
            "the head is gone",
            "delete from freehold.log_head".to_owned(),
            What::LogHead,
        ),
        of(
            "a partition is dropped",
            "drop table freehold.log_000000001".to_owned(),
            What::LogHead,
        ),
        of(
            "a partition may be changed",
            "grant update on freehold.log_000000001 to books_ledger_app".to_owned(),
            What::Grant,
        ),
        of(
            "the log may be changed",
            "grant delete on freehold.log to books_ledger_app".to_owned(),
            What::Grant,
        ),
        of(
            "everything after a position is cut, and the head fits",
            format!("delete from freehold.log where position > 60; {RECOMPUTE}"),
            What::LogCut,
        ),
        of(
            "everything is cut, rows and log",
            {
                let rows = [
                    behind("entries", "delete from entries where id > 10"),
                    behind("accounts_history", "delete from accounts_history where id > 10"),
                ]
                .concat();
                format!("{rows} delete from freehold.log where position > 40; {RECOMPUTE}")
            },
            What::LogCut,
        ),
        of(
            "the whole chain is computed anew",
            format!("update freehold.log set version = version + 1 where position = 40; {RECOMPUTE}"),
            What::LogRewritten,
        ),
        of(
            "the whole chain is computed anew in a forged epoch",
            format!("update freehold.log set epoch = 2; {RECOMPUTE}"),
            What::LogRewritten,
        ),
    ]
}
