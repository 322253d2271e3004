//! Keys come, go and stay, and no request waits for the auth service.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::json;

use super::mint::{FIRST, SECOND, claims, token, token_of};
use super::{As, Desk, somebody};
use crate::fixture::until;

/// Longer than the shortest wait between two fetches.
const FETCH_MIN: Duration = Duration::from_millis(2500);

#[tokio::test]
async fn a_new_key_is_found_by_the_first_token_that_it_signs() {
    let desk = Desk::open().await;
    until("keys are there", || async {
        desk.get("/notes", As::Token(&token(somebody()))).await.status == 200
    })
    .await;
    tokio::time::sleep(FETCH_MIN).await;
    desk.published.publish(&[&FIRST, &SECOND]);
    for _ in 0..3 {
        let new = token_of(&claims(somebody()), &SECOND);
        assert_eq!(desk.get("/notes", As::Token(&new)).await.status, 200);
        assert_eq!(desk.get("/notes", As::Token(&token(somebody()))).await.status, 200);
    }
}

#[tokio::test]
async fn a_key_that_is_published_no_more_is_not_taken() {
    let desk = Desk::open().await;
    let old = token(somebody());
    until("keys are there", || async {
        desk.get("/notes", As::Token(&old)).await.status == 200
    })
    .await;
    desk.published.publish(&[&SECOND]);
    // Somebody asks for the new one: the fetch brings the end of the old one, too.
    let new = token_of(&claims(somebody()), &SECOND);
    until("the new key is there", || async {
        desk.get("/notes", As::Token(&new)).await.status == 200
    })
    .await;
    assert_eq!(desk.get("/notes", As::Token(&old)).await.status, 401);
}

#[tokio::test]
async fn keys_stay_when_the_auth_service_is_away() {
    let desk = Desk::open().await;
    let right = token(somebody());
    until("keys are there", || async {
        desk.get("/notes", As::Token(&right)).await.status == 200
    })
    .await;
    for (status, body) in [
        (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        (StatusCode::OK, json!({ "keys": [] }).to_string()),
        (StatusCode::OK, "x".repeat(100_000)),
        (StatusCode::FOUND, String::new()),
    ] {
        let asked = desk.published.asked();
        desk.published.answer(status, body);
        let unknown = token_of(&claims(somebody()), &SECOND);
        until("keys are fetched again", || async {
            desk.get("/notes", As::Token(&unknown)).await.status == 401 && desk.published.asked() > asked
        })
        .await;
        assert_eq!(desk.get("/notes", As::Token(&right)).await.status, 200, "{status}");
    }
}

#[tokio::test]
async fn strangers_do_not_choose_how_often_keys_are_fetched() {
    let desk = Desk::open().await;
    let right = token(somebody());
    until("keys are there", || async {
        desk.get("/notes", As::Token(&right)).await.status == 200
    })
    .await;
    let (asked, begun) = (desk.published.asked(), Instant::now());
    let unknown = token_of(&claims(somebody()), &SECOND);
    for _ in 0..200 {
        assert_eq!(desk.get("/notes", As::Token(&unknown)).await.status, 401);
    }
    let most = begun.elapsed().as_secs() / 2 + 1;
    let fetched = desk.published.asked() - asked;
    assert!(fetched as u64 <= most, "{fetched} fetches within {:?}", begun.elapsed());
}

#[tokio::test]
async fn before_any_key_is_known_the_answer_is_to_come_back() {
    let stage = crate::fixture::Stage::open(&[super::AUTH, super::NOTES]).await;
    let nowhere = |settings: &mut freehold::Settings| {
        let auth = settings.auth.as_mut().expect("an auth service");
        auth.jwks = "http://127.0.0.1:1/.well-known/jwks.json".to_owned();
    };
    let desk = Desk::open_with(stage, axum::Router::new(), nowhere).await;
    let refused = desk.get("/notes", As::Token(&token(somebody()))).await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, "1"),
        "{refused:?}"
    );
    // What is public does not need them.
    assert_eq!(desk.get("/news", As::Nobody).await.status, 200);
}
