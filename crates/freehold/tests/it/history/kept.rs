//! Every version is there once, whoever wrote it and however.

use freehold::install::Outcome;

use super::{STORE, STORY, open};
use crate::fixture::{Folder, Stage, number, refused, run, texts};

/// Writers at once, and what each of them changes.
const WRITERS: usize = 8;
const CHANGES: usize = 40;

#[tokio::test]
async fn every_version_of_a_row_is_there_once_and_in_order_whatever_eight_writers_do() {
    let stage = open().await;
    let home = stage.home("store");
    run(
        &home.app().await,
        "insert into notes (id, text) select n, 'begun' from generate_series(1, 5) n",
    )
    .await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let app = home.app().await;
        writers.spawn(async move {
            for change in 0..CHANGES {
                // Some in transactions, of several rows in one order, and some that are rolled back.
                let end = if change % 5 == 4 { "rollback" } else { "commit" };
                let from = 1 + (writer + change) % 3;
                run(
                    &app,
                    &format!(
                        "begin; select from notes where id between {from} and 5 order by id for update;
                         update notes set text = '{writer}.{change}' where id between {from} and 5; {end}"
                    ),
                )
                .await;
            }
        });
    }
    writers.join_all().await;
    let sql = home.superuser().await;
    let wrong = "select count(*)
         from (
           select n.id, n.version, n.text, array_agg(h.version order by h.version) as versions,
             bool_and(h.at >= h.before) as timely,
             (array_agg(h.state ->> 'text' order by h.version desc))[1] as last
           from notes n
           join (select *, lag(at, 1, at) over (partition by id order by version) as before from notes_history) h using (id)
           group by n.id
         ) r
         where r.versions <> array(select generate_series(1, r.version)) or r.last <> r.text or not r.timely";
    assert_eq!(number(&sql, wrong).await, 0);
    let kept = WRITERS * CHANGES * 4 / 5;
    assert_eq!(
        number(&sql, "select version - 1 from notes where id = 5").await,
        i64::try_from(kept).expect("a few")
    );
}

#[tokio::test]
async fn a_deletion_and_a_return_are_versions_too() {
    let stage = open().await;
    let app = stage.home("store").app().await;
    run(
        &app,
        "insert into notes (id, text) values (1, 'first');
         update notes set text = 'second';
         delete from notes;
         insert into notes (id, text) values (1, 'again');
         update notes set text = 'and on';
         delete from notes;",
    )
    .await;
    let expected = [
        "1 insert first",
        "2 update second",
        "3 delete",
        "4 insert again",
        "5 update and on",
        "6 delete",
    ];
    assert_eq!(texts(&app, STORY).await, expected);
}

