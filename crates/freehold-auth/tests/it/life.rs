//! The whole life of an account, as its owner sees it.

use serde_json::{Value, json};

use crate::fixture::{Person, Stage, address};

const CONFIRM: &str = "Confirm your e-mail address";

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_registered_confirmed_used_changed_and_deleted() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let mailbox = stage.mailbox();
    let mut ann = Person::named("Ann");

    assert_eq!(ann.register(&at).await.status, 202);
    let token = mailbox.token(&ann.email, CONFIRM).await;
    let early = ann.log_in(&at).await;
    assert_eq!((early.status, early.code()), (403, "email_not_verified"));
    let verified = at.post("/verify", &ann.address, &json!({"token": token})).await;
    assert_eq!(verified.status, 204, "{verified:?}");
    let again = at.post("/verify", &ann.address, &json!({"token": token})).await;
    assert_eq!((again.status, again.code()), (400, "spent_token"));

    // Addresses are compared without regard to capitals.
    ann.email = ann.email.to_uppercase();
    let tokens = ann.log_in(&at).await.tokens();
    let me = ann.me(&at, &tokens).await;
    assert_eq!((me.status, &me.body["email"]), (200, &json!("Ann@mail.example")));
    assert_eq!(me.body["email_verified"], json!(true));

    // Elsewhere, too: both sessions are listed, one of them is this.
    let elsewhere = ann.log_in(&at).await.tokens();
    let listed = ann.ask(&at, "GET", "/me/sessions", &tokens, &Value::Null).await;
    let sessions = listed.body.as_array().expect("a list").clone();
    assert_eq!(sessions.len(), 2);
    assert_eq!(
        sessions
            .iter()
            .filter(|session| session["current"] == json!(true))
            .count(),
        1
    );
    assert!(
        sessions
            .iter()
            .all(|s| s["device"] == json!("a test") && s["address"] == json!(ann.address))
    );

    // A new password ends the other session, not this one.
    let body = json!({"password": ann.password, "new_password": "another good one"});
    let changed = ann.ask(&at, "POST", "/password", &tokens, &body).await;
    assert_eq!(changed.status, 204, "{changed:?}");
    mailbox.wait("Ann@mail.example", "Your password was changed", 1).await;
    assert_eq!(at.refresh(&elsewhere.refresh, &ann.address).await.status, 401);
    assert_eq!(ann.log_in(&at).await.code(), "wrong_credentials");
    ann.password = "another good one".to_owned();
    let tokens = at.refresh(&tokens.refresh, &ann.address).await.tokens();
    assert_eq!(ann.me(&at, &tokens).await.status, 200);

    // Another address: confirmed by its own mail, told to the old one.
    let body = json!({"password": ann.password, "email": "ann.lee@mail.example"});
    assert_eq!(ann.ask(&at, "POST", "/email", &tokens, &body).await.status, 202);
    let token = mailbox
        .token("ann.lee@mail.example", "Confirm your new e-mail address")
        .await;
    assert_eq!(ann.me(&at, &tokens).await.body["email"], json!("Ann@mail.example"));
    assert_eq!(
        at.post("/email/confirm", &ann.address, &json!({"token": token}))
            .await
            .status,
        204
    );
    mailbox
        .wait("Ann@mail.example", "Your e-mail address was changed", 1)
        .await;
    assert_eq!(ann.log_in(&at).await.code(), "wrong_credentials");
    ann.email = "ann.lee@mail.example".to_owned();
    let tokens = ann.log_in(&at).await.tokens();

    // A forgotten password: every session ends.
    let token = ann.reset_token(&at, &mailbox).await;
    let body = json!({"token": token, "password": "a third good one"});
    assert_eq!(at.post("/password/reset", &address(), &body).await.status, 204);
    assert_eq!(ann.me(&at, &tokens).await.status, 401);
    ann.password = "a third good one".to_owned();
    let tokens = ann.log_in(&at).await.tokens();

    // Log-out ends one session, and its access token is refused here at once.
    let other = ann.log_in(&at).await.tokens();
    let out = at
        .post("/logout", &ann.address, &json!({"refresh_token": other.refresh}))
        .await;
    assert_eq!(out.status, 204);
    assert_eq!(ann.me(&at, &other).await.status, 401);
    let tokens = at.refresh(&tokens.refresh, &ann.address).await.tokens();

    // Deleted, with the password.
    let refused = ann
        .ask(&at, "POST", "/me/delete", &tokens, &json!({"password": "guessed"}))
        .await;
    assert_eq!((refused.status, refused.code()), (403, "wrong_password"));
    let gone = ann
        .ask(&at, "POST", "/me/delete", &tokens, &json!({"password": ann.password}))
        .await;
    assert_eq!(gone.status, 204, "{gone:?}");
    assert_eq!(ann.me(&at, &tokens).await.status, 401);
    assert_eq!(ann.log_in(&at).await.code(), "wrong_credentials");
    mailbox.wait(&ann.email, "Your account was deleted", 1).await;
    for table in ["users", "sessions", "refresh_tokens", "one_time_tokens"] {
        assert_eq!(
            stage.number(&format!("select count(*) from {table}")).await,
            0,
            "{table}"
        );
    }

    told_in_order(&stage).await;
    written_down(&stage).await;
}

/// Every fact was told, in the order in which it happened.
async fn told_in_order(stage: &Stage) {
    let told = stage.told().await;
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    let expected = [
        "auth.registered",
        "auth.verified",
        "auth.sessions_ended",
        "auth.password_changed",
        "auth.email_changed",
        "auth.sessions_ended",
        "auth.password_changed",
        "auth.sessions_ended",
        "auth.sessions_ended",
        "auth.deleted",
    ];
    assert_eq!(kinds, expected);
    let subject = &told[0].1["subject"];
    assert!(
        subject.is_string() && told.iter().all(|(_, payload)| &payload["subject"] == subject),
        "{told:?}"
    );
    for (_, ended) in told.iter().filter(|(kind, _)| kind == "auth.sessions_ended") {
        assert!(ended["not_before"].is_i64(), "{ended}");
    }
}

