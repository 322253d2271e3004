//! A saga ends under the definition it was started under, whichever release goes on with it.

use axum::extract::{Json, State};
use axum::routing::post;
use freehold::saga::Plain;
use freehold::{App, Result, Saga, Service, Started, Steps, Tx, invoke, local, refuse};
use serde::{Deserialize, Serialize};

use super::acting::{self, Acting, port, quiet, settings};
use super::sagas::{post_buy, status};
use super::{Release, Reserve, expire, stage};
use crate::fixture::{Stage, number, texts, until};

/// The saga as release `R` of the program has it: the second one says thank you, the third does so by mistake under the
/// version of the first.
#[derive(Serialize, Deserialize)]
struct Buying<const R: u32> {
    purchase: String,
    item: String,
    pieces: i32,
}

impl<const R: u32> Saga for Buying<R> {
    const NAME: &'static str = "buy";
    const VERSION: u32 = if R == 2 { 2 } else { 1 };

    fn key(&self) -> String {
        self.purchase.clone()
    }

    fn steps() -> Steps<Self> {
        let steps = Steps::begin()
            .step(local("open", open::<R>).compensate(reject::<R>))
            .step(invoke("reserve", reserve::<R>).compensate(release::<R>))
            .pivot(local("confirm", confirm::<R>));
        let thank = local("thank", thank::<R>);
        match R {
            1 => steps,
            2 => steps.then(Plain::from(thank).since(2)),
            _ => steps.then(thank),
        }
    }
}

async fn open<const R: u32>(buy: &mut Buying<R>, tx: &mut Tx) -> Result<()> {
    if buy.pieces == 0 {
        return Err(refuse("nothing", "a purchase of nothing"));
    }
    tx.execute(
        "insert into purchases (id, item, pieces) values ($1, $2, $3)",
        &[&buy.purchase, &buy.item, &buy.pieces],
    )
    .await?;
    Ok(())
}

async fn reject<const R: u32>(buy: &mut Buying<R>, tx: &mut Tx) -> Result<()> {
    set(buy, tx, "rejected").await
}

async fn confirm<const R: u32>(buy: &mut Buying<R>, tx: &mut Tx) -> Result<()> {
    set(buy, tx, "confirmed").await
}

async fn thank<const R: u32>(buy: &mut Buying<R>, tx: &mut Tx) -> Result<()> {
    set(buy, tx, "thanked").await
}

async fn set<const R: u32>(buy: &Buying<R>, tx: &Tx, status: &str) -> Result<()> {
    tx.execute(
        "update purchases set status = $2 where id = $1",
        &[&buy.purchase, &status],
    )
    .await?;
    Ok(())
}

fn reserve<const R: u32>(buy: &Buying<R>) -> Reserve {
    Reserve {
        purchase: buy.purchase.clone(),
        item: buy.item.clone(),
        pieces: buy.pieces,
    }
}

fn release<const R: u32>(buy: &Buying<R>) -> Release {
    Release {
        purchase: buy.purchase.clone(),
    }
}

async fn buy<const R: u32>(State(app): State<App>, Json(buy): Json<Buying<R>>) -> Result<Json<Started>> {
    let mut tx = app.begin().await?;
    let started = tx.start(buy).await?;
    tx.commit().await?;
    Ok(Json(started))
}

fn buyer<const R: u32>(stage: &Stage, own: u16, store: u16) -> Service {
    let home = stage.home("buyer");
    Service::new(home.service.clone(), settings(home, own, &[("store", store)]))
        .saga::<Buying<R>>()
        .obey(expire)
        .routes(axum::Router::new().route("/buy", post(buy::<R>)))
}

/// A saga that the first release started and left waiting for the store.
async fn left_behind(stage: &Stage) {
    let first = Acting::one(|own, other| buyer::<1>(stage, own, other)).await;
    let (code, _) = post_buy(&first, "old", "tea", 1).await;
    assert_eq!(code, 200);
    drop(first);
    assert_eq!(status(stage, "old").await, ["open"]);
}

#[tokio::test]
async fn a_saga_of_the_old_release_is_ended_by_the_new_one_without_its_new_step() {
    let stage = stage().await;
    left_behind(&stage).await;
    let mut second = Acting::one(|own, other| buyer::<2>(&stage, own, other)).await;
    second.run(acting::shop(&stage, second.other, second.buyer));
    post_buy(&second, "new", "tea", 1).await;
    quiet(&stage).await;
    assert_eq!(status(&stage, "old").await, ["confirmed"]);
    assert_eq!(status(&stage, "new").await, ["thanked"]);
    let versions = "select string_agg(key || ' ' || version || ' ' || state, ', ' order by version) from freehold.saga";
    assert_eq!(
        texts(&stage.home("buyer").sql, versions).await,
        ["old 1 completed, new 2 completed"]
    );
}

#[tokio::test]
async fn other_steps_under_a_version_that_still_runs_are_refused_at_the_start() {
    let stage = stage().await;
    left_behind(&stage).await;
    let error = buyer::<3>(&stage, port().await, port().await).run().await;
    assert_eq!(
        error.expect_err("it does not start").to_string(),
        "sagas buy of version 1 still run with the steps [[\"open\"],[\"reserve\"],[\"confirm\"]], this program has \
         [[\"open\"],[\"reserve\"],[\"confirm\"],[\"thank\"]]; raise VERSION, and give new steps .since(2) and old ones .until(2)"
    );
}

#[tokio::test]
async fn an_old_release_leaves_a_newer_saga_to_the_new_one() {
    let stage = stage().await;
    let second = Acting::one(|own, other| buyer::<2>(&stage, own, other)).await;
    post_buy(&second, "new", "tea", 1).await;
    drop(second);
    // Rolled back, then forward again.
    let mut first = Acting::one(|own, other| buyer::<1>(&stage, own, other)).await;
    first.run(acting::shop(&stage, first.other, first.buyer));
    let answered = "select count(*) from freehold.log where topic = 'buyer.replies'";
    until("the store answers", || async {
        number(&stage.home("store").sql, answered).await == 1
    })
    .await;
    let url = format!("http://127.0.0.1:{}/health/ready", first.buyer);
    until("the old release yields", || async {
        let answer = reqwest::get(&url).await.expect("an answer");
        answer.text().await.expect("a text").contains("yielding")
    })
    .await;
    assert_eq!(status(&stage, "new").await, ["open"]);
    let again = port().await;
    first.run(buyer::<2>(&stage, again, first.other));
    until("the new release ends it", || async {
        status(&stage, "new").await == ["thanked"]
    })
    .await;
}
