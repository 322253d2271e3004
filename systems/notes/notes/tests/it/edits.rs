//! A note's edits: nobody loses one, and each version can be read.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::system::Notes;

/// Writers at once.
const WRITERS: usize = 100;

/// The longest random pause after losing a race, in milliseconds: ten times as many as there are writers.
const PAUSE_MAX_MS: u64 = 1_000;

#[tokio::test]
async fn whoever_edits_an_older_version_is_shown_both() -> Result<()> {
    let notes = Notes::open("database").await?;
    let ada = notes.join("ada").await?;
    let note = notes.note(&ada, "Tea").await?;
    let first = notes.edit(&ada, note, 0, &json!({ "write": "Green" })).await?.is(201)?;
    ensure!(first.tag.as_deref() == Some("\"1\""), "{first:?}");
    notes.edit(&ada, note, 1, &json!({ "append": " tea" })).await?.is(201)?;

    let lost = notes
        .edit(&ada, note, 1, &json!({ "append": " leaves" }))
        .await?
        .is(412)?;
    ensure!(lost.tag.as_deref() == Some("\"2\""), "{lost:?}");
    ensure!(
        lost.body["edited"] == json!({ "version": 1, "content": "Green" }),
        "{lost:?}"
    );
    ensure!(
        lost.body["current"] == json!({ "version": 2, "content": "Green tea" }),
        "{lost:?}"
    );

    for (version, content) in [(0, ""), (1, "Green"), (2, "Green tea")] {
        let then = notes
            .get(&ada, "notes", &format!("notes/{note}/at?version={version}"))
            .await?;
        ensure!(then.is(200)?.body["content"] == content, "version {version}");
    }
    notes
        .get(&ada, "notes", &format!("notes/{note}/at?version=3"))
        .await?
        .is(404)?;
    let now = notes
        .get(&ada, "notes", &format!("note_texts?id=eq.{note}"))
        .await?
        .is(200)?;
    ensure!(
        now.rows()[0]["content"] == "Green tea" && now.rows()[0]["at_version"] == 2,
        "{now:?}"
    );
    let unguarded = notes
        .post(&ada, "notes", &format!("notes/{note}/edits"), &json!({ "write": "" }))
        .await?;
    unguarded.is(428)?;

    // The row of the note itself is under its own version.
    let own = format!("notes?id=eq.{note}");
    let stale = [("if-match", "\"7\"")];
    let change = json!({ "title": "Coffee" });
    let refused = notes
        .ask(Some(&ada), reqwest::Method::PATCH, "notes", &own, &stale, Some(&change))
        .await?;
    refused.is(412)?;

    // A read model that is folded anew says the same, while edits go on.
    notes.freehold(&["projections", "rebuild"], &["notes", "note_texts"])?;
    notes.edit(&ada, note, 2, &json!({ "append": "!" })).await?.is(201)?;
    notes
        .until("the rebuild has ended", async || {
            let listed = notes.freehold(&["projections", "list"], &["--json"])?;
            Ok((!listed.contains("rebuild\":{") && !listed.contains("rebuilding")).then_some(()))
        })
        .await?;
    let now = notes
        .get(&ada, "notes", &format!("note_texts?id=eq.{note}"))
        .await?
        .is(200)?;
    ensure!(now.rows()[0]["content"] == "Green tea!", "{now:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_writers_of_one_note_none_loses_an_edit() -> Result<()> {
    let notes = std::sync::Arc::new(Notes::open("database").await?);
    let ada = notes.join("ada").await?;
    let note = notes.note(&ada, "Tea").await?;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (notes, ada) = (notes.clone(), ada.clone());
        writers.spawn(async move {
            let mut version = 0;
            let mut lost = 0;
            loop {
                let answer = notes
                    .edit(&ada, note, version, &json!({ "append": format!("<{writer}>") }))
                    .await?;
                match answer.status {
                    201 => return anyhow::Ok(lost),
                    412 => {
                        let current = answer.body["current"]["version"].as_i64();
                        version = anyhow::Context::context(current, "the current version")?;
                        lost += 1;
                    }
                    _ => anyhow::bail!("{answer:?}"),
                }
                tokio::time::sleep(std::time::Duration::from_millis(fastrand::u64(..PAUSE_MAX_MS))).await;
            }
        });
    }
    let mut lost = 0;
    while let Some(writer) = writers.join_next().await {
        lost += writer??;
    }
    let now = notes
        .get(&ada, "notes", &format!("note_texts?id=eq.{note}"))
        .await?
        .is(200)?;
    let content = now.rows()[0]["content"].as_str().unwrap_or_default();
    for writer in 0..WRITERS {
        ensure!(
            content.matches(&format!("<{writer}>")).count() == 1,
            "{writer}: {content}"
        );
    }
    ensure!(now.rows()[0]["at_version"] == WRITERS, "{now:?}");
    println!("edits: {WRITERS} of {WRITERS} arrived once, {lost} were told the current version and tried again");
    Ok(())
}
