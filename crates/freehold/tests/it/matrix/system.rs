//! The desk takes orders, the depot has the goods. The depot's handlers count on being run once: nothing in them would notice
//! a second time.

use std::collections::BTreeMap;

use freehold::settings::Supervision;
use freehold::testing::{Member, Stage};
use freehold::{Call, Called, Command, Event, Result, Saga, Service, Settings, Steps, Tx, call, invoke, local, refuse};
use serde::{Deserialize, Serialize};
use tokio_postgres::Config;

use super::bank;
use crate::fixture::{self, Folder, Home};

/// What the shelf holds at first.
pub(super) const SHELF: i64 = 10;

/// What an order takes of it.
pub(super) const PIECES: i64 = 2;

const DESK: Folder<'static> = Folder {
    name: "desk",
    manifest: r#"
program = "desk"
sagas = ["order", "lend"]
sends = ["depot.reserve", "depot.release", "depot.announce", "depot.withdraw", "depot.ship"]
publishes = ["desk.confirmed"]
[owns.orders]
summary = "Orders."
[copies.shelf]
of = "depot.shelf"
columns = ["id", "free"]
"#,
    migration: "create table orders (id text primary key, status text not null)",
};

const DEPOT: Folder<'static> = Folder {
    name: "depot",
    manifest: r#"
program = "depot"
subscribes = ["desk.confirmed"]
[commands]
"depot.reserve" = { from = ["desk"] }
"depot.release" = { from = ["desk"] }
"depot.announce" = { from = ["desk"] }
"depot.withdraw" = { from = ["desk"] }
"depot.ship" = { from = ["desk"] }
[owns.shelf]
summary = "What is free."
publishes = ["id", "free"]
[owns.sales]
summary = "What was sold."
mode = "append_only"
[owns.parcels]
summary = "What was sent."
[owns.notices]
summary = "How often each order was announced."
"#,
    migration: "create table shelf (id integer primary key, free bigint not null);
                create table sales (id bigint generated always as identity primary key, order_ref text not null, pieces bigint not null);
                create table parcels (id bigint generated always as identity primary key, order_ref text not null);
                create table notices (order_ref text primary key, number integer not null)",
};

macro_rules! command {
    ($name:ident = $text:literal gives $reply:ty) => {
        #[derive(Serialize, Deserialize)]
        pub(super) struct $name {
            order: String,
        }

        impl Command for $name {
            const NAME: &'static str = $text;
            type Reply = $reply;
        }
    };
}
command!(Reserve = "depot.reserve" gives i64);
command!(Release = "depot.release" gives ());
command!(Announce = "depot.announce" gives ());
command!(Withdraw = "depot.withdraw" gives ());
command!(Ship = "depot.ship" gives i64);

#[derive(Serialize, Deserialize)]
struct Confirmed {
    order: String,
}

impl Event for Confirmed {
    const NAME: &'static str = "desk.confirmed";
}

async fn reserve(_: Reserve, tx: &mut Tx) -> Result<i64> {
    let taken = "update shelf set free = free - $1 where free >= $1 returning free";
    match tx.query_opt(taken, &[&PIECES]).await? {
        Some(row) => Ok(row.get(0)),
        None => Err(refuse("out_of_stock", "the shelf is empty")),
    }
}

async fn release(_: Release, tx: &mut Tx) -> Result<()> {
    tx.execute("update shelf set free = free + $1", &[&PIECES]).await?;
    Ok(())
}

async fn announce(command: Announce, tx: &mut Tx) -> Result<()> {
    let noted = "insert into notices as n values ($1, 1) on conflict (order_ref) do update set number = n.number + 1";
    tx.execute(noted, &[&command.order]).await?;
    Ok(())
}

async fn withdraw(command: Withdraw, tx: &mut Tx) -> Result<()> {
    let noted = "update notices set number = number - 1 where order_ref = $1";
    tx.execute(noted, &[&command.order]).await?;
    Ok(())
}

async fn ship(command: Ship, tx: &mut Tx) -> Result<i64> {
    let sent = "insert into parcels (order_ref) values ($1) returning id";
    Ok(tx.query_one(sent, &[&command.order]).await?.get(0))
}

async fn confirmed(event: Confirmed, tx: &mut Tx) -> Result<()> {
    let sold = "insert into sales (order_ref, pieces) values ($1, $2)";
    tx.execute(sold, &[&event.order, &PIECES]).await?;
    Ok(())
}

/// A saga with every kind of step on both sides of the pivot.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    id: String,
    free: Option<i64>,
    receipt: Option<String>,
    parcel: Option<i64>,
}

impl Order {
    pub(super) fn of(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            free: None,
            receipt: None,
            parcel: None,
        }
    }

    fn order(&self) -> String {
        self.id.clone()
    }
}

impl Saga for Order {
    const NAME: &'static str = "order";

    fn key(&self) -> String {
        self.id.clone()
    }

