//! Everything a client can ask, asked for what is another's: all in vain, and seen not to be when a wall is taken down.

use freehold::testing::{Owned, Trespasses, Trial, trespass};
use reqwest::Method;
use serde_json::json;

use super::As::Token;
use super::mint::token;
use super::{Desk, forged, run, somebody};

/// Alice has one of everything; Bob, nobody and some forged tokens try for it after `defect` was planted.
async fn tried(defect: &str) -> Trespasses {
    let desk = Desk::open().await;
    let (alice, bob) = (somebody(), somebody());
    let (owner, stranger) = (token(alice), token(bob));
    let (note, tag) = (uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().to_string());
    let body = json!({ "id": note, "title": "heliotrope", "body": "a body of hers", "tags": [{ "id": tag, "label": "vermilion" }] });
    let made = desk.send(Method::POST, "/notes", Token(&owner), body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let others = desk
        .send(
            Method::POST,
            "/notes",
            Token(&stranger),
            json!({ "title": "of another" }),
        )
        .await;
    assert_eq!(others.status, 201);
    run(&desk.home().sql, defect).await;
    let wrong = [
        "alg none",
        "exp over",
        "another key under the right name",
        "aud another",
    ];
    let forged: Vec<_> = forged::corpus(alice)
        .into_iter()
        .filter(|(what, _)| defect.is_empty() && wrong.contains(what))
        .collect();
    let owned = [
        Owned::new(
            "notes",
            &[("id", &note)],
            &["heliotrope", "a body of hers", &alice.to_string()],
        ),
        Owned::new("tags", &[("id", &tag)], &["vermilion"]),
        Owned::new("events", &[("id", "1")], &["wrote heliotrope"]),
        Owned::new("titles", &[("id", &note)], &["heliotrope"]),
    ];
    let trial = Trial {
        url: &desk.root,
        owner: &owner,
        rows: &owned,
        stranger: &stranger,
        forged: &forged,
    };
    trespass(&trial).await.expect("the trial is held")
}

#[tokio::test]
async fn every_attempt_is_in_vain() {
    let report = tried("").await;
    assert!(report.is_clean(), "{report}");
    assert!(report.attempts > 500, "{report}");
    println!("{report}");
}

#[tokio::test]
async fn every_wall_that_is_taken_down_is_found() {
    for defect in [
        "alter table notes disable row level security",
        "create policy leaky on tags for select using (true)",
        "create policy leaky on tags for insert with check (true)",
        "create policy leaky on notes using (title like 'h%')",
        "alter view titles reset (security_invoker)",
        "alter function find_notes security definer",
        "create policy leaky on events for select using (what like 'wrote%')",
    ] {
        let report = tried(defect).await;
        assert!(!report.is_clean(), "{defect}: {report}");
    }
}
