//! A state loaded from its stream: batches, snapshots, shapes of old.

use freehold::{Aggregate, Error, ExpectedVersion, Folds};
use serde::{Deserialize, Serialize};

use super::{Acting, Created, Edited, Note, created, edited, note, stage};
use crate::fixture::{Home, number, run};

#[tokio::test]
async fn a_long_stream_is_loaded_in_order() {
    let stage = stage().await;
    let acting = Acting::of(stage.home("notes")).await;
    let mut tx = acting.app.begin().await.expect("a transaction");
    let events: Vec<_> = (1..=600).map(|n| edited(&n.to_string())).collect();
    tx.append(&note("a"), ExpectedVersion::NoStream, &[created("0")])
        .await
        .expect("appended");
    tx.append(&note("a"), ExpectedVersion::Exact(1), &events)
        .await
        .expect("appended");
    tx.append(&note("b"), ExpectedVersion::Any, &events)
        .await
        .expect("appended");
    tx.append(&note("a"), ExpectedVersion::Any, &events)
        .await
        .expect("appended");
    let loaded = tx.load::<Note>("a").await.expect("loaded");
    assert_eq!((loaded.version, loaded.read), (1201, 1201));
    let expected = std::iter::once(0)
        .chain(1..=600)
        .chain(1..=600)
        .map(|n: i32| n.to_string());
    assert!(loaded.state.texts.iter().cloned().eq(expected));
    let none = tx.load::<Note>("nobody").await.expect("loaded");
    assert_eq!((none.state, none.version), (Note::default(), 0));
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Count {
    events: u64,
}

impl Aggregate for Count {
    const STREAM: &'static str = "note";
    // Another shape than `Note`'s, under the same stream.
    const SCHEMA: i32 = 2;

    fn folds() -> Folds<Self> {
        Folds::begin()
            .on(|count: &mut Self, _: Created| count.events += 1)
            .on(|count: &mut Self, _: Edited| count.events += 1)
    }
}

#[tokio::test]
async fn a_snapshot_saves_reading_and_one_of_another_schema_is_not_read() {
    let stage = stage().await;
    let acting = Acting::of(stage.home("notes")).await;
    let mut tx = acting.app.begin().await.expect("a transaction");
    let events = [created("0"), edited("1"), edited("2")];
    tx.append(&note("a"), ExpectedVersion::NoStream, &events)
        .await
        .expect("appended");
    let whole = tx.load::<Note>("a").await.expect("loaded");
    tx.save_snapshot(&whole).await.expect("saved");
    tx.append(&note("a"), ExpectedVersion::Exact(3), &[edited("3")])
        .await
        .expect("appended");
    let loaded = tx.load::<Note>("a").await.expect("loaded");
    assert_eq!((loaded.version, loaded.read), (4, 1));
    assert_eq!(loaded.state.texts, ["0", "1", "2", "3"]);
    // An older state does not take the place of a newer one.
    tx.save_snapshot(&loaded).await.expect("saved");
    tx.save_snapshot(&whole).await.expect("saved");
    assert_eq!(tx.load::<Note>("a").await.expect("loaded").read, 0);
    // A new release means another state: it reads all again, and its snapshot takes the place.
    let count = tx.load::<Count>("a").await.expect("loaded");
    assert_eq!((count.state.events, count.read), (4, 4));
    tx.save_snapshot(&count).await.expect("saved");
    assert_eq!(tx.load::<Count>("a").await.expect("loaded").read, 0);
    assert_eq!(tx.load::<Note>("a").await.expect("loaded").read, 4);
}

/// Appends an event of some shape, as some release did.
async fn said(home: &Home, event: &str, body: &str, schema: i32) {
    run(
        &home.sql,
        &format!("select freehold.append('note', 'a', null, '{event}', '{body}', {schema})"),
    )
    .await;
}

#[tokio::test]
async fn an_old_shape_is_lifted_and_a_newer_one_is_refused() {
    let stage = stage().await;
    let home = stage.home("notes");
    let acting = Acting::of(home).await;
    said(home, "edited", "\"an old one\"", 1).await;
    said(home, "edited", r#"{"text": "a new one", "by": null}"#, 2).await;
    let tx = acting.app.begin().await.expect("a transaction");
    assert_eq!(
        tx.load::<Note>("a").await.expect("loaded").state.texts,
        ["an old one", "a new one"]
    );
    let stored = number(
        &home.sql,
        "select count(*) from freehold.stream_event where body::text = '\"an old one\"'",
    )
    .await;
    assert_eq!(stored, 1, "what is stored stays");

    said(home, "edited", "{}", 3).await;
    let error = tx.load::<Note>("a").await.unwrap_err();
    assert!(matches!(&error, Error::Behaviour { .. }), "{error}");
    assert!(error.to_string().contains("shape 3 by a newer release"), "{error}");
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Deaf;

impl Aggregate for Deaf {
    const STREAM: &'static str = "note";
    const SCHEMA: i32 = 1;

    fn folds() -> Folds<Self> {
        Folds::begin().ignore::<Created>()
    }
}

#[tokio::test]
async fn an_event_that_no_fold_names_is_not_forgotten_silently() {
    let stage = stage().await;
    let home = stage.home("notes");
    let acting = Acting::of(home).await;
    said(home, "created", r#"{"text": "x"}"#, 1).await;
    let tx = acting.app.begin().await.expect("a transaction");
    assert_eq!(tx.load::<Deaf>("a").await.expect("loaded").version, 1);
    said(home, "edited", r#"{"text": "x", "by": null}"#, 2).await;
    let error = tx.load::<Deaf>("a").await.unwrap_err();
    assert!(
        error.to_string().contains("nothing says what edited does to a note"),
        "{error}"
    );
}
