//! Behaviour over two databases: handlers, commands, sagas, keys set aside.

pub(crate) mod acting;
mod agreement;
mod background;
mod later;
mod parked;
mod participant;
mod sagas;
mod upgrade;

use freehold::{Call, Called, Command, Error, Event, Result, Saga, Steps, Tx, call, invoke, local, refuse};
use serde::{Deserialize, Serialize};

use crate::fixture::{Folder, Stage};

const BUYER: Folder<'static> = Folder {
    name: "buyer",
    manifest: r#"
program = "buyer"
sagas = ["buy"]
sends = ["store.reserve", "store.release", "buyer.expire"]
publishes = ["buyer.bought"]
commands = { "buyer.expire" = { from = ["buyer"] } }
[owns.purchases]
summary = "Purchases."
"#,
    migration: "create table purchases (id text primary key, item text not null, pieces integer not null,
                  status text not null default 'open')",
};

const STORE: Folder<'static> = Folder {
    name: "store",
    manifest: r#"
program = "store"
subscribes = ["buyer.bought"]
[commands]
"store.reserve" = { from = ["buyer"] }
"store.release" = { from = ["buyer"] }
[owns.shelf]
summary = "What is left."
[owns.reserved]
summary = "What is promised."
[owns.sold]
summary = "What was sold."
[owns.broken]
summary = "Purchases that cannot be handled today."
"#,
    migration: "create table shelf (item text primary key, pieces integer not null check (pieces >= 0));
                create table reserved (purchase text primary key, item text not null, pieces integer not null);
                create table sold (place bigint generated always as identity primary key, purchase text not null, number integer not null,
                  unique (purchase, number) deferrable initially deferred);
                create table broken (purchase text primary key);
                insert into shelf values ('tea', 100), ('poison', 100)",
};

#[derive(Serialize, Deserialize)]
struct Reserve {
    purchase: String,
    item: String,
    pieces: i32,
}

#[derive(Serialize, Deserialize)]
struct Reserved {
    left: i32,
}

impl Command for Reserve {
    const NAME: &'static str = "store.reserve";
    type Reply = Reserved;
}

#[derive(Serialize, Deserialize)]
struct Release {
    purchase: String,
}

impl Command for Release {
    const NAME: &'static str = "store.release";
    type Reply = ();
}

#[derive(Serialize, Deserialize)]
struct Bought {
    purchase: String,
    number: i32,
}

impl Event for Bought {
    const NAME: &'static str = "buyer.bought";
}

#[derive(Serialize, Deserialize)]
struct Buy {
    purchase: String,
    item: String,
    pieces: i32,
    #[serde(default)]
    left: Option<i32>,
    #[serde(default)]
    receipt: Option<String>,
}

impl Buy {
    fn of(purchase: &str, item: &str, pieces: i32) -> Self {
        Self {
            purchase: purchase.to_owned(),
            item: item.to_owned(),
            pieces,
            left: None,
            receipt: None,
        }
    }
}

impl Saga for Buy {
    const NAME: &'static str = "buy";

    fn key(&self) -> String {
        self.purchase.clone()
    }

    fn steps() -> Steps<Self> {
        Steps::begin()
            .step(local("open", open).compensate(reject))
            .step(
                invoke("reserve", reserve)
                    .reply(|buy, reserved: Reserved| buy.left = Some(reserved.left))
                    .compensate(release),
            )
            .pivot(call("pay", pay).reply(|buy, receipt| buy.receipt = Some(receipt)))
            .then(local("confirm", confirm))
    }
}

async fn open(buy: &mut Buy, tx: &mut Tx) -> Result<()> {
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

async fn reject(buy: &mut Buy, tx: &mut Tx) -> Result<()> {
    tx.execute(
        "update purchases set status = 'rejected' where id = $1",
        &[&buy.purchase],
    )
    .await?;
    Ok(())
}

fn reserve(buy: &Buy) -> Reserve {
    Reserve {
        purchase: buy.purchase.clone(),
        item: buy.item.clone(),
        pieces: buy.pieces,
    }
}

fn release(buy: &Buy) -> Release {
    Release {
        purchase: buy.purchase.clone(),
    }
}

async fn pay(buy: Buy, call: Call) -> Result<Called<String>> {
    match buy.pieces {
        13 => Err(refuse("declined", "thirteen is refused")),
        _ => Ok(Called::Answered(format!("receipt {}", call.id))),
    }
}

async fn confirm(buy: &mut Buy, tx: &mut Tx) -> Result<()> {
    tx.execute(
        "update purchases set status = 'confirmed' where id = $1",
        &[&buy.purchase],
    )
    .await?;
    let bought = Bought {
        purchase: buy.purchase.clone(),
        number: 1,
    };
    tx.publish(&buy.purchase, &bought).await?;
    Ok(())
}

async fn obey_reserve(command: Reserve, tx: &mut Tx) -> Result<Reserved> {
    tx.execute(
        "insert into reserved (purchase, item, pieces) values ($1, $2, $3)",
        &[&command.purchase, &command.item, &command.pieces],
    )
    .await?;
    let left = tx
        .query_opt(
            "update shelf set pieces = pieces - $2 where item = $1 and pieces >= $2 returning pieces",
            &[&command.item, &command.pieces],
        )
        .await?;
    match left {
        Some(row) => Ok(Reserved { left: row.get(0) }),
        None => Err(refuse("out_of_stock", "not enough left")),
    }
}

async fn obey_release(command: Release, tx: &mut Tx) -> Result<()> {
    tx.execute(
        "with gone as (delete from reserved where purchase = $1 returning item, pieces)
         update shelf s set pieces = s.pieces + g.pieces from gone g where s.item = g.item",
        &[&command.purchase],
    )
    .await?;
    Ok(())
}

async fn bought(event: Bought, tx: &mut Tx) -> Result<()> {
    let broken = tx
        .query_opt("select from broken where purchase = $1", &[&event.purchase])
        .await?;
    if broken.is_some() {
        return Err(Error::other("this purchase cannot be handled"));
    }
    assert!(event.number >= 0, "numbers begin at 0");
    tx.execute("delete from reserved where purchase = $1", &[&event.purchase])
        .await?;
    tx.execute(
        "insert into sold (purchase, number) values ($1, $2)",
        &[&event.purchase, &event.number],
    )
    .await?;
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Expire {
    purchase: String,
}

impl Command for Expire {
    const NAME: &'static str = "buyer.expire";
    type Reply = ();
}

async fn expire(command: Expire, tx: &mut Tx) -> Result<()> {
    tx.execute(
        "update purchases set status = 'expired' where id = $1",
        &[&command.purchase],
    )
    .await?;
    Ok(())
}

async fn stage() -> Stage {
    Stage::open(&[BUYER, STORE]).await
}
