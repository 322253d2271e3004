//! Projections that follow: with the append, after it, and what stops one.

use freehold::{ExpectedVersion, Service};

use super::{Acting, NOTES, caught_up, created, differences, edited, fold_words, note, stage};
use crate::behaviour::acting::{port, settings};
use crate::fixture::{Folder, Stage, number, refused, run, texts, until};

#[tokio::test]
async fn what_is_folded_with_the_append_is_seen_in_its_transaction_and_falls_with_it() {
    let stage = stage().await;
    let home = stage.home("notes");
    let acting = Acting::of(home).await;
    caught_up(home).await;
    let mut tx = acting.app.begin().await.expect("a transaction");
    tx.append(&note("a"), ExpectedVersion::NoStream, &[created("one"), edited("two")])
        .await
        .expect("appended");
    let row = tx
        .query_one("select text, at_version from note_texts where id = 'a'", &[])
        .await
        .expect("a row");
    assert_eq!((row.get::<_, &str>(0), row.get::<_, i64>(1)), ("two", 2));
    tx.rollback().await.expect("rolled back");
    assert_eq!(number(&home.sql, "select count(*) from note_texts").await, 0);
    // From SQL too, whoever writes.
    run(
        &home.app().await,
        r#"select freehold.append('note', 'a', 0, 'created', '{"text": "three"}')"#,
    )
    .await;
    assert_eq!(texts(&home.sql, "select text from note_texts").await, ["three"]);
}

#[tokio::test]
async fn every_projection_comes_to_what_the_events_add_up_to() {
    let stage = stage().await;
    let home = stage.home("notes");
    let acting = Acting::of(home).await;
    for n in 0..300 {
        let mut tx = acting.app.begin().await.expect("a transaction");
        let text = format!("words {} of {n}", "more ".repeat(n % 7));
        let stream = note(n % 23);
        tx.append(&stream, ExpectedVersion::Any, &[edited(&text), edited("two words")])
            .await
            .expect("appended");
        tx.commit().await.expect("committed");
    }
    caught_up(home).await;
    assert_eq!(differences(home).await, 0);
    // The same question finds what is wrong.
    run(
        &home.sql,
        "update note_words set words = words + 1 where id = '7'; delete from note_texts where id = '8'",
    )
    .await;
    assert_eq!(differences(home).await, 3);
}

