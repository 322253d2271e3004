//! The orchestrator of the saga bench: open, reserve at the store, confirm.

use axum::extract::{Json, State};
use axum::routing::post;
use freehold::{App, Result, Saga, Service, Started, Steps, Tx, invoke, local};
use freehold_bench::{Release, Reserve};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Buy {
    purchase: String,
    item: i32,
}

impl Saga for Buy {
    const NAME: &'static str = "buy";

    fn key(&self) -> String {
        self.purchase.clone()
    }

    fn steps() -> Steps<Self> {
        Steps::begin()
            .step(local("open", open).compensate(reject))
            .step(invoke("reserve", reserve).compensate(release))
            .pivot(local("confirm", confirm))
    }
}

async fn open(buy: &mut Buy, tx: &mut Tx) -> Result<()> {
    let sql = "insert into purchases (id, item) values ($1, $2)";
    tx.execute(sql, &[&buy.purchase, &buy.item]).await?;
    Ok(())
}

async fn reject(buy: &mut Buy, tx: &mut Tx) -> Result<()> {
    set(buy, tx, "rejected").await
}

async fn confirm(buy: &mut Buy, tx: &mut Tx) -> Result<()> {
    set(buy, tx, "confirmed").await
}

async fn set(buy: &Buy, tx: &Tx, status: &str) -> Result<()> {
    let sql = "update purchases set status = $2 where id = $1";
    tx.execute(sql, &[&buy.purchase, &status]).await?;
    Ok(())
}

fn reserve(buy: &Buy) -> Reserve {
    Reserve {
        purchase: buy.purchase.clone(),
        item: buy.item,
    }
}

fn release(buy: &Buy) -> Release {
    Release {
        purchase: buy.purchase.clone(),
    }
}

async fn buy(State(app): State<App>, Json(buy): Json<Buy>) -> Result<Json<Started>> {
    let mut tx = app.begin().await?;
    let started = tx.start(buy).await?;
    tx.commit().await?;
    Ok(Json(started))
}

#[tokio::main]
async fn main() -> Result<()> {
    Service::open(include_str!("../../sagas/buyer/freehold.toml"))?
        .saga::<Buy>()
        .routes(axum::Router::new().route("/buy", post(buy)))
        .run()
        .await
}
