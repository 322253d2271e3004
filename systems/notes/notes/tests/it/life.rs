//! An account from its first day to its last.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::people::PASSWORD;
use crate::system::Notes;

#[tokio::test]
async fn with_an_account_go_its_profile_and_notes() -> Result<()> {
    live_and_leave("database").await
}

#[tokio::test]
async fn in_schemas_of_one_database_it_is_the_same() -> Result<()> {
    live_and_leave("schema").await
}

async fn live_and_leave(placement: &str) -> Result<()> {
    let notes = Notes::open(placement).await?;
    let (ada, bob) = (notes.join("ada").await?, notes.join("bob").await?);
    let (hers, his) = (notes.note(&ada, "Hers").await?, notes.note(&bob, "His").await?);
    notes
        .edit(&ada, hers, 0, &json!({ "write": "of ada" }))
        .await?
        .is(201)?;
    notes.edit(&bob, his, 0, &json!({ "write": "of bob" })).await?.is(201)?;
    let history = notes
        .get(&ada, "user", &format!("users_history?id=eq.{}", ada.id))
        .await?
        .is(200)?;
    let named = history.rows().iter().find(|version| version["operation"] == "update");
    let named = named.context("the version with the name")?;
    let trace = named["trace_id"].as_str().unwrap_or_default();
    ensure!(
        named["who"] == ada.id.to_string() && named["state"]["name"] == "ada" && trace.len() == 32,
        "{history:?}"
    );

    let wrong = json!({ "password": "not my password" });
    notes.post(&ada, "auth", "me/delete", &wrong).await?.is(403)?;
    notes
        .post(&ada, "auth", "me/delete", &json!({ "password": PASSWORD }))
        .await?
        .is(204)?;
    let account = json!({ "email": ada.email, "password": PASSWORD });
    notes.post(&ada, "auth", "login", &account).await?.is(401)?;

    // Her token still says who she was; there is nothing left for her to see, and soon the token is refused too.
    for (service, path) in [("user", "users"), ("notes", "notes"), ("notes", "note_texts")] {
        notes
            .until(&format!("{path} of {service} are gone"), async || {
                let left = notes.get(&ada, service, path).await?;
                Ok((left.status == 401 || left.rows().is_empty()).then_some(()))
            })
            .await?;
    }
    let kept = notes.get(&bob, "notes", "note_texts").await?.is(200)?;
    ensure!(
        kept.rows().len() == 1 && kept.rows()[0]["content"] == "of bob",
        "{kept:?}"
    );
    Ok(())
}
