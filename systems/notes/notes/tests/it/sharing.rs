//! Whose a note is, and who else may see it.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::system::Notes;

#[tokio::test]
async fn a_note_is_its_owners_until_it_is_shared() -> Result<()> {
    let notes = Notes::open("database").await?;
    let (ada, bob) = (notes.join("ada").await?, notes.join("bob").await?);
    let note = notes.note(&ada, "Secret").await?;
    notes.edit(&ada, note, 0, &json!({ "write": "hush" })).await?.is(201)?;

    let own = format!("notes?id=eq.{note}");
    let paths = [
        own.clone(),
        format!("note_texts?id=eq.{note}"),
        format!("notes_history?id=eq.{note}"),
        format!("note_activity?id=eq.{note}"),
    ];
    for path in &paths {
        let seen = notes.get(&bob, "notes", path).await?.is(200)?;
        ensure!(seen.rows().is_empty(), "{path}: {seen:?}");
    }
    for path in ["edits", "at?version=1"] {
        notes
            .get(&bob, "notes", &format!("notes/{note}/{path}"))
            .await?
            .is(404)?;
    }
    notes.edit(&bob, note, 1, &json!({ "write": "loud" })).await?.is(404)?;

    let share = json!({ "note_id": note, "user_id_ref": bob.id });
    let shared = notes.until("the notes service knows bob", async || {
        let shared = notes.post(&ada, "notes", "shares", &share).await?;
        Ok((shared.status == 201).then_some(shared))
    });
    shared.await?;
    let seen = notes.get(&bob, "notes", &own).await?.is(200)?;
    ensure!(seen.rows().len() == 1, "{seen:?}");
    notes.edit(&bob, note, 1, &json!({ "write": "loud" })).await?.is(403)?;
    let theft = notes
        .patch(&bob, "notes", &own, &json!({ "title": "Mine" }))
        .await?
        .good()?;
    ensure!(theft.rows().is_empty(), "{theft:?}");
    let name = notes.until("bob's name arrives", async || {
        let shares = notes.get(&ada, "notes", "shares").await?.is(200)?;
        Ok((shares.rows()[0]["user_name"] == "bob").then_some(()))
    });
    name.await?;

    let path = format!("shares?note_id=eq.{note}&user_id_ref=eq.{}", bob.id);
    let raised = notes
        .patch(&bob, "notes", &path, &json!({ "may_edit": true }))
        .await?
        .good()?;
    ensure!(raised.rows().is_empty(), "{raised:?}");
    notes
        .patch(&ada, "notes", &path, &json!({ "may_edit": true }))
        .await?
        .good()?;
    notes.edit(&bob, note, 1, &json!({ "append": "!" })).await?.is(201)?;
    let stolen = notes
        .patch(&bob, "notes", &own, &json!({ "user_id_ref": bob.id }))
        .await?;
    ensure!(stolen.status >= 400, "{stolen:?}");

    notes.delete(&ada, "notes", &path).await?.good()?;
    let seen = notes.get(&bob, "notes", &own).await?.is(200)?;
    ensure!(seen.rows().is_empty(), "{seen:?}");
    Ok(())
}
