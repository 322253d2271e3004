//! Guessing: slowed down for whoever guesses, and for nobody else.

use serde_json::json;

use crate::fixture::{Person, Running, Stage, address};

/// Guesses until it is slowed down; how many guesses were judged.
async fn guess(at: &Running, victim: &Person, from: &str, most: usize) -> usize {
    for n in 0..most {
        let body = json!({"email": victim.email, "password": format!("guess number {n}")});
        let answer = at.post("/login", from, &body).await;
        match answer.status {
            401 => {}
            429 => {
                assert!(answer.retry_after.is_some_and(|wait| wait >= 1), "{answer:?}");
                return n;
            }
            _ => panic!("{answer:?}"),
        }
    }
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guesser_is_slowed_down_across_restart_and_instances_and_the_victim_logs_in() {
    let stage = Stage::open().await;
    let (at, second) = (stage.serve().await, stage.serve().await);
    let victim = Person::registered("victim", &stage, &at).await;
    let from = address();
    assert_eq!(guess(&at, &victim, &from, 100).await, 6);
    assert_eq!(guess(&second, &victim, &from, 100).await, 0);
    drop((at, second));
    let at = stage.serve().await;
    // A second may have passed meanwhile, which allows one.
    assert!(guess(&at, &victim, &from, 100).await <= 1);
    // Even with the right password the guesser has to wait; the victim has not.
    let lucky = Person {
        address: from.clone(),
        ..victim.clone()
    };
    assert_eq!(lucky.log_in(&at).await.status, 429);
    assert_eq!(victim.log_in(&at).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_guesses_at_once_are_no_way_round_it() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let victim = Person::registered("victim", &stage, &at).await;
    let from = address();
    let guesses = (0..200).map(|n| {
        let body = json!({"email": victim.email, "password": format!("guess number {n}")});
        let (at, from) = (&at, &from);
        async move { at.post("/login", from, &body).await.status }
    });
    let statuses = futures_util::future::join_all(guesses).await;
    let judged = statuses.iter().filter(|status| **status == 401).count();
    assert!((1..=8).contains(&judged), "{judged}");
    assert_eq!(victim.log_in(&at).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_from_many_addresses_are_slowed_down_and_the_victims_own_address_is_not() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let victim = Person::registered("victim", &stage, &at).await;
    assert_eq!(victim.log_in(&at).await.status, 200);
    let mut judged = 0;
    for _ in 0..60 {
        judged += guess(&at, &victim, &address(), 1).await;
    }
    assert!((50..=54).contains(&judged), "{judged}");
    assert_eq!(victim.log_in(&at).await.status, 200);
    // From elsewhere the victim waits as long as everybody, which is a minute at most.
    let body = json!({"email": victim.email, "password": victim.password});
    let elsewhere = at.post("/login", &address(), &body).await;
    assert!(
        elsewhere.status == 200 || elsewhere.retry_after.is_some_and(|wait| wait <= 60),
        "{elsewhere:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_owns_an_account_cannot_free_himself_to_guess_at_others() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let guesser = Person::registered("guesser", &stage, &at).await;
    let mut judged = 0;
    for n in 0..70 {
        let victim = Person {
            email: format!("victim{n}@mail.example"),
            ..guesser.clone()
        };
        judged += guess(&at, &victim, &guesser.address, 1).await;
        if n % 10 == 0 {
            guesser.log_in(&at).await;
        }
    }
    assert!((50..=54).contains(&judged), "{judged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_account_is_slowed_down_alike() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let known = Person::registered("known", &stage, &at).await;
    let unknown = Person::named("unknown");
    assert_eq!(
        guess(&at, &known, &address(), 100).await,
        guess(&at, &unknown, &address(), 100).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_access_token_does_not_guess_the_password() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let ann = Person::registered("ann", &stage, &at).await;
    let tokens = ann.log_in(&at).await.tokens();
    let mut judged = 0;
    for n in 0..12 {
        let body = json!({"password": format!("guess number {n}"), "new_password": "a good password"});
        let answer = at.ask("POST", "/password", &address(), &tokens.access, &body).await;
        match answer.status {
            403 => judged += 1,
            429 => {}
            _ => panic!("{answer:?}"),
        }
    }
    assert!((6..=8).contains(&judged), "{judged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_fills_a_strangers_mailbox() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let victim = Person::registered("victim", &stage, &at).await;
    for _ in 0..30 {
        let body = json!({"email": victim.email});
        assert_eq!(at.post("/password/forgot", &address(), &body).await.status, 202);
    }
    let waiting = "select (select count(*) from account_requests) + (select count(*) from mails)";
    crate::fixture::until("all is sent", || async { stage.number(waiting).await == 0 }).await;
    let mails = stage.mailbox().to(&victim.email).len();
    assert!((3..=7).contains(&mails), "{mails}");
    // Nor does one address ask without end.
    let from = address();
    let mut last = 0;
    for n in 0..30 {
        let body = json!({"email": format!("nobody{n}@mail.example")});
        last = at.post("/password/forgot", &from, &body).await.status;
    }
    assert_eq!(last, 429);
}
