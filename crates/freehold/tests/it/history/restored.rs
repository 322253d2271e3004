//! A row is brought back to an earlier version, as its caller and under a guard.

use freehold::install::Outcome;

use super::{STORY, open};
use crate::fixture::{refused, run, texts};

#[tokio::test]
async fn a_row_is_brought_back_by_a_new_version() {
    let stage = open().await;
    let app = stage.home("store").app().await;
    run(
        &app,
        "insert into notes (id, text, tags, secret) values (1, 'first', '{a,\"b, c\"}', 'kept');
         update notes set text = 'second', tags = null;
         select from restore_notes(1, 1, 2);",
    )
    .await;
    let row = "select concat_ws(' ', version, text, tags::text, length, secret, extract(hour from written at time zone 'utc')) from notes";
    assert_eq!(texts(&app, row).await, ["3 first {a,\"b, c\"} 5 kept 1"]);
    assert_eq!(
        texts(&app, STORY).await,
        ["1 insert first", "2 update second", "3 update first"]
    );
}

#[tokio::test]
async fn a_deleted_row_is_brought_back() {
    let stage = open().await;
    let app = stage.home("store").app().await;
    run(
        &app,
        "insert into goods values ('a', 1, 'first', 9.50); delete from goods; select from restore_goods('a', 1, 1, 2);
         insert into goods values ('b', 2, 'other'); insert into parts (shelf, place) values ('b', 2);
         delete from parts; select from restore_parts((select id from parts_history limit 1), 1, 2);",
    )
    .await;
    let row = "select concat_ws(' ', version, name, price) from goods where shelf = 'a'";
    assert_eq!(texts(&app, row).await, ["3 first 9.50"]);
    assert_eq!(
        texts(&app, "select concat_ws(' ', version, shelf, place) from parts").await,
        ["3 b 2"]
    );
}

#[tokio::test]
async fn a_stale_guard_and_an_unknown_version_change_nothing() {
    let stage = open().await;
    let app = stage.home("store").app().await;
    run(
        &app,
        "insert into notes (id, text) values (1, 'first'); update notes set text = 'second'",
    )
    .await;
    let refusals = [
        (
            "select restore_notes(1, 1, 1)",
            "FH021",
            "the row of notes is at another version than 1",
        ),
        (
            "select restore_notes(1, 1, null)",
            "FH021",
            "the row of notes is at another version than ",
        ),
        (
            "select restore_notes(1, 7, 2)",
            "FH022",
            "notes has no version 7 of this row",
        ),
        (
            "select restore_notes(2, 1, 1)",
            "FH022",
            "notes has no version 1 of this row",
        ),
    ];
    for (statement, code, message) in refusals {
        let (said, told) = refused(&app, statement).await;
        assert_eq!((said.as_str(), told.as_str()), (code, message), "{statement}");
    }
    run(&app, "delete from notes").await;
    // Version 3 is the deletion: it has no state to go back to.
    assert_eq!(refused(&app, "select restore_notes(1, 3, 3)").await.0, "FH022");
    assert_eq!(refused(&app, "select restore_notes(1, 1, 2)").await.0, "FH021");
    assert_eq!(
        texts(&app, STORY).await,
        ["1 insert first", "2 update second", "3 delete"]
    );
}

#[tokio::test]
async fn of_many_that_bring_a_row_back_at_once_one_does() {
    let stage = open().await;
    let home = stage.home("store");
    run(
        &home.app().await,
        "insert into notes (id, text) values (1, 'first'), (2, 'x'); update notes set text = 'second'; delete from notes where id = 2",
    )
    .await;
    let mut restored = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let app = home.app().await;
        restored.spawn(async move {
            let one = app.batch_execute("select restore_notes(1, 1, 2)").await.is_ok();
            let gone = app.batch_execute("select restore_notes(2, 1, 3)").await.is_ok();
            (one, gone)
        });
    }
    let done = restored.join_all().await;
    assert_eq!(done.iter().filter(|(one, _)| *one).count(), 1);
    assert_eq!(done.iter().filter(|(_, gone)| *gone).count(), 1);
}

#[tokio::test]
async fn what_a_version_does_not_know_stays_or_has_its_default() {
    let stage = open().await;
    let home = stage.home("store");
    let (app, owner) = (home.app().await, home.owner().await);
    run(
        &app,
        "insert into notes (id, text) values (1, 'first'), (2, 'gone'); delete from notes where id = 2",
    )
    .await;
    run(
        &owner,
        "alter table notes add column \"a, b\" text not null default 'red'",
    )
    .await;
    assert_eq!(stage.install().await, [Outcome::Installed]);
    run(
        &app,
        "update notes set text = 'second', \"a, b\" = 'blue';
         select from restore_notes(1, 1, 2); select from restore_notes(2, 1, 2);",
    )
    .await;
    let rows = "select concat_ws(' ', id, text, \"a, b\") from notes order by id";
    assert_eq!(texts(&app, rows).await, ["1 first blue", "2 gone red"]);
}

#[tokio::test]
async fn a_history_is_seen_and_brought_back_by_whoever_may_see_and_change_the_row() {
    let stage = open().await;
    let home = stage.home("store");
    let (app, owner) = (home.app().await, home.owner().await);
    run(
        &owner,
        "create policy own on notes using (split_part(text, ' ', 1) = current_setting('fh.subject', true));
         alter table notes enable row level security;",
    )
    .await;
    stage.install().await;
    run(&owner, "insert into notes (id, text) values (1, 'ann 1'), (2, 'bob 1'); update notes set text = replace(text, '1', '2')").await;
    let ann = "begin; select set_config('fh.subject', 'ann', true)";
    run(&app, ann).await;
    let seen = "select id || ' ' || version from notes_history order by 1";
    assert_eq!(texts(&app, seen).await, ["1 1", "1 2"]);
    run(&app, "select from restore_notes(1, 1, 2); savepoint a").await;
    assert_eq!(refused(&app, "select restore_notes(2, 1, 2)").await.0, "FH022");
    run(&app, "rollback to a; commit").await;
    let nobody = "select (select count(*) from notes_history) + (select count(*) from notes)";
    assert_eq!(crate::fixture::number(&app, nobody).await, 0);
    assert_eq!(
        texts(&owner, "select text from notes order by id").await,
        ["ann 1", "bob 2"]
    );
}
