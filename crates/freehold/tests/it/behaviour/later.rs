//! Commands for later.

use super::acting::{Acting, quiet};
use super::sagas::{post_buy, status};
use super::stage;
use crate::fixture::{number, until};

#[tokio::test]
async fn a_command_to_oneself_is_obeyed_when_its_time_has_come() {
    let stage = stage().await;
    let acting = Acting::both(&stage).await;
    post_buy(&acting, "p1", "tea", 1).await;
    quiet(&stage).await;
    let url = format!("http://127.0.0.1:{}/expire", acting.buyer);
    let body = serde_json::json!({ "purchase": "p1" });
    let sent = reqwest::Client::new().post(&url).json(&body).send().await;
    assert!(sent.expect("an answer").status().is_success());
    until("the purchase expires", || async {
        status(&stage, "p1").await == ["expired"]
    })
    .await;
    assert_eq!(
        number(&stage.home("buyer").sql, "select count(*) from freehold.due").await,
        0
    );
}
