//! A session that has ended has ended everywhere, before its token would.

use serde_json::json;
use uuid::Uuid;

use super::As::Token;
use super::mint::{FIRST, claims, now, token, token_of};
use super::{Desk, run, somebody};
use crate::fixture::until;

/// A token given so many seconds ago.
fn aged(subject: Uuid, seconds: u64) -> String {
    let mut aged = claims(subject);
    let given = now() - seconds;
    (aged["iat"], aged["nbf"], aged["exp"]) = (json!(given), json!(given), json!(given + 600));
    token_of(&aged, &FIRST)
}

async fn end(desk: &Desk, subject: Uuid, not_before: u64) {
    let auth = desk.stage.home("auth");
    let payload = json!({ "subject": subject, "not_before": not_before });
    let emit = format!("select freehold.emit('auth.sessions_ended', '{subject}', '{payload}')");
    run(&auth.sql, &auth.place(&emit)).await;
}

#[tokio::test]
async fn tokens_given_before_are_refused_and_later_ones_are_not() {
    let desk = Desk::open().await;
    let (subject, other) = (somebody(), somebody());
    let (old, others) = (aged(subject, 60), aged(other, 60));
    assert_eq!(desk.get("/notes", Token(&old)).await.status, 200);
    end(&desk, subject, now() - 30).await;
    until("the old token is refused", || async {
        desk.get("/notes", Token(&old)).await.status == 401
    })
    .await;
    let refused = desk.get("/notes", Token(&old)).await;
    assert_eq!(
        (refused.code().as_str(), refused.json()["type"].as_str()),
        ("PGRST303", Some("urn:freehold:problem:ended-session"))
    );
    assert_eq!(desk.get("/notes", Token(&others)).await.status, 200);
    assert_eq!(desk.get("/notes", Token(&token(subject))).await.status, 200);
    // An earlier end that is heard late takes nothing back.
    end(&desk, subject, now() - 500).await;
    end(&desk, other, now() + 1).await;
    until("the others' token is refused", || async {
        desk.get("/notes", Token(&others)).await.status == 401
    })
    .await;
    assert_eq!(desk.get("/notes", Token(&old)).await.status, 401);
}

#[tokio::test]
async fn what_ended_before_the_start_is_known_from_the_first_request_on() {
    let stage = crate::fixture::Stage::open(&[super::AUTH, super::NOTES]).await;
    let subject = somebody();
    let home = stage.home("notes");
    let known = format!("insert into freehold.sessions_ended values ('{subject}', {})", now());
    run(&home.sql, &home.place(&known)).await;
    let desk = Desk::open_with(stage, axum::Router::new(), |_| {}).await;
    assert_eq!(desk.get("/notes", Token(&aged(subject, 60))).await.status, 401);
    assert_eq!(desk.get("/notes", Token(&aged(somebody(), 60))).await.status, 200);
}
