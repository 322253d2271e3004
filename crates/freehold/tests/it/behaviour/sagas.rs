//! A saga over two services, to its end or undone.

use axum::extract::{Json, State};
use axum::routing::post;
use freehold::{App, Result, Started};

use super::acting::{Acting, quiet};
use super::{Buy, Expire, stage};
use crate::fixture::{Stage, number, texts, until};

pub(super) fn routes() -> axum::Router<App> {
    axum::Router::new()
        .route("/buy", post(buy))
        .route("/expire", post(expire_later))
}

async fn expire_later(State(app): State<App>, Json(expire): Json<Expire>) -> Result<()> {
    let mut tx = app.begin().await?;
    let key = expire.purchase.clone();
    tx.after(std::time::Duration::from_millis(30), &key, &expire).await?;
    tx.commit().await
}

async fn buy(State(app): State<App>, Json(buy): Json<Buy>) -> Result<Json<Started>> {
    let mut tx = app.begin().await?;
    let started = tx.start(buy).await?;
    tx.commit().await?;
    Ok(Json(started))
}

pub(super) async fn post_buy(acting: &Acting, purchase: &str, item: &str, pieces: i32) -> (u16, serde_json::Value) {
    let url = format!("http://127.0.0.1:{}/buy", acting.buyer);
    let client = reqwest::Client::new();
    let mut answer = None;
    until("the service answers", || async {
        client.post(&url).json(&Buy::of("probe", "tea", 0)).send().await.is_ok()
    })
    .await;
    if let Ok(sent) = client.post(&url).json(&Buy::of(purchase, item, pieces)).send().await {
        answer = Some((sent.status().as_u16(), sent.json().await.expect("an answer of JSON")));
    }
    answer.expect("an answer")
}

pub(super) async fn status(stage: &Stage, purchase: &str) -> Vec<String> {
    texts(
        &stage.home("buyer").sql,
        &format!("select status from purchases where id = '{purchase}'"),
    )
    .await
}

#[tokio::test]
async fn a_saga_that_meets_no_refusal_is_completed_in_both_databases() {
    let stage = stage().await;
    let acting = Acting::both(&stage).await;
    let (code, started) = post_buy(&acting, "p1", "tea", 3).await;
    assert_eq!((code, &started["fresh"]), (200, &true.into()), "{started}");
    quiet(&stage).await;
    assert_eq!(status(&stage, "p1").await, ["confirmed"]);
    let store = &stage.home("store").sql;
    assert_eq!(
        number(store, "select pieces::bigint from shelf where item = 'tea'").await,
        97
    );
    assert_eq!(number(store, "select count(*) from reserved").await, 0);
    assert_eq!(texts(store, "select purchase from sold").await, ["p1"]);
}

#[tokio::test]
async fn a_refusal_of_another_service_undoes_what_was_done() {
    let stage = stage().await;
    let acting = Acting::both(&stage).await;
    let (code, _) = post_buy(&acting, "p2", "tea", 101).await;
    assert_eq!(code, 200);
    quiet(&stage).await;
    assert_eq!(status(&stage, "p2").await, ["rejected"]);
    let store = &stage.home("store").sql;
    assert_eq!(
        number(store, "select pieces::bigint from shelf where item = 'tea'").await,
        100
    );
    assert_eq!(
        number(store, "select count(*) from reserved").await,
        0,
        "a refusal leaves nothing"
    );
}

#[tokio::test]
async fn a_refused_pivot_undoes_what_the_other_service_did() {
    let stage = stage().await;
    let acting = Acting::both(&stage).await;
    post_buy(&acting, "p3", "tea", 13).await;
    quiet(&stage).await;
    assert_eq!(status(&stage, "p3").await, ["rejected"]);
    let store = &stage.home("store").sql;
    assert_eq!(
        number(store, "select pieces::bigint from shelf where item = 'tea'").await,
        100
    );
    let events = texts(
        &stage.home("buyer").sql,
        "select concat_ws(' ', step, direction, event) from freehold.saga_history order by id",
    )
    .await;
    assert_eq!(
        events,
        [
            "started",
            "open forward done",
            "reserve forward asked",
            "reserve forward done",
            "pay forward asked",
            "pay forward refused",
            "turned round",
            "reserve compensate asked",
            "reserve compensate done",
            "open compensate done",
            "compensated",
        ]
    );
}

#[tokio::test]
async fn a_refusal_of_the_first_local_step_starts_nothing() {
    let stage = stage().await;
    let acting = Acting::both(&stage).await;
    let (code, problem) = post_buy(&acting, "p4", "tea", 0).await;
    assert_eq!((code, problem["code"].as_str()), (422, Some("nothing")), "{problem}");
    assert_eq!(
        number(&stage.home("buyer").sql, "select count(*) from freehold.saga").await,
        0
    );
}

#[tokio::test]
async fn a_saga_started_twice_for_a_key_is_one() {
    let stage = stage().await;
    let acting = Acting::both(&stage).await;
    let (_, first) = post_buy(&acting, "p5", "tea", 1).await;
    let (_, second) = post_buy(&acting, "p5", "tea", 1).await;
    assert_eq!((&second["fresh"], &second["id"]), (&false.into(), &first["id"]));
    quiet(&stage).await;
    assert_eq!(number(&stage.home("store").sql, "select count(*) from sold").await, 1);
}
