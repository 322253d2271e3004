//! The two services with their behaviour, running in this process.

use std::collections::HashMap;

use anyhow::Result;
use freehold::{Command, Event, Saga, Service, Settings, Steps, Tx, invoke, local, refuse};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::Market;

#[derive(Serialize, Deserialize)]
struct Wanted {
    id: String,
}

impl Event for Wanted {
    const NAME: &'static str = "store.wanted";
}

#[derive(Serialize, Deserialize)]
struct Bought {
    id: String,
    number: i32,
}

impl Event for Bought {
    const NAME: &'static str = "buyer.bought";
}

#[derive(Serialize, Deserialize)]
struct Reserve {
    id: String,
}

impl Command for Reserve {
    const NAME: &'static str = "store.reserve";
    type Reply = ();
}

#[derive(Serialize, Deserialize)]
struct Release {
    id: String,
}

impl Command for Release {
    const NAME: &'static str = "store.release";
    type Reply = ();
}

#[derive(Serialize, Deserialize)]
struct Buy {
    id: String,
    email: String,
}

impl Saga for Buy {
    const NAME: &'static str = "buy";

    fn key(&self) -> String {
        self.id.clone()
    }

    fn steps() -> Steps<Self> {
        Steps::begin()
            .step(local("open", open).compensate(reject))
            .step(invoke("reserve", reserve).compensate(release))
            .pivot(local("pay", pay))
            .then(local("confirm", confirm))
    }
}

async fn wanted(event: Wanted, tx: &mut Tx) -> freehold::Result<()> {
    let email = format!("{}@example.com", event.id);
    tx.start(Buy { id: event.id, email }).await?;
    Ok(())
}

async fn open(buy: &mut Buy, tx: &mut Tx) -> freehold::Result<()> {
    tx.execute("insert into purchases values ($1, 'open')", &[&buy.id])
        .await?;
    Ok(())
}

async fn reject(buy: &mut Buy, tx: &mut Tx) -> freehold::Result<()> {
    tx.execute("update purchases set status = 'rejected' where id = $1", &[&buy.id])
        .await?;
    Ok(())
}

fn reserve(buy: &Buy) -> Reserve {
    Reserve { id: buy.id.clone() }
}

fn release(buy: &Buy) -> Release {
    Release { id: buy.id.clone() }
}

async fn pay(_: &mut Buy, _: &mut Tx) -> freehold::Result<()> {
    Ok(())
}

async fn confirm(buy: &mut Buy, tx: &mut Tx) -> freehold::Result<()> {
    if exists("select exists (select from closed where id = $1)", &buy.id, tx).await? {
        return Err(refuse("closed", "the books are closed"));
    }
    tx.execute("update purchases set status = 'confirmed' where id = $1", &[&buy.id])
        .await?;
    Ok(())
}

async fn obey_reserve(command: Reserve, tx: &mut Tx) -> freehold::Result<()> {
    if exists(IS_BROKEN, &command.id, tx).await? {
        return Err(freehold::Error::other("the shelf is broken"));
    }
    tx.execute("insert into reserved values ($1)", &[&command.id]).await?;
    Ok(())
}

async fn obey_release(command: Release, tx: &mut Tx) -> freehold::Result<()> {
    tx.execute("delete from reserved where id = $1", &[&command.id]).await?;
    Ok(())
}

async fn bought(event: Bought, tx: &mut Tx) -> freehold::Result<()> {
    if event.number == 13 || exists(IS_BROKEN, &event.id, tx).await? {
        return Err(freehold::Error::other(format!(
            "the till does not take {}",
            event.number
        )));
    }
    tx.execute(
        "insert into sold (id, number) values ($1, $2)",
        &[&event.id, &event.number],
    )
    .await?;
    Ok(())
}

const IS_BROKEN: &str = "select exists (select from broken where id = $1)";

async fn exists(sql: &str, id: &str, tx: &mut Tx) -> freehold::Result<bool> {
    Ok(tx.query_one(sql, &[&id]).await?.get(0))
}

/// A service that runs until this is dropped.
pub(super) struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Market {
    pub(super) fn run_buyer(&self) -> Result<Running> {
        self.run(|service| service.on(wanted).saga::<Buy>(), "buyer")
    }

    pub(super) fn run_store(&self) -> Result<Running> {
        let behave = |service: Service| service.on(bought).obey(obey_reserve).obey(obey_release);
        self.run(behave, "store")
    }

    fn run(&self, behave: impl FnOnce(Service) -> Service, name: &str) -> Result<Running> {
        let service = self.service(name)?;
        let known: HashMap<String, String> = self.ground.environment(service)?.into_iter().collect();
        let settings = Settings::read(|name| known.get(name).cloned())?;
        let service = behave(Service::new(service.clone(), settings));
        Ok(Running(tokio::spawn(async move {
            if let Err(error) = service.run().await {
                panic!("a service of the market ended: {error}");
            }
        })))
    }
}
