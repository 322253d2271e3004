//! Refresh tokens: rotated, told twice within the grace, and stolen.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;

use crate::fixture::{Person, Stage, address};

/// Lets the grace of every used token pass.
async fn grace_passes(stage: &Stage) {
    let sql = "update refresh_tokens set used_at = used_at - interval '31 s' where used_at is not null";
    stage.sql.execute(sql, &[]).await.expect("time passes");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_parallel_refreshes_of_one_token_get_the_same_successor() {
    let stage = Stage::open().await;
    let (one, two) = (stage.serve().await, stage.serve().await);
    let ann = Person::registered("ann", &stage, &one).await;
    let first = ann.log_in(&one).await.tokens();
    let refreshes = (0..20).map(|n| {
        let at = if n % 2 == 0 { &one } else { &two };
        at.refresh(&first.refresh, &ann.address)
    });
    let answers = futures_util::future::join_all(refreshes).await;
    let successors: HashSet<String> = answers.iter().map(|answer| answer.tokens().refresh).collect();
    assert_eq!(successors.len(), 1);
    assert!(!successors.contains(&first.refresh));
    for answer in &answers {
        assert_eq!(ann.me(&one, &answer.tokens()).await.status, 200);
    }
    let next = successors.into_iter().next().expect("one");
    assert_eq!(one.refresh(&next, &ann.address).await.status, 200);
    assert_eq!(stage.number("select count(*) from sessions").await, 1);
    assert_eq!(
        stage
            .number("select count(*) from sessions where ended_at is not null")
            .await,
        0
    );
    assert_eq!(stage.number("select count(*) from refresh_tokens").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_comes_again_after_the_grace_ends_its_session_and_no_other() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let ann = Person::registered("ann", &stage, &at).await;
    let (stolen, other) = (ann.log_in(&at).await.tokens(), ann.log_in(&at).await.tokens());
    let next = at.refresh(&stolen.refresh, &ann.address).await.tokens();
    grace_passes(&stage).await;
    let replay = at.refresh(&stolen.refresh, &address()).await;
    assert_eq!((replay.status, replay.code()), (401, "invalid_refresh_token"));
    // Whoever holds the successor is out as well; nobody can tell which of the two is the thief.
    assert_eq!(at.refresh(&next.refresh, &ann.address).await.status, 401);
    assert_eq!(ann.me(&at, &next).await.status, 401);
    assert_eq!(at.refresh(&other.refresh, &ann.address).await.status, 200);
    assert_eq!(
        stage
            .number("select count(*) from sessions where ended_by = 'replay'")
            .await,
        1
    );
    assert_eq!(
        stage
            .number("select count(*) from audit_logs where action = 'replay'")
            .await,
        1
    );
    let told = stage.told().await;
    assert!(told.iter().any(|(kind, _)| kind == "auth.sessions_ended"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_by_age_and_by_being_left_alone() {
    let stage = Stage::open().await;
    let mut settings = stage.settings();
    settings.idle = Duration::from_secs(2);
    let at = stage.serve_with(settings).await;
    let ann = Person::registered("ann", &stage, &at).await;
    let idle = ann.log_in(&at).await.tokens();
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    assert_eq!(at.refresh(&idle.refresh, &ann.address).await.status, 401);
    let old = ann.log_in(&at).await.tokens();
    let sql = "update sessions set expires_at = clock_timestamp()";
    stage.sql.execute(sql, &[]).await.expect("time passes");
    assert_eq!(at.refresh(&old.refresh, &ann.address).await.status, 401);
    assert_eq!(ann.me(&at, &old).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_carried_on_by_another_instance_after_a_restart() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let ann = Person::registered("ann", &stage, &at).await;
    let first = ann.log_in(&at).await.tokens();
    let second = at.refresh(&first.refresh, &ann.address).await.tokens();
    drop(at);
    let at = stage.serve().await;
    // Its answer was lost: the same successor is told again.
    let again = at.refresh(&first.refresh, &ann.address).await.tokens();
    assert_eq!(again.refresh, second.refresh);
    assert_eq!(ann.me(&at, &second).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_outs_resets_and_refreshes_at_once_do_not_lock_each_other_out() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let ann = Person::registered("ann", &stage, &at).await;
    for _ in 0..4 {
        let mut tokens = Vec::new();
        for _ in 0..4 {
            tokens.push(ann.log_in(&at).await.tokens());
        }
        let (at, ann) = (&at, &ann);
        let refreshes = tokens
            .iter()
            .map(|tokens| async move { at.refresh(&tokens.refresh, &ann.address).await.status });
        let outs = tokens.iter().map(|tokens| async move {
            at.post("/logout", &ann.address, &json!({"refresh_token": tokens.refresh}))
                .await
                .status
        });
        let all = async {
            ann.ask(at, "DELETE", "/me/sessions", &tokens[0], &serde_json::Value::Null)
                .await
                .status
        };
        let (refreshes, outs) = (
            futures_util::future::join_all(refreshes),
            futures_util::future::join_all(outs),
        );
        let (refreshed, out, all) = tokio::join!(refreshes, outs, all);
        assert!(
            refreshed.iter().all(|status| matches!(status, 200 | 401)),
            "{refreshed:?}"
        );
        assert!(out.iter().all(|status| *status == 204), "{out:?}");
        assert!(matches!(all, 204 | 401 | 404), "{all}");
        assert_eq!(
            stage
                .number("select count(*) from sessions where ended_at is null")
                .await,
            0
        );
    }
}
