//! What the application role can try, and what the owner can try without taking a wall down: all of it is refused.

use anyhow::Result;

use super::{Books, By};

/// What is tried on each table, where `@` stands for it and `#` for one of its columns.
const ON_TABLES: &[&str] = &[
    "update @ set # = 'forged'",
    "delete from @",
    "truncate @",
    "with gone as (delete from @ returning *) select from gone",
    "merge into @ t using (select 1) s on true when matched then update set # = 'forged'",
    "merge into @ t using (select 1) s on true when matched then delete",
];

/// What only the application role is refused: the owner may.
const FOR_THE_APP: &[&str] = &[
    "alter table @ disable trigger all",
    "alter table @ alter column # type text using 'forged'",
    "alter table @ rename to other",
    "drop table @",
    "create rule away as on insert to @ do instead nothing",
    "create trigger away before insert on @ for each row execute function freehold.refuse_change()",
    "create table child () inherits (@)",
    "alter table @ owner to current_user",
    "update freehold.log set payload = '{}'",
    "delete from freehold.log",
    "truncate freehold.log",
    "insert into freehold.log select * from freehold.log",
    "update freehold.log_000000001 set payload = '{}'",
    "update freehold.log_head set position = 1",
    "update freehold.topic set position = 1",
    "insert into freehold.outbox (topic, type, key, version) values ('ledger.entries.appended', 'ledger.entries.appended', '1', 1)",
    "delete from freehold.outbox",
    "delete from freehold.kept",
    "update freehold.witness set position = 1",
    "delete from freehold.witness",
    "create or replace function freehold.refuse_change() returns trigger language plpgsql as 'begin return new; end'",
    "set session_replication_role = replica",
];

/// What the owner is refused as long as the walls stand.
const FOR_THE_OWNER: &[&str] = &[
    "insert into entries (id, what) overriding system value values (1, 'forged') on conflict (id) do update set what = 'forged'",
    "truncate books cascade",
    "delete from books where id = 1",
    "update books set id = 3 where id = 1",
    "update freehold.witness set position = 1",
    "delete from freehold.witness",
    "truncate freehold.witness",
];

#[tokio::test]
async fn whatever_is_tried_without_taking_a_wall_down_is_refused() -> Result<()> {
    let books = Books::filled().await?;
    let (app, owner) = (books.enter(By::App).await?, books.enter(By::Owner).await?);
    // One that the witness table's walls can show themselves on.
    owner
        .batch_execute("insert into freehold.witness (producer, epoch, position, hash) values ('other', 1, 1, '')")
        .await?;
    let (mut refused, mut through) = (0, Vec::new());
    for (table, column) in [("entries", "what"), ("accounts_history", "operation")] {
        let asked = |sql: &&str| sql.replace('@', table).replace('#', column);
        let of_app = ON_TABLES.iter().chain(FOR_THE_APP).map(asked).map(|sql| (By::App, sql));
        let of_owner = ON_TABLES.iter().map(asked).map(|sql| (By::Owner, sql));
        for (by, sql) in of_app.chain(of_owner) {
            let (client, codes) = match by {
                By::App => (&app, &["42501"][..]),
                _ => (&owner, &["FH002"][..]),
            };
            match client.batch_execute(&sql).await {
                Err(error) if error.code().is_some_and(|code| codes.contains(&code.code())) => refused += 1,
                other => through.push(format!("{by:?}: {sql}: {other:?}")),
            }
        }
    }
    for sql in FOR_THE_OWNER {
        match owner.batch_execute(sql).await {
            Err(error) if error.code().is_some_and(|code| code.code() == "FH002") => refused += 1,
            other => through.push(format!("owner: {sql}: {other:?}")),
        }
    }
    // ALWAYS: not even so.
    let superuser = books.enter(By::Superuser).await?;
    superuser
        .batch_execute("set session_replication_role = replica")
        .await?;
    for sql in [
        "update entries set what = 'forged'",
        "delete from entries",
        "truncate entries",
        "delete from accounts_history",
    ] {
        match superuser.batch_execute(sql).await {
            Err(error) if error.code().is_some_and(|code| code.code() == "FH002") => refused += 1,
            other => through.push(format!("as a replica: {sql}: {other:?}")),
        }
    }
    let tried = 2 * (2 * ON_TABLES.len() + FOR_THE_APP.len()) + FOR_THE_OWNER.len() + 4;
    println!("{refused} of {tried} refused");
    assert!(through.is_empty(), "{}", through.join("\n"));
    assert_eq!(refused, tried);
    books.put_back().await?;
    let report = books.verify().await?;
    assert!(report.holds(), "{}", report.render());
    Ok(())
}
