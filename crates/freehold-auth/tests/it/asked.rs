//! What is asked for and answered by mail: the answer says nothing, the mail goes to the owner of the address alone.

use serde_json::{Value, json};

use crate::fixture::token;
use crate::fixture::{Person, Stage, address, until};

const CONFIRM: &str = "Confirm your e-mail address";

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_the_same_whether_or_not_there_is_an_account() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let known = Person::registered("known", &stage, &at).await;
    let unknown = Person::named("unknown");
    for (path, more) in [
        ("/login", json!({"password": "a wrong password"})),
        ("/password/forgot", json!({})),
        ("/verify/mail", json!({})),
        ("/register", json!({"password": "a good password"})),
    ] {
        let mut answers = Vec::new();
        for email in [&known.email, &unknown.email] {
            let mut body = more.clone();
            body["email"] = json!(email);
            let answer = at.post(path, &address(), &body).await;
            answers.push((answer.status, answer.body));
        }
        assert_eq!(answers[0], answers[1], "{path}");
    }
    // The owner is told, and nothing else has come of it.
    stage
        .mailbox()
        .wait(&known.email, "You already have an account", 1)
        .await;
    assert_eq!(known.log_in(&at).await.status, 200);
    assert_eq!(stage.mailbox().to(&unknown.email).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_two_register_gets_the_password_of_the_link_that_is_followed() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let owner = Person::named("owner");
    let stranger = Person {
        password: "the password of a stranger".to_owned(),
        address: address(),
        ..owner.clone()
    };
    stranger.register(&at).await;
    let first = stage.mailbox().wait(&owner.email, CONFIRM, 1).await;
    owner.register(&at).await;
    let both = stage.mailbox().wait(&owner.email, CONFIRM, 2).await;
    let second = both.iter().find(|mail| !first.contains(mail)).expect("another mail");
    assert_eq!(
        at.post("/verify", &owner.address, &json!({"token": token(second)}))
            .await
            .status,
        204
    );
    assert_eq!(stranger.log_in(&at).await.status, 401);
    assert_eq!(owner.log_in(&at).await.status, 200);
    // The stranger's link is worth nothing any more.
    assert_eq!(
        at.post("/verify", &owner.address, &json!({"token": token(&first[0])}))
            .await
            .code(),
        "spent_token"
    );
    assert_eq!(owner.log_in(&at).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_for_one_thing_only() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let ann = Person::registered("ann", &stage, &at).await;
    let reset = ann.reset_token(&at, &stage.mailbox()).await;
    for path in ["/verify", "/email/confirm"] {
        assert_eq!(
            at.post(path, &address(), &json!({"token": reset})).await.code(),
            "spent_token"
        );
    }
    assert_eq!(at.refresh(&reset, &address()).await.status, 401);
    // It is not used up by that.
    let body = json!({"token": reset, "password": "another good one"});
    assert_eq!(at.post("/password/reset", &address(), &body).await.status, 204);
    assert_eq!(
        at.post("/password/reset", &address(), &body).await.code(),
        "spent_token"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_token_is_spent() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let ann = Person::registered("ann", &stage, &at).await;
    let reset = ann.reset_token(&at, &stage.mailbox()).await;
    stage
        .sql
        .execute(
            "update one_time_tokens set expires_at = now() where used_at is null",
            &[],
        )
        .await
        .expect("time passes");
    let body = json!({"token": reset, "password": "another good one"});
    assert_eq!(
        at.post("/password/reset", &address(), &body).await.code(),
        "spent_token"
    );
    assert_eq!(ann.log_in(&at).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_parallel_uses_of_a_reset_token_one_succeeds() {
    let stage = Stage::open().await;
    let mut settings = stage.settings();
    settings.hashes = 4;
    let at = stage.serve_with(settings).await;
    let ann = Person::registered("ann", &stage, &at).await;
    let reset = ann.reset_token(&at, &stage.mailbox()).await;
    let uses = (0..50).map(|n| {
        let body = json!({"token": reset, "password": format!("good password {n}")});
        let (at, address) = (&at, address());
        async move { (n, at.post("/password/reset", &address, &body).await) }
    });
    let answers = futures_util::future::join_all(uses).await;
    let succeeded: Vec<_> = answers.iter().filter(|(_, answer)| answer.status == 204).collect();
    assert_eq!(succeeded.len(), 1, "{answers:?}");
    // On a loaded machine some are told to come again before they are judged.
    let other = answers
        .iter()
        .find(|(_, answer)| answer.status != 204 && !matches!(answer.code(), "spent_token" | "busy"));
    assert!(other.is_none(), "{other:?}");
    let spent = answers
        .iter()
        .filter(|(_, answer)| answer.code() == "spent_token")
        .count();
    assert!(spent >= 10, "{spent}");
    let password = format!("good password {}", succeeded[0].0);
    assert_eq!(ann.try_password(&at, &password).await.status, 200);
    let changed = "select count(*) from audit_logs where action = 'reset_password'";
    assert_eq!(stage.number(changed).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_has_an_account_is_not_taken_and_its_owner_is_told() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let ann = Person::registered("ann", &stage, &at).await;
    let bob = Person::registered("bob", &stage, &at).await;
    let tokens = ann.log_in(&at).await.tokens();
    let body = json!({"password": ann.password, "email": bob.email});
    assert_eq!(ann.ask(&at, "POST", "/email", &tokens, &body).await.status, 202);
    stage.mailbox().wait(&bob.email, "You already have an account", 1).await;
    assert_eq!(ann.me(&at, &tokens).await.body["email"], json!(ann.email));
    // Nor is one that was free when it was asked for.
    let body = json!({"password": ann.password, "email": "free@mail.example"});
    assert_eq!(ann.ask(&at, "POST", "/email", &tokens, &body).await.status, 202);
    let change = stage
        .mailbox()
        .token("free@mail.example", "Confirm your new e-mail address")
        .await;
    Person::registered("free", &stage, &at).await;
    assert_eq!(
        at.post("/email/confirm", &ann.address, &json!({"token": change}))
            .await
            .code(),
        "spent_token"
    );
    assert_eq!(ann.me(&at, &tokens).await.body["email"], json!(ann.email));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_holds_up_nothing_else() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    // Of a release that is newer than this one.
    stage
        .sql
        .batch_execute(
            "alter table account_requests drop constraint account_requests_kind_check;
             insert into account_requests (id, kind, email) values (gen_random_uuid(), 'newer', 'x@mail.example')",
        )
        .await
        .expect("a row");
    Person::registered("ann", &stage, &at).await;
    let waits = "select count(*) from account_requests where due_at > clock_timestamp()";
    until("it waits", || async { stage.number(waits).await == 1 }).await;
    let nothing = at.ask("GET", "/me", &address(), "", &Value::Null).await;
    assert_eq!((nothing.status, nothing.code()), (401, "invalid_token"));
}
