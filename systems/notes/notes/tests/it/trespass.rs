//! Every route of every service, asked by the wrong user, by nobody and with a forged token.

use anyhow::{Result, ensure};
use freehold::testing::{Owned, Trial, trespass};
use reqwest::Method;
use serde_json::{Value, json};

use crate::people::{PASSWORD, Person};
use crate::system::Notes;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_for_what_is_anothers_gets_nothing() -> Result<()> {
    let notes = Notes::open("database").await?;
    let (ada, bob) = (notes.join("ada").await?, notes.join("bob").await?);
    let profile = json!({ "name": "heliotrope", "profile_data": { "motto": "vermilion" } });
    let own = format!("users?id=eq.{}", ada.id);
    notes.patch(&ada, "user", &own, &profile).await?.good()?;
    notes.note(&bob, "of another").await?;
    let note = notes.note(&ada, "chartreuse").await?.to_string();
    let tag = notes
        .post(&ada, "notes", "tags", &json!({ "name": "cerulean" }))
        .await?;
    let tag = tag.is(201)?;
    let tag = tag.rows().first().unwrap_or(&tag.body)["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let tagged = json!({ "note_id": note, "tag_id": tag });
    notes.post(&ada, "notes", "note_tags", &tagged).await?.is(201)?;
    notes
        .edit(&ada, note.parse()?, 0, &json!({ "write": "magenta" }))
        .await?
        .is(201)?;
    let activity = format!("note_activity?id=eq.{note}");
    notes
        .until("the activity is folded", async || {
            let seen = notes.get(&ada, "notes", &activity).await?.is(200)?;
            Ok((seen.rows().len() == 1).then_some(()))
        })
        .await?;

    let half = ada.token.len() / 2;
    let forged = [
        (
            "its signature cut off",
            ada.token
                .rsplit_once('.')
                .map_or(String::new(), |(head, _)| format!("{head}.")),
        ),
        (
            "a letter changed",
            format!("{}x{}", &ada.token[..half], &ada.token[half + 1..]),
        ),
    ];
    let id = ada.id.to_string();
    let rows = [
        Owned::new("notes", &[("id", &note)], &["chartreuse", &id]),
        Owned::new("notes_history", &[("id", &note), ("version", "1")], &["chartreuse"]),
        Owned::new("tags", &[("id", &tag)], &["cerulean"]),
        Owned::new("note_tags", &[("note_id", &note), ("tag_id", &tag)], &[]),
        Owned::new("note_texts", &[("id", &note)], &["magenta"]),
        Owned::new("note_activity", &[("id", &note)], &[]),
    ];
    let profiles = [
        Owned::new("users", &[("id", &id)], &["heliotrope", "vermilion"]),
        Owned::new("users_history", &[("id", &id), ("version", "2")], &["heliotrope"]),
    ];
    for (service, rows) in [("notes", &rows[..]), ("user", &profiles[..])] {
        let url = notes.url(service, "");
        let report = trespass(&Trial {
            url: url.trim_end_matches('/'),
            owner: &ada.token,
            rows,
            stranger: &bob.token,
            forged: &forged,
        })
        .await?;
        println!("{service}: {report}");
        ensure!(report.is_clean(), "{service}: {report}");
    }

    // The routes of the services' own, which no document describes.
    let mut tried = 0;
    for (service, method, path, body, as_stranger) in own_routes(&notes, &ada, &note).await? {
        let fake = Person {
            token: forged[1].1.clone(),
            ..bob.clone()
        };
        for (who, status) in [(Some(&bob), as_stranger), (Some(&fake), 401), (None, 401)] {
            let guard = [("if-match", "\"1\"")];
            let answer = notes
                .ask(who, method.clone(), service, &path, &guard, body.as_ref())
                .await?;
            tried += 1;
            let shown = answer.body.to_string();
            let leaks = ["chartreuse", "magenta", "heliotrope", &ada.email, &id];
            ensure!(
                answer.status == status && !leaks.iter().any(|leak| shown.contains(leak)),
                "{method} {path} as {who:?}: {answer:?}"
            );
        }
    }
    let text = notes
        .get(&ada, "notes", &format!("note_texts?id=eq.{note}"))
        .await?
        .is(200)?;
    ensure!(text.rows()[0]["content"] == "magenta", "{text:?}");
    let sessions = notes.get(&ada, "auth", "me/sessions").await?.is(200)?;
    ensure!(sessions.body.to_string().len() > 10, "{sessions:?}");
    println!("routes of the services' own: 0 leaks of {tried}");
    Ok(())
}

/// Each with the status that a signed-in stranger gets.
async fn own_routes(
    notes: &Notes,
    ada: &Person,
    note: &str,
) -> Result<Vec<(&'static str, Method, String, Option<Value>, u16)>> {
    let sessions = notes.get(ada, "auth", "me/sessions").await?.is(200)?;
    let session = sessions.rows().first().map(|row| row["id"].clone()).unwrap_or_default();
    let session = session.as_str().unwrap_or_default().to_owned();
    ensure!(!session.is_empty(), "{sessions:?}");
    let wrong = Some(json!({ "password": PASSWORD.to_uppercase() }));
    Ok(vec![
        ("notes", Method::GET, format!("notes/{note}/edits"), None, 404),
        ("notes", Method::GET, format!("notes/{note}/at?version=1"), None, 404),
        (
            "notes",
            Method::POST,
            format!("notes/{note}/edits"),
            Some(json!({ "write": "" })),
            404,
        ),
        (
            "notes",
            Method::POST,
            format!("notes/{note}/edits"),
            Some(json!({ "append": "x" })),
            404,
        ),
        ("auth", Method::DELETE, format!("me/sessions/{session}"), None, 404),
        ("auth", Method::POST, "me/delete".to_owned(), wrong, 403),
    ])
}