/// Every deed and every refusal was written down, and stays.
async fn written_down(stage: &Stage) {
    let rows = stage
        .sql
        .query(
            "select action || ' ' || outcome from audit_logs group by 1 order by 1",
            &[],
        )
        .await
        .expect("the audit is read");
    let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let expected = [
        "access refused",
        "ask_email done",
        "change_email done",
        "change_password done",
        "delete_account done",
        "delete_account refused",
        "log_in done",
        "log_in refused",
        "log_out done",
        "register done",
        "reset_password done",
        "verify done",
    ];
    assert_eq!(found, expected);
    let whole = "select count(*) from audit_logs where action = 'log_in' and (address is null or device is null or trace_id is null)";
    assert_eq!(stage.number(whole).await, 0);
    for sql in [
        "update audit_logs set action = 'x'",
        "delete from audit_logs",
        "truncate audit_logs",
    ] {
        assert!(stage.sql.batch_execute(sql).await.is_err(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_ended_by_their_owner_alone() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let ann = Person::registered("ann", &stage, &at).await;
    let bob = Person::registered("bob", &stage, &at).await;
    let (anns, other) = (ann.log_in(&at).await.tokens(), ann.log_in(&at).await.tokens());
    let bobs = bob.log_in(&at).await.tokens();
    let id = ann.me(&at, &other).await.body["session"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/me/sessions/{id}");
    assert_eq!(bob.ask(&at, "DELETE", &path, &bobs, &Value::Null).await.status, 404);
    assert_eq!(
        bob.ask(&at, "DELETE", "/me/sessions/nonsense", &bobs, &Value::Null)
            .await
            .status,
        404
    );
    assert_eq!(ann.me(&at, &other).await.status, 200);
    assert_eq!(ann.ask(&at, "DELETE", &path, &anns, &Value::Null).await.status, 204);
    assert_eq!(ann.me(&at, &other).await.status, 401);
    let anns = at.refresh(&anns.refresh, &ann.address).await.tokens();
    assert_eq!(
        ann.ask(&at, "DELETE", "/me/sessions", &anns, &Value::Null).await.status,
        204
    );
    assert_eq!(ann.me(&at, &anns).await.status, 401);
    assert_eq!(at.refresh(&anns.refresh, &ann.address).await.status, 401);
    assert_eq!(bob.me(&at, &bobs).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_given_in_the_second_in_which_sessions_ended_is_not_before_it() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let ann = Person::registered("ann", &stage, &at).await;
    for _ in 0..3 {
        let before = ann.log_in(&at).await.tokens();
        let kept = ann.log_in(&at).await.tokens();
        let id = ann.me(&at, &before).await.body["session"]
            .as_str()
            .expect("an id")
            .to_owned();
        let path = format!("/me/sessions/{id}");
        assert_eq!(ann.ask(&at, "DELETE", &path, &kept, &Value::Null).await.status, 204);
        let after = at.refresh(&kept.refresh, &ann.address).await.tokens();
        let ended = stage.told().await;
        let (_, ended) = ended
            .iter()
            .rfind(|(kind, _)| kind == "auth.sessions_ended")
            .expect("it was told");
        let not_before = ended["not_before"].as_i64().expect("seconds");
        let issued = |token: &str| crate::keys::claims(token)["iat"].as_i64().expect("seconds");
        assert!(issued(&before.access) < not_before && issued(&kept.access) < not_before);
        assert!(issued(&after.access) >= not_before);
        assert_eq!(ann.me(&at, &after).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_without_being_repeated() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let wrong = [
        json!({"email": "ann@mail.example", "password": "hunter2-hunter2", "admin": true}),
        json!({"email": "ann@mail.example", "password": ["hunter2-hunter2"]}),
        json!({"email": "hunter2-hunter2", "password": "hunter2-hunter2"}),
        json!({"email": "ann@mail.example\r\nBcc: all@mail.example", "password": "hunter2-hunter2"}),
        json!({"email": "ann@mail.example", "password": "hunter2"}),
        json!({"email": "ann@mail.example", "password": "x".repeat(1025)}),
        json!({"email": "ann@mail.example", "password": "x".repeat(100_000)}),
        json!({"email": "ann@mail.example"}),
        json!("hunter2-hunter2"),
    ];
    for body in wrong {
        let refused = at.post("/register", &address(), &body).await;
        assert!(matches!(refused.status, 400 | 422), "{body}: {refused:?}");
        assert!(!refused.body.to_string().contains("hunter2"), "{refused:?}");
        assert!(refused.body["detail"].is_string());
    }
    // A page of another origin can send a form without asking; it is not read.
    let form = at
        .http
        .post(format!("{}/login", at.url))
        .body("{\"email\":\"a@b.example\",\"password\":\"x\"}");
    assert_eq!(form.send().await.expect("an answer").status().as_u16(), 400);
    for token in ["", "nonsense", &"A".repeat(43), &"A".repeat(5_000)] {
        for (path, body) in [
            ("/verify", json!({"token": token})),
            ("/email/confirm", json!({"token": token})),
            (
                "/password/reset",
                json!({"token": token, "password": "a good password"}),
            ),
        ] {
            assert_eq!(at.post(path, &address(), &body).await.code(), "spent_token", "{path}");
        }
        assert_eq!(at.refresh(token, &address()).await.code(), "invalid_refresh_token");
    }
}
