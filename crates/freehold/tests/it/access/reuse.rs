//! Connections are used by one subject after the other, and nothing of one is left for the next.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::As::{Nobody, Token};
use super::mint::token;
use super::{AUTH, Desk, NOTES, reply, run, somebody};
use crate::fixture::Stage;

const SUBJECTS: usize = 20;
const REQUESTS: usize = 2_000;
/// Connections of the service: far fewer than requests at once.
const POOL: usize = 4;
/// Requests at once: what waits beyond that for a connection is answered 503.
const AT_ONCE: usize = 40;

/// The requests that saw, or wrote, what was not their subject's.
async fn mixed_up() -> Vec<String> {
    let stage = Stage::open(&[AUTH, NOTES]).await;
    let desk = Desk::open_with(stage, axum::Router::new(), |settings| settings.pool = POOL).await;
    let desk = Arc::new(desk);
    let subjects: Vec<_> = (0..SUBJECTS).map(|_| somebody()).collect();
    for (at, subject) in subjects.iter().enumerate() {
        run(
            &desk.home().sql,
            &format!("insert into notes (owner_id, title) values ('{subject}', 'of {at}')"),
        )
        .await;
    }
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut asked = JoinSet::new();
    for number in 0..REQUESTS {
        let (desk, at) = (Arc::clone(&desk), number % SUBJECTS);
        let token = token(subjects[at]);
        let place = Arc::clone(&places).acquire_owned().await.expect("a place");
        asked.spawn(async move {
            let wrong = one(&desk, number, at, &token).await;
            drop(place);
            wrong
        });
    }
    let mut wrong: Vec<String> = asked.join_all().await.into_iter().flatten().collect();
    // On every connection, several times over.
    for _ in 0..POOL * 5 {
        let who = desk.get("/rpc/who", Nobody).await.text;
        let seen = desk.get("/news", Nobody).await.status;
        if (who.as_str(), seen) != ("null", 200) {
            wrong.push(format!("nobody is {who}"));
        }
    }
    wrong
}

/// One request of a subject, of whatever kind the number says; what was wrong with its answer.
async fn one(desk: &Desk, number: usize, at: usize, token: &str) -> Option<String> {
    let token = Token(token);
    let own = json!([{ "title": format!("of {at}") }]);
    let list = "/notes?select=title&title=like.of*";
    let kind = number / SUBJECTS % 10;
    let (status, seen) = match kind {
        // Ends by an error, within a transaction.
        0 => {
            let body = json!([{ "method": "GET", "path": list }, { "method": "GET", "path": "/notes?id=eq.none" }]);
            (400, desk.send(Method::POST, "/transaction", token, body).await)
        }
        1 => (400, desk.get("/notes?id=eq.none", token).await),
        // Breaks a rule of the table.
        2 => (
            409,
            desk.send(Method::POST, "/notes", token, json!({ "title": format!("of {at}") }))
                .await,
        ),
        // The client goes while it is at work.
        3 => {
            let gone = desk
                .request(Method::GET, list, token)
                .timeout(Duration::from_micros(500 + number as u64))
                .send();
            drop(gone.await);
            (200, desk.get(list, token).await)
        }
        // Nobody, in between.
        4 => {
            let who = desk.get("/rpc/who", Nobody).await;
            return (who.text != "null").then(|| format!("request {number}: nobody is {}", who.text));
        }
        5 => {
            let request = desk.request(Method::POST, "/notes?select=owner_id", token);
            let request = request.header("prefer", "tx=rollback, return=representation");
            let body: Value = json!({ "title": number.to_string() });
            (201, reply(request.json(&body)).await)
        }
        6 => {
            let body = json!([{ "method": "GET", "path": list }]);
            (200, desk.send(Method::POST, "/transaction", token, body).await)
        }
        _ => (200, desk.get(list, token).await),
    };
    let right = seen.status == status
        && match kind {
            0..=2 => true,
            5 => seen.json()[0]["owner_id"].is_string(),
            6 => seen.json()["results"][0]["body"] == own,
            _ => seen.json() == own,
        };
    (!right).then(|| format!("request {number} of {at}: {seen:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_sees_exactly_what_is_theirs() {
    let wrong = mixed_up().await;
    assert!(wrong.is_empty(), "{} of {REQUESTS}: {:?}", wrong.len(), wrong.first());
}

/// A test that never was red proves nothing.
#[cfg(feature = "plant")]
#[test]
fn a_subject_that_is_not_set_or_stays_is_found() {
    for plant in ["subject-not-set", "subject-outlives-transaction"] {
        let child = std::process::Command::new(std::env::current_exe().expect("this program"))
            .args([
                "access::reuse::child_with_a_plant",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env("FREEHOLD_PLANT", plant)
            .output()
            .expect("this program is run again");
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success(),
            "{plant}: {said}\n{}",
            String::from_utf8_lossy(&child.stderr)
        );
    }
}

#[cfg(feature = "plant")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test before it, with a planted defect"]
async fn child_with_a_plant() {
    let wrong = mixed_up().await;
    assert!(!wrong.is_empty(), "the defect is not found");
}