#[tokio::test]
async fn a_published_row_that_returns_has_the_version_that_its_copies_hear() {
    let stage = open().await;
    let home = stage.home("store");
    let app = home.app().await;
    run(
        &app,
        "insert into goods values ('a', 1, 'first'); update goods set name = 'second';
         delete from goods; insert into goods values ('a', 1, 'again'); update goods set name = 'and on';",
    )
    .await;
    let story = "select version || ' ' || operation from goods_history order by version";
    let expected = ["1 insert", "2 update", "3 delete", "4 insert", "5 update"];
    assert_eq!(texts(&app, story).await, expected);
    let said = "select version::text from freehold.outbox where topic = 'store.goods' order by id";
    assert_eq!(texts(&home.sql, said).await, ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn every_way_to_write_is_recorded() {
    let stage = open().await;
    let app = stage.home("store").app().await;
    run(
        &app,
        "insert into goods values ('a', 1, 'one'), ('a', 2, 'two') on conflict do nothing;
         insert into parts (shelf, place) values ('a', 1);
         insert into goods values ('a', 1, 'uno') on conflict (shelf, place) do update set name = excluded.name;
         merge into goods g using (values ('a', 2), ('a', 3)) v (shelf, place) on (g.shelf, g.place) = (v.shelf, v.place)
           when matched then update set name = 'merged' when not matched then insert values (v.shelf, v.place, 'new');
         with gone as (delete from goods where place = 1 returning *) select from gone;",
    )
    .await;
    let story = "select place || ' ' || string_agg(operation, ' ' order by version) from goods_history group by place order by 1";
    assert_eq!(
        texts(&app, story).await,
        ["1 insert update delete", "2 insert update", "3 insert"]
    );
    let cascaded = "select string_agg(operation, ' ' order by version) from parts_history";
    assert_eq!(texts(&app, cascaded).await, ["insert delete"]);
}

#[tokio::test]
async fn a_version_tells_who_made_it_and_in_which_trace_and_never_what_is_hidden() {
    let stage = open().await;
    let app = stage.home("store").app().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    run(
        &app,
        &format!(
            "begin; select set_config('fh.subject', 'ann', true);
             select set_config('fh.traceparent', '00-{trace}-00f067aa0ba902b7-01', true);
             set local timezone = 'Asia/Tokyo'; set local datestyle = 'German';
             insert into notes (id, text, secret) values (1, 'hers', 'the word'); commit;
             update notes set secret = 'another word';"
        ),
    )
    .await;
    let told = "select concat_ws(' ', version, who, trace_id) from notes_history order by version";
    assert_eq!(texts(&app, told).await, [format!("1 ann {trace}"), "2".to_owned()]);
    let state = "select state::text from notes_history where version = 1";
    let expected = r#"{"id": 1, "tags": null, "text": "hers", "length": 4, "version": 1, "written": "2026-01-02T01:04:05+00:00", "updated_at": "#;
    let held = texts(&app, state).await.remove(0);
    assert!(held.starts_with(expected), "{held}");
    assert_eq!(
        number(
            &app,
            "select count(*) from notes_history where state::text like '%word%'"
        )
        .await,
        0
    );
}

#[tokio::test]
async fn rows_that_were_there_before_their_history_are_found_by_it() {
    let without = STORE.manifest.replace("history = true\nhidden", "hidden");
    let mut stage = Stage::open(&[Folder {
        manifest: &without,
        ..STORE
    }])
    .await;
    let app = stage.home("store").app().await;
    run(
        &app,
        "insert into notes (id, text) values (1, 'old'); update notes set text = 'older'",
    )
    .await;
    stage.declare(&[STORE]);
    assert_eq!(stage.install().await, [Outcome::Installed]);
    assert_eq!(stage.install().await, [Outcome::Unchanged]);
    run(&app, "update notes set text = 'new'").await;
    assert_eq!(texts(&app, STORY).await, ["2 found older", "3 update new"]);

    stage.declare(&[Folder {
        manifest: &without,
        ..STORE
    }]);
    let error = stage
        .home("store")
        .install(&[])
        .await
        .expect_err("a history does not end");
    assert!(error.to_string().contains("the history of notes was begun"), "{error}");
}

#[tokio::test]
async fn a_history_follows_columns_that_come_and_go_and_change_their_type() {
    let stage = open().await;
    let home = stage.home("store");
    let (app, owner) = (home.app().await, home.owner().await);
    run(&app, "insert into notes (id, text) values (1, 'first')").await;
    run(
        &owner,
        "alter table notes add column colour text default 'red', drop column tags, alter column written type text",
    )
    .await;
    run(&app, "update notes set text = 'second'").await;
    assert_eq!(stage.install().await, [Outcome::Installed]);
    run(&app, "insert into notes (id, text) values (2, 'other')").await;
    let colours = "select version || ' ' || (state ? 'colour') || ' ' || (state ? 'tags') from notes_history order by id, version";
    assert_eq!(
        texts(&app, colours).await,
        ["1 false true", "2 true false", "1 true false"]
    );
}

#[tokio::test]
async fn nobody_writes_a_history_but_the_library() {
    let stage = open().await;
    let home = stage.home("store");
    let (app, owner) = (home.app().await, home.owner().await);
    run(&app, "insert into notes (id, text) values (1, 'first')").await;
    let changes = [
        "update notes_history set who = 'another'",
        "delete from notes_history",
        "truncate notes_history",
        "merge into notes_history h using notes n on n.id = h.id when matched then delete",
    ];
    for change in changes {
        assert_eq!(refused(&app, change).await.0, "42501", "{change}");
        assert_eq!(refused(&owner, change).await.0, "FH002", "{change}");
    }
    let insert = "insert into notes_history (id, version, operation, at) values (1, 9, 'update', now())";
    assert_eq!(refused(&app, insert).await.0, "42501");
    for (statement, code) in [("truncate notes", "FH003"), ("update notes set id = 2", "FH004")] {
        assert_eq!(refused(&owner, statement).await.0, code, "{statement}");
    }
    assert_eq!(number(&app, "select count(*) from notes_history").await, 1);
}
