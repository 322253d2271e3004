//! A command takes effect once and is answered as often as it comes.

use uuid::Uuid;

use super::acting::Acting;
use super::stage;
use crate::fixture::{Stage, number, run, texts, until};

struct Sent<'a> {
    id: Uuid,
    name: &'a str,
    direction: &'a str,
    voids: Option<Uuid>,
}

/// Sends a command of a saga that nobody here knows; its reply is looked at in the log.
async fn send(stage: &Stage, sent: &Sent<'_>) {
    let data = match sent.name {
        "store.reserve" => serde_json::json!({ "purchase": "p", "item": "tea", "pieces": 4 }),
        _ => serde_json::json!({ "purchase": "p" }),
    };
    let body = serde_json::json!({
        "id": sent.id, "saga": Uuid::nil(), "step": "reserve", "direction": sent.direction, "voids": sent.voids, "data": data
    });
    run(
        &stage.home("buyer").sql,
        &format!("select freehold.send('store.commands', '{}', 'p', '{body}')", sent.name),
    )
    .await;
}

async fn replies(stage: &Stage, count: usize) -> Vec<String> {
    let log = "select type from freehold.log where topic = 'buyer.replies' order by position";
    let store = &stage.home("store").sql;
    until("the replies come", || async { texts(store, log).await.len() >= count }).await;
    texts(store, log).await
}

async fn left(stage: &Stage) -> i64 {
    number(
        &stage.home("store").sql,
        "select pieces::bigint from shelf where item = 'tea'",
    )
    .await
}

#[tokio::test]
async fn a_command_that_comes_twice_takes_effect_once_and_is_answered_twice() {
    let stage = stage().await;
    let _acting = Acting::both(&stage).await;
    let reserve = Sent {
        id: Uuid::new_v4(),
        name: "store.reserve",
        direction: "forward",
        voids: None,
    };
    send(&stage, &reserve).await;
    send(&stage, &reserve).await;
    assert_eq!(replies(&stage, 2).await, ["store.reserve.done", "store.reserve.done"]);
    assert_eq!(left(&stage).await, 96);
    let answers = "select distinct payload::jsonb ->> 'data' from freehold.log where topic = 'buyer.replies'";
    assert_eq!(texts(&stage.home("store").sql, answers).await, [r#"{"left": 96}"#]);
}

#[tokio::test]
async fn a_compensation_that_comes_first_keeps_its_command_from_taking_effect() {
    let stage = stage().await;
    let _acting = Acting::both(&stage).await;
    let forward = Uuid::new_v4();
    let release = Sent {
        id: Uuid::new_v4(),
        name: "store.release",
        direction: "compensate",
        voids: Some(forward),
    };
    let reserve = Sent {
        id: forward,
        name: "store.reserve",
        direction: "forward",
        voids: None,
    };
    send(&stage, &release).await;
    send(&stage, &reserve).await;
    assert_eq!(
        replies(&stage, 2).await,
        ["store.release.done", "store.reserve.refused"]
    );
    assert_eq!(left(&stage).await, 100);
    assert_eq!(
        number(&stage.home("store").sql, "select count(*) from reserved").await,
        0
    );
}

#[tokio::test]
async fn a_compensation_that_comes_twice_gives_back_once() {
    let stage = stage().await;
    let _acting = Acting::both(&stage).await;
    let forward = Uuid::new_v4();
    let reserve = Sent {
        id: forward,
        name: "store.reserve",
        direction: "forward",
        voids: None,
    };
    let release = Sent {
        id: Uuid::new_v4(),
        name: "store.release",
        direction: "compensate",
        voids: Some(forward),
    };
    for sent in [&reserve, &release, &release] {
        send(&stage, sent).await;
    }
    replies(&stage, 3).await;
    assert_eq!(left(&stage).await, 100);
}
