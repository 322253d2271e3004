//! The locks that are told beside those that PostgreSQL takes.

use std::collections::BTreeMap;

use freehold_manifest::SourceFile;
use freehold_manifest::locks::{self, Lock, Statement, Work};
use tokio_postgres::Client;

use crate::migrate::Service;

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// What every statement meets.
const GROUND: &str = "
create table a (id int primary key, name text not null, code varchar(10), amount numeric(12, 2), n int, small smallint, at timestamptz(3));
create table b (id int primary key, a_id int);
create table parts (id int, at date) partition by range (at);
create table part_one (id int, at date not null);
create index a_by_name on a (name);
create unique index a_by_code on a (code);
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger a_touch before update on a for each row execute function f();
create policy everybody on a using (true);
alter table b add constraint b_positive check (a_id > 0) not valid;
insert into a (id, name) values (1, 'one');
";

/// Each is run by itself, in a transaction that is rolled back.
const STATEMENTS: &[&str] = &[
    "alter table a add column more text",
    "alter table a add column more text default 'x'",
    "alter table a add column more int not null default 3",
    "alter table a add column more timestamptz default now()",
    "alter table a add column more uuid default gen_random_uuid()",
    "alter table a add column more bigint generated always as identity",
    "alter table a add column more int generated always as (id * 2) stored",
    "alter table a add column more bigserial",
    "alter table a drop column n",
    "alter table a rename column n to m",
    "alter table a rename to c",
    "alter table a alter column n type bigint",
    "alter table a alter column small type integer",
    "alter table a alter column code type varchar(20)",
    "alter table a alter column code type text",
    "alter table a alter column code type varchar(5)",
    "alter table a alter column amount type numeric(14, 2)",
    "alter table a alter column amount type numeric(14, 3)",
    "alter table a alter column amount type numeric",
    "alter table a alter column at type timestamptz",
    "alter table a alter column name type jsonb using to_jsonb(name)",
    "alter table a alter column name set default 'x'",
    "alter table a alter column name drop not null",
    "alter table a alter column id set not null",
    "alter table a alter column name set statistics 200",
    "alter table a set (fillfactor = 70)",
    "alter table a set unlogged",
    "alter table a enable row level security",
    "alter table a disable trigger a_touch",
    "alter table a add constraint positive check (id > 0)",
    "alter table a add constraint positive check (id > 0) not valid",
    "alter table a add constraint codes unique using index a_by_code",
    "alter table a add constraint names unique (name)",
    "alter table b add constraint b_of_a foreign key (a_id) references a",
    "alter table b add constraint b_of_a foreign key (a_id) references a not valid",
    "alter table b validate constraint b_positive",
    "alter table b drop constraint b_positive",
    "alter table parts attach partition part_one for values from ('2026-01-01') to ('2027-01-01')",
    "create index a_by_n on a (n)",
    "drop index a_by_name",
    "create trigger a_more after insert on a for each row execute function f()",
    "drop trigger a_touch on a",
    "create policy mine on a using (id = 1)",
    "drop policy everybody on a",
    "comment on table a is 'x'",
    "comment on column a.name is 'x'",
    "insert into a (id, name) values (2, 'two')",
    "update a set name = 'x'",
    "delete from a",
    "truncate a",
    "drop table a",
    "lock table a in share mode",
    "lock table a",
    "create table c (id int primary key, a_id int references a)",
    "analyze a",
];

#[tokio::test]
async fn the_locks_that_are_told_are_those_that_postgresql_takes() -> Result {
    let service = Service::new().await?;
    let client = service.client().await?;
    client.batch_execute(GROUND).await?;
    let mut wrong = Vec::new();
    for sql in STATEMENTS {
        let told = told(sql)?;
        let found = found(&client, sql).await.map_err(|error| format!("{sql}: {error:?}"))?;
        for (table, (lock, rewritten)) in &found {
            let Some(said) = told.locks.iter().find(|said| &said.table == table) else {
                // Readers' locks stop nobody and are not told.
                if *lock > Lock::RowShare {
                    wrong.push(format!(
                        "{sql}: nothing told of {table}, which is locked {}",
                        lock.name()
                    ));
                }
                continue;
            };
            if said.lock != Some(*lock) && said.lock.is_some() {
                let said = said.lock.map_or("none", Lock::name);
                wrong.push(format!(
                    "{sql}: {said} told of {table}, which is locked {}",
                    lock.name()
                ));
            }
            if (said.work == Work::Rewrite) != *rewritten && !sql.starts_with("truncate") {
                wrong.push(format!(
                    "{sql}: {} told of {table}, rewritten: {rewritten}",
                    said.work.word()
                ));
            }
        }
        for said in told
            .locks
            .iter()
            .filter(|said| said.lock.is_some() && !found.contains_key(&said.table))
        {
            wrong.push(format!("{sql}: told of {}, which is not locked", said.table));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// What is told of a statement after the ground.
fn told(sql: &str) -> Result<Statement> {
    let files = [("0001_ground.sql", GROUND), ("0002_next.sql", sql)].map(|(path, text)| SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    });
    let mut read = locks::of_migrations(&files);
    let last = read.pop().flatten().ok_or("not read")?;
    Ok(last.into_iter().next().ok_or("no statement")?)
}

/// The strongest lock on each table that was there before, and whether the table was rewritten.
async fn found(client: &Client, sql: &str) -> Result<BTreeMap<String, (Lock, bool)>, tokio_postgres::Error> {
    let before: BTreeMap<u32, (String, u32)> = client
        .query(
            "select oid, relname::text, coalesce(pg_relation_filenode(oid), 0)
               from pg_class
              where relnamespace = 'public'::regnamespace
                and relkind in ('r', 'p')",
            &[],
        )
        .await?
        .iter()
        .map(|row| (row.get(0), (row.get(1), row.get(2))))
        .collect();
    client.batch_execute("begin").await?;
    client.batch_execute(sql).await?;
    let locks = client
        .query(
            "select relation, mode, coalesce(pg_relation_filenode(relation), 0)
               from pg_locks
              where pid = pg_backend_pid()
                and locktype = 'relation'
                and granted",
            &[],
        )
        .await?;
    client.batch_execute("rollback").await?;
    let mut found = BTreeMap::new();
    for row in &locks {
        let (oid, mode, file): (u32, &str, u32) = (row.get(0), row.get(1), row.get(2));
        let (Some((name, old)), Some(lock)) = (before.get(&oid), lock(mode)) else {
            continue;
        };
        let entry = found.entry(name.clone()).or_insert((lock, false));
        entry.0 = entry.0.max(lock);
        // A table that is gone has no file any more.
        entry.1 = file != 0 && file != *old;
    }
    Ok(found)
}

/// `AccessExclusiveLock`, as the catalogue writes it.
fn lock(mode: &str) -> Option<Lock> {
    let all = [
        Lock::AccessShare,
        Lock::RowShare,
        Lock::RowExclusive,
        Lock::ShareUpdateExclusive,
        Lock::Share,
        Lock::ShareRowExclusive,
        Lock::Exclusive,
        Lock::AccessExclusive,
    ];
    let written = |lock: &Lock| format!("{}lock", lock.name().replace(' ', "").to_lowercase());
    all.into_iter().find(|lock| written(lock) == mode.to_lowercase())
}
