//! Appends: versions, conflicts, order, walls.

use freehold::{Error, ExpectedVersion, NewEvent};
use tokio::task::JoinSet;

use super::{Acting, Note, created, edited, note, stage};
use crate::fixture::{number, refused, run, texts};

#[tokio::test]
async fn an_append_says_what_it_expects_and_learns_what_there_is() {
    let stage = stage().await;
    let acting = Acting::of(stage.home("notes")).await;
    let append = async |expected, events: &[NewEvent]| {
        let mut tx = acting.app.begin().await?;
        let version = tx.append(&note("a"), expected, events).await?;
        tx.commit().await?;
        Ok(version)
    };
    let current = |outcome: Result<i64, Error>| match outcome {
        Err(Error::Conflict { current, .. }) => current,
        other => panic!("not a conflict: {other:?}"),
    };
    assert_eq!(current(append(ExpectedVersion::Exact(1), &[edited("x")]).await), 0);
    let made = append(ExpectedVersion::NoStream, &[created("one"), edited("two")]).await;
    assert_eq!(made.expect("appended"), 2);
    assert_eq!(current(append(ExpectedVersion::NoStream, &[created("x")]).await), 2);
    assert_eq!(current(append(ExpectedVersion::Exact(1), &[edited("x")]).await), 2);
    assert_eq!(
        append(ExpectedVersion::Exact(2), &[edited("three")])
            .await
            .expect("appended"),
        3
    );
    assert_eq!(
        append(ExpectedVersion::Any, &[edited("four")]).await.expect("appended"),
        4
    );
    assert_eq!(
        append(ExpectedVersion::Any, &[])
            .await
            .map_err(|e| e.to_string())
            .unwrap_err(),
        "postgresql: 0 events in one append (22023)"
    );
    let told = "select string_agg(version || ' ' || event || ' ' || (body ->> 'text'), ', ' order by id) from freehold.stream_event";
    let told = texts(&stage.home("notes").sql, told).await;
    assert_eq!(told, ["1 created one, 2 edited two, 3 edited three, 4 edited four"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_writers_of_one_stream_none_is_lost_and_each_loser_learns_the_version() {
    const WRITERS: usize = 100;
    let stage = stage().await;
    let home = stage.home("notes");
    let acting = Acting::of(home).await;
    let mut writers = JoinSet::new();
    for n in 0..WRITERS {
        let app = acting.app.clone();
        writers.spawn(async move {
            let mut lost = 0_usize;
            loop {
                let mut tx = app.begin().await.expect("a transaction");
                let loaded = tx.load::<Note>("a").await.expect("loaded");
                match tx
                    .append(&loaded.id, loaded.expected(), &[edited(&n.to_string())])
                    .await
                {
                    Ok(version) => {
                        assert_eq!(version, loaded.version + 1);
                        tx.commit().await.expect("committed");
                        return lost;
                    }
                    Err(Error::Conflict { current, .. }) => {
                        assert!(current > loaded.version, "{current} after {}", loaded.version);
                        lost += 1;
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        });
    }
    let mut lost = 0;
    while let Some(writer) = writers.join_next().await {
        lost += writer.expect("a writer ends");
    }
    println!("{WRITERS} writers, {lost} conflicts");
    assert!(lost > 0, "nobody met anybody");
    let told =
        "select count(distinct body ->> 'text') || ' ' || count(*) || ' ' || max(version) from freehold.stream_event";
    assert_eq!(texts(&home.sql, told).await, ["100 100 100"]);
}

#[tokio::test]
async fn a_slow_commit_is_not_passed_over() {
    let stage = stage().await;
    let home = stage.home("notes");
    let (slow, quick) = (home.superuser().await, home.superuser().await);
    let say = |key: &str| format!(r#"select freehold.append('note', '{key}', null, 'created', '{{"text": "x"}}')"#);
    run(&slow, &format!("begin; {}", say("slow"))).await;
    run(&quick, &say("quick")).await;
    let order = "select freehold.order_events(10)::bigint";
    assert_eq!(number(&home.sql, order).await, 1);
    // What a reader of ids would take for all there is.
    let seen = number(&home.sql, "select max(id) from freehold.stream_event").await;
    run(&slow, "commit").await;
    assert_eq!(number(&home.sql, order).await, 1);
    let by_id = format!("select count(*) from freehold.stream_event where id > {seen}");
    assert_eq!(number(&home.sql, &by_id).await, 0, "the id alone passes it over");
    let by_position = "select string_agg(e.key, ' ' order by o.position) from freehold.stream_order o
                       join freehold.stream_event e on e.id = o.event";
    assert_eq!(texts(&home.sql, by_position).await, ["quick slow"]);
}

#[tokio::test]
async fn what_was_appended_stays() {
    let stage = stage().await;
    let home = stage.home("notes");
    let (owner, app) = (home.owner().await, home.app().await);
    run(
        &app,
        r#"select freehold.append('note', 'a', 0, 'created', '{"text": "x"}')"#,
    )
    .await;
    run(&home.sql, "select freehold.order_events(10)").await;
    for table in ["stream_event", "stream_order"] {
        for change in [
            format!("delete from freehold.{table}"),
            format!("truncate freehold.{table}"),
        ] {
            let (code, _) = refused(&owner, &change).await;
            assert_eq!(code, "FH002", "{change}");
            let (code, _) = refused(&app, &change).await;
            assert_eq!(code, "42501", "{change}");
        }
    }
    let (code, _) = refused(&owner, "update freehold.stream_event set body = '{}'").await;
    assert_eq!(code, "FH002");
    for write in [
        "insert into freehold.stream_order values (2, 2)",
        "insert into freehold.stream values ('note', 'b', 1)",
        "update freehold.checkpoint set position = 7",
        "delete from freehold.stream_waiting",
    ] {
        let (code, _) = refused(&app, write).await;
        assert_eq!(code, "42501", "{write}");
    }
}

#[tokio::test]
async fn only_what_is_declared_happens() {
    let stage = stage().await;
    let home = stage.home("notes");
    for (stream, event) in [("note", "made"), ("notes", "created")] {
        let append = format!("select freehold.append('{stream}', 'a', null, '{event}', '{{}}')");
        let (code, message) = refused(&home.sql, &append).await;
        assert_eq!(
            (&*code, message.contains("is not declared")),
            ("FH005", true),
            "{message}"
        );
    }
    let acting = Acting::of(home).await;
    let mut tx = acting.app.begin().await.expect("a transaction");
    let other = freehold::StreamId::new("visit", "a");
    let error = tx
        .append(&other, ExpectedVersion::Any, &[created("x")])
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("created is an event of stream note"),
        "{error}"
    );
}

#[tokio::test]
async fn a_published_stream_is_heard_and_a_private_one_is_not() {
    let stage = stage().await;
    let home = stage.home("notes");
    run(
        &home.sql,
        r#"select freehold.append('note', 'a', null, array['created', 'edited'], array[1, 2],
                                  array['{"text": "x"}', E'{"text":\n"y"}']::json[]);
           select freehold.append('visit', 'v', null, 'made', '{}');
           select freehold.sequence(10)"#,
    )
    .await;
    let heard = "select topic || ' ' || type || ' ' || key || ' ' || version || ' ' || (payload ->> 'text')
                 from freehold.log order by position";
    let heard = texts(&home.sql, heard).await;
    assert_eq!(
        heard,
        [
            "notes.note notes.note.created a 1 x",
            "notes.note notes.note.edited a 2 y"
        ]
    );
    assert_eq!(home.service.topics(), ["notes.tags", "notes.note"]);
}
