//! Many clients, each sending its request several times at once.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{KEPT, keys, post};
use crate::entity::{Reply, Shop};

/// Requests under way at once: more than connections, fewer than files the test may open.
const AT_ONCE: usize = 48;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_requests_that_are_sent_several_times_at_once_each_is_carried_out_once() {
    let requests: usize = match std::env::var_os("FREEHOLD_PROVE") {
        Some(_) => 5_000,
        None => 300,
    };
    let shop = Arc::new(Shop::open_after(KEPT).await);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut sent = JoinSet::new();
    for number in 0..requests {
        for _ in 0..fastrand::usize(1..=5) {
            let (shop, places) = (shop.clone(), places.clone());
            sent.spawn(async move {
                let _place = places.acquire().await;
                let body = format!(r#"{{"what":"request {number}"}}"#);
                (number, post(&shop, "/history", &body, &format!("key-{number}")).await)
            });
        }
    }
    let mut answers: Vec<Vec<Reply>> = (0..requests).map(|_| Vec::new()).collect();
    while let Some(answered) = sent.join_next().await {
        let (number, reply) = answered.expect("the request is answered");
        answers[number].push(reply);
    }
    let mut conflicts = 0;
    for replies in &answers {
        let (made, refused): (Vec<&Reply>, Vec<&Reply>) = replies.iter().partition(|r| r.status == 201);
        assert!(!made.is_empty(), "{replies:?}");
        assert!(made.iter().all(|r| r.text == made[0].text), "{replies:?}");
        let first = made
            .iter()
            .filter(|r| r.header("idempotency-replayed").is_empty())
            .count();
        assert_eq!(first, 1, "{replies:?}");
        refused.iter().for_each(|r| drop(r.problem(409, "FH409")));
        conflicts += refused.len();
    }
    println!(
        "{conflicts} of {} were conflicts",
        answers.iter().map(Vec::len).sum::<usize>()
    );
    let rows = shop.count("history").await;
    assert_eq!(
        rows,
        i64::try_from(requests).unwrap_or_default(),
        "requests were carried out twice"
    );
    assert_eq!(keys(&shop).await, rows);
}

/// What the test before this one is worth: it runs again, with the key stored apart from the write.
#[cfg(feature = "plant")]
#[test]
fn a_key_that_is_stored_outside_the_transaction_is_found() {
    let child = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args([
            "entity_idempotency::parallel::of_requests_that_are_sent_several_times_at_once_each_is_carried_out_once",
            "--exact",
            "--nocapture",
        ])
        .env("FREEHOLD_PLANT", "key-outside-transaction")
        .env_remove("FREEHOLD_PROVE")
        .output()
        .expect("this program is run again");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
    assert!(!child.status.success(), "{said}");
    assert!(said.contains("1 failed"), "{said}");
}