    fn steps() -> Steps<Self> {
        Steps::begin()
            .step(local("open", open).compensate(close))
            .together([
                invoke("reserve", |o: &Order| Reserve { order: o.order() })
                    .reply(|o, free| o.free = Some(free))
                    .compensate(|o| Release { order: o.order() }),
                invoke("announce", |o: &Order| Announce { order: o.order() })
                    .compensate(|o| Withdraw { order: o.order() }),
            ])
            .step(call("deposit", deposit).compensate(give_back))
            .pivot(call("charge", charge).reply(|o: &mut Order, receipt| o.receipt = Some(receipt)))
            .then(invoke("ship", |o: &Order| Ship { order: o.order() }).reply(|o, parcel| o.parcel = Some(parcel)))
            .then(local("confirm", confirm))
    }
}

async fn open(order: &mut Order, tx: &mut Tx) -> Result<()> {
    tx.execute("insert into orders (id, status) values ($1, 'open')", &[&order.id])
        .await?;
    Ok(())
}

async fn close(order: &mut Order, tx: &mut Tx) -> Result<()> {
    tx.execute("update orders set status = 'closed' where id = $1", &[&order.id])
        .await?;
    Ok(())
}

async fn deposit(order: Order, call: Call) -> Result<Called<()>> {
    bank::deposit(call.id, &order.id);
    Ok(Called::Answered(()))
}

async fn give_back(order: Order, _: Call) -> Result<Called<()>> {
    bank::give_back(&order.id);
    Ok(Called::Answered(()))
}

async fn charge(order: Order, call: Call) -> Result<Called<String>> {
    bank::charge(call.id, &order.id);
    Ok(Called::Answered("receipt".to_owned()))
}

async fn confirm(order: &mut Order, tx: &mut Tx) -> Result<()> {
    assert!(
        order.free.is_some() && order.receipt.is_some() && order.parcel.is_some(),
        "every reply was taken"
    );
    tx.execute("update orders set status = 'confirmed' where id = $1", &[&order.id])
        .await?;
    let confirmed = Confirmed {
        order: order.id.clone(),
    };
    tx.publish(&order.id, &confirmed).await?;
    Ok(())
}

/// A saga without a pivot, whose last step is a call.
#[derive(Serialize, Deserialize)]
pub(super) struct Lend(String);

impl Lend {
    pub(super) fn of(key: &str) -> Self {
        Self(key.to_owned())
    }
}

impl Saga for Lend {
    const NAME: &'static str = "lend";

    fn key(&self) -> String {
        self.0.clone()
    }

    fn steps() -> Steps<Self> {
        Steps::begin()
            .step(
                invoke("reserve", |lend: &Lend| Reserve { order: lend.key() })
                    .compensate(|lend| Release { order: lend.key() }),
            )
            .step(call("insure", insure).compensate(end_insurance))
            .without_pivot()
    }
}

async fn insure(lend: Lend, call: Call) -> Result<Called<()>> {
    bank::deposit(call.id, &lend.0);
    Ok(Called::Answered(()))
}

async fn end_insurance(lend: Lend, _: Call) -> Result<Called<()>> {
    bank::give_back(&lend.0);
    Ok(Called::Answered(()))
}

/// A saga that no service runs.
#[derive(Serialize, Deserialize)]
pub(super) struct Nobodys;

impl Saga for Nobodys {
    const NAME: &'static str = "nobodys";

    fn key(&self) -> String {
        String::new()
    }

    fn steps() -> Steps<Self> {
        Steps::begin().without_pivot()
    }
}

/// Both services over databases of their own; the bank forgets `order` whenever they are put back.
pub(super) async fn opened(order: &'static str) -> (fixture::Stage, Stage) {
    let databases = fixture::Stage::open(&[DESK, DEPOT]).await;
    let desk = databases.home("desk");
    let depot = databases.home("depot");
    let members = vec![
        member(desk, |service| service.saga::<Order>().saga::<Lend>()).await,
        member(depot, |service| {
            service
                .on(confirmed)
                .obey(reserve)
                .obey(release)
                .obey(announce)
                .obey(withdraw)
                .obey(ship)
        })
        .await,
    ];
    let stage = Stage::open(members).await.expect("the stage is opened");
    let filled = stage
        .sql("depot", &format!("insert into shelf values (1, {SHELF})"))
        .await;
    filled.expect("the shelf is filled");
    (databases, stage.on_restore(move || bank::forget(order)))
}

async fn member(home: &Home, with: impl FnOnce(Service) -> Service) -> Member {
    let url = std::env::var("FREEHOLD_TEST_PG").expect("FREEHOLD_TEST_PG is the URL of a test server's superuser");
    let mut admin: Config = url.parse().expect("FREEHOLD_TEST_PG is a URL");
    let database = home.app_config();
    admin.dbname(database.get_dbname().expect("a database of its own"));
    let settings = Settings {
        system: "t".to_owned(),
        database,
        schema: home.names.schema.clone(),
        freehold: home.names.freehold.clone(),
        listen: None,
        pool: 4,
        accepts: Vec::new(),
        peers: BTreeMap::new(),
        instance: "one".to_owned(),
        auth: None,
        supervised: Supervision::None,
    };
    let service = with(Service::new(home.service.clone(), settings));
    Member::new(service, &admin).await.expect("the service is ready")
}