#[tokio::test]
async fn a_fold_that_fails_stands_still_says_why_and_goes_on() {
    let stage = stage().await;
    let home = stage.home("notes");
    let _acting = Acting::of(home).await;
    let say = |text: &str| format!(r#"select freehold.append('note', 'a', null, 'created', '{{"text": "{text}"}}')"#);
    run(&home.sql, &say("poison")).await;
    until("it says why", || async {
        let why = "select coalesce(error, '') from freehold.projection where name = 'note_sums'";
        texts(&home.sql, why).await[0].contains("no_poison")
    })
    .await;
    run(&home.sql, &say("more")).await;
    until("the others go on", || async {
        number(&home.sql, "select coalesce(sum(events), 0)::bigint from note_words").await == 2
    })
    .await;
    assert_eq!(
        number(&home.sql, "select count(*) from note_sums").await,
        0,
        "nothing is passed over"
    );
    run(&home.sql, "alter table note_sums drop constraint no_poison").await;
    until("it goes on", || async {
        let done = "select count(*) from freehold.projection p join freehold.checkpoint c on c.projection = p.name
                    where p.name = 'note_sums' and p.error is null and c.position = 2";
        number(&home.sql, done).await == 1
    })
    .await;
    assert_eq!(number(&home.sql, "select sum(events)::bigint from note_sums").await, 2);
}

#[tokio::test]
async fn rows_of_a_published_table_are_folded_from_the_log() {
    let stage = stage().await;
    let home = stage.home("notes");
    let _acting = Acting::of(home).await;
    run(
        &home.app().await,
        "insert into tags values (1, 'red'), (2, 'blue');
         update tags set name = 'green' where id = 1;
         delete from tags where id = 1",
    )
    .await;
    caught_up(home).await;
    let said = "select id || ': ' || said from tag_changes order by id";
    let expected = ["1: 1 changed red, 2 changed green, 3 deleted", "2: 1 changed blue"];
    assert_eq!(texts(&home.sql, said).await, expected);
    run(
        &home.sql,
        "truncate tag_changes; select freehold.begin_rebuild('tag_changes')",
    )
    .await;
    caught_up(home).await;
    assert_eq!(texts(&home.sql, said).await, expected);

    // What the log no longer has is not taken for nothing.
    run(
        &home.sql,
        "delete from freehold.log where position = 1; select freehold.begin_rebuild('tag_changes')",
    )
    .await;
    until("it says why", || async {
        let why = "select coalesce(error, '') from freehold.projection where name = 'tag_changes'";
        texts(&home.sql, why).await[0].contains("the log no longer begins at its first message")
    })
    .await;
    assert_eq!(texts(&home.sql, said).await, expected);
}

#[tokio::test]
async fn a_projection_is_read_over_http_and_not_written() {
    let stage = stage().await;
    let home = stage.home("notes");
    let acting = Acting::of(home).await;
    caught_up(home).await;
    run(
        &home.sql,
        r#"select freehold.append('note', 'a', 0, 'created', '{"text": "x"}')"#,
    )
    .await;
    let url = format!("http://127.0.0.1:{}/note_texts", acting.port);
    let read = reqwest::get(&url)
        .await
        .expect("an answer")
        .text()
        .await
        .expect("a body");
    assert_eq!(read, r#"[{"id":"a","text":"x","at_version":1}]"#);
    let client = reqwest::Client::new();
    let body = r#"{"id":"b","text":"y","at_version":1}"#;
    for (method, url) in [
        ("POST", url.clone()),
        ("PATCH", format!("{url}?id=eq.a")),
        ("PUT", format!("{url}?id=eq.a")),
        ("DELETE", format!("{url}?id=eq.a")),
    ] {
        let method = method.parse().expect("a method");
        let asked = client
            .request(method, url)
            .header("content-type", "application/json")
            .body(body);
        let answer = asked.send().await.expect("an answer");
        assert_eq!(answer.status(), 405);
        assert_eq!(answer.headers()["allow"], "OPTIONS, GET, HEAD");
    }
}

#[tokio::test]
async fn a_projection_declared_otherwise_is_rebuilt_and_one_not_declared_is_forgotten() {
    let mut stage = Stage::open(&[NOTES]).await;
    {
        let home = stage.home("notes");
        let _acting = Acting::of(home).await;
        run(
            &home.sql,
            r#"select freehold.append('note', 'a', 0, 'created', '{"text": "x"}')"#,
        )
        .await;
        caught_up(home).await;
    }
    let shadows = "select count(*) from freehold.checkpoint where generation = 'shadow'";
    assert_eq!(number(&stage.home("notes").sql, shadows).await, 0);
    stage.install().await;
    assert_eq!(number(&stage.home("notes").sql, shadows).await, 0, "nothing changed");

    let other = NOTES.manifest.replace(
        "[projections.note_sums]\nstreams = [\"note\"]",
        "[projections.note_sums]\nstreams = [\"note\", \"visit\"]",
    );
    let cut = other.find("[projections.note_words]").expect("the last projection");
    let other = other[..cut].replace("[owns.note_words]\nmode = \"projection\"", "[owns.note_words]");
    let folder = Folder {
        manifest: &other,
        ..NOTES
    };
    stage.declare(&[folder]);
    stage.install().await;
    let home = stage.home("notes");
    let ordered = "select projection from freehold.checkpoint where generation = 'shadow'";
    assert_eq!(texts(&home.sql, ordered).await, ["note_sums"]);
    assert_eq!(number(&home.sql, "select count(*) from freehold.projection").await, 3);
}

#[tokio::test]
async fn a_fold_that_a_rebuild_could_not_lead_is_refused() {
    for (broken, says) in [
        (
            "create function f(events json) returns void language sql begin atomic insert into t values (1); end",
            "is bound to its tables",
        ),
        (
            "create function f(events json) returns void language sql set search_path = public as $$ select $$",
            "sets its own search_path",
        ),
        (
            "create function f(events jsonb) returns void language sql as $$ select $$",
            "folded by f(json)",
        ),
    ] {
        let migration = format!("create table t (id integer primary key); {broken}");
        let folder = Folder {
            name: "notes",
            manifest: "[streams.note]\nevents = [\"made\"]\n[owns.t]\nmode = \"projection\"\n
                       [projections.t]\nstreams = [\"note\"]\nfold = \"f\"",
            migration: &migration,
        };
        let stage = Stage::migrated("database", &[folder]).await;
        let refusal = stage.home("notes").install(&[]).await.unwrap_err().to_string();
        assert!(refusal.contains(says), "{refusal}");
    }
}

#[tokio::test]
async fn a_program_without_its_fold_is_refused() {
    let stage = stage().await;
    let home = stage.home("notes");
    let service = async || Service::new(home.service.clone(), settings(home, port().await, &[]));
    let told = service().await.run().await.unwrap_err().to_string();
    assert!(
        told.contains("folds projection note_words by its program, but registers no fold"),
        "{told}"
    );
    let stranger = service()
        .await
        .project("note_words", fold_words)
        .project("note_sums", fold_words);
    let told = stranger.run().await.unwrap_err().to_string();
    assert!(
        told.contains("for projection note_sums, which its manifest does not leave to it"),
        "{told}"
    );
}

#[tokio::test]
async fn streams_work_in_a_shared_database() {
    let stage = Stage::open_in("schema", &[NOTES]).await;
    let home = stage.home("notes");
    let acting = Acting::of(home).await;
    caught_up(home).await;
    let mut tx = acting.app.begin().await.expect("a transaction");
    tx.append(&note("a"), ExpectedVersion::NoStream, &[created("one two")])
        .await
        .expect("appended");
    tx.commit().await.expect("committed");
    caught_up(home).await;
    let sql = home.superuser().await;
    run(
        &sql,
        &home.place("select freehold.begin_rebuild(name) from freehold.projection"),
    )
    .await;
    caught_up(home).await;
    assert_eq!(texts(&sql, "select text from note_texts").await, ["one two"]);
    assert_eq!(number(&sql, "select words from note_words").await, 2);
    let (code, _) = refused(&home.app().await, &home.place("delete from freehold.stream_event")).await;
    assert_eq!(code, "42501");
}
