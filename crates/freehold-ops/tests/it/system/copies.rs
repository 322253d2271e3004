//! Copies under fire: everything is killed again and again while rows come, change and go.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use fastrand::Rng;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::{Answer, Api};
use super::folder::SERVICES;
use super::shop::Shop;
use super::{id_of, prove, seed};

/// Kills of the short and of the long version.
const KILLS: (usize, usize) = (6, 24);

/// Tasks that write at full speed.
const WRITERS: u64 = 3;

/// The shortest and longest time in milliseconds between two kills, when the recovery is not waited for.
const BETWEEN_MS: std::ops::Range<u64> = 200..1_500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_are_true_after_everything_was_killed() -> Result<()> {
    let seed = seed("copies");
    let mut shop = Shop::new()?;
    // One server each, so that databases die apart.
    shop.folder.place("server")?;
    shop.start().await?;
    let category = json!({ "id": id_of("category", 1), "name": "Things", "slug": "things" });
    shop.api("product").post("categories", &category).await?.good()?;

    let begun = Instant::now();
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| {
            let writer = Writer {
                user: shop.api("user"),
                product: shop.api("product"),
                order: shop.api("order"),
                ledger: Arc::clone(&ledger),
                rng: Rng::with_seed(seed ^ n),
            };
            tokio::spawn(writer.run(Arc::clone(&stop)))
        })
        .collect();
    let kills = fire(&mut shop, &mut Rng::with_seed(seed)).await?;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await?;
    }
    let fired = begun.elapsed();
    ensure!(shop.is_up(), "up has ended");
    shop.ready().await?;
    println!("T {:?} ready {fired:?}", begun.elapsed());
    let caught_up = shop.caught_up().await?;

    let rows = shop.all_agree().await?;
    let messages = shop.logs_are_whole().await?;
    let (differing, lines) = shop.differing_names().await?;
    ensure!(
        differing == 0,
        "{differing} of {lines} order lines name their product wrongly"
    );
    let reviews = shop.differing_reviewers().await?;
    ensure!(reviews == 0, "{reviews} reviews name their author wrongly");
    let ledger = std::mem::take(&mut *ledger.lock().unwrap_or_else(PoisonError::into_inner));
    ledger.kept(&shop).await?;
    println!(
        "copies: {kills} kills in {fired:.1?} over {} accepted and {} refused writes; {rows} rows agree and {messages} \
         messages are chained {caught_up:.1?} after the last; {} acknowledged rows kept, {} deleted ones gone",
        ledger.accepted,
        ledger.refused,
        ledger.products.len() + ledger.users.len() + ledger.orders.len(),
        ledger.gone.len(),
    );
    shop.close().await
}

/// Kills this and that; returns how many blows found something to kill.
async fn fire(shop: &mut Shop, rng: &mut Rng) -> Result<usize> {
    let wanted = if prove() { KILLS.1 } else { KILLS.0 };
    let mut kills = 0;
    let t = Instant::now();
    while kills < wanted {
        tokio::time::sleep(Duration::from_millis(rng.u64(BETWEEN_MS))).await;
        let service = SERVICES[rng.usize(..SERVICES.len())];
        let what = rng.u8(..8);
        let hit = match what {
            0..4 => shop.kill_service(service)?,
            4..6 => shop.signal_server(service, Signal::SIGKILL),
            6 => shop.signal_server(service, Signal::SIGQUIT),
            _ => {
                let mut hit = false;
                for service in SERVICES {
                    hit |= shop.signal_server(service, Signal::SIGKILL);
                    hit |= shop.kill_service(service)?;
                }
                hit
            }
        };
        kills += usize::from(hit);
        println!("T {:?} kill {kills} {what} {service}", t.elapsed());
        if rng.bool() {
            shop.ready().await?;
            println!("T {:?} ready", t.elapsed());
        }
    }
    Ok(kills)
}

/// What the services acknowledged.
#[derive(Default)]
struct Ledger {
    /// Rows that are there; whose deletion was tried is taken out first, for nobody knows.
    products: Vec<Uuid>,
    users: Vec<Uuid>,
    orders: Vec<Uuid>,
    /// Rows whose deletion was acknowledged.
    gone: HashSet<Uuid>,
    accepted: u64,
    refused: u64,
}

impl Ledger {
    /// Fails unless every acknowledged row is at its owner, and no deleted one anywhere.
    async fn kept(&self, shop: &Shop) -> Result<()> {
        for (service, table, mine) in [
            ("product", "products", &self.products),
            ("user", "users", &self.users),
            ("order", "orders", &self.orders),
        ] {
            let there = ids(shop, service, table).await?;
            let lost: Vec<_> = mine.iter().filter(|id| !there.contains(id)).collect();
            ensure!(
                lost.is_empty(),
                "{service}.{table} lost {} acknowledged rows: {lost:?}",
                lost.len()
            );
        }
        for (service, table) in [
            ("product", "products"),
            ("user", "users"),
            ("product", "users"),
            ("order", "users"),
            ("order", "products"),
        ] {
            let there = ids(shop, service, table).await?;
            let back: Vec<_> = there.intersection(&self.gone).collect();
            ensure!(back.is_empty(), "{service}.{table} has deleted rows again: {back:?}");
        }
        Ok(())
    }
}

async fn ids(shop: &Shop, service: &str, table: &str) -> Result<HashSet<Uuid>> {
    let rows = shop
        .sql(service)
        .await?
        .rows(&format!("select id from {table}"), &[])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

struct Writer {
    user: Api,
    product: Api,
    order: Api,
    ledger: Arc<Mutex<Ledger>>,
    rng: Rng,
}

impl Writer {
    async fn run(mut self, stop: Arc<AtomicBool>) {
        while !stop.load(Ordering::Relaxed) {
            let written = match self.rng.u8(..10) {
                0..2 => self.insert_product().await,
                2..4 => self.change_product().await,
                4 => self.delete_product().await,
                5 => self.insert_user().await,
                6 => self.change_or_delete_user().await,
                7 => self.review().await,
                _ => self.place_order().await,
            };
            if let Some(written) = written {
                self.with(|ledger| {
                    if written {
                        ledger.accepted += 1
                    } else {
                        ledger.refused += 1
                    }
                });
                if !written {
                    // A service that is down refuses at once; asking it in a tight loop would only heat the machine.
                    tokio::time::sleep(Duration::from_millis(self.rng.u64(1..20))).await;
                }
            }
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        change(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fresh(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.rng.u128(..).to_be_bytes()).into_uuid()
    }

    /// One of the rows that are there; none while there is none.
    fn one(&mut self, of: fn(&mut Ledger) -> &mut Vec<Uuid>) -> Option<Uuid> {
        let chance = self.rng.f64();
        self.with(|ledger| {
            let rows = of(ledger);
            rows.get((chance * rows.len() as f64) as usize).copied()
        })
    }

    async fn insert_product(&mut self) -> Option<bool> {
        let id = self.fresh();
        let row = json!({
            "id": id,
            "category_id": id_of("category", 1),
            "name": format!("Product {}", self.rng.u32(..)),
            "price": self.rng.u32(1..10_000),
            "sku": id.simple().to_string().to_uppercase(),
        });
        let done = good(self.product.post("products", &row).await);
        if done {
            self.with(|ledger| ledger.products.push(id));
        }
        Some(done)
    }

    async fn change_product(&mut self) -> Option<bool> {
        let id = self.one(|l| &mut l.products)?;
        let change = json!({ "name": format!("Renamed {}", self.rng.u32(..)), "price": self.rng.u32(1..10_000) });
        Some(good(self.product.patch(&format!("products?id=eq.{id}"), &change).await))
    }

    async fn delete_product(&mut self) -> Option<bool> {
        let id = self.one(|l| &mut l.products)?;
        self.with(|ledger| ledger.products.retain(|p| *p != id));
        let done = good(self.product.delete(&format!("products?id=eq.{id}")).await);
        if done {
            self.with(|ledger| ledger.gone.insert(id));
        }
        Some(done)
    }

    async fn insert_user(&mut self) -> Option<bool> {
        let id = self.fresh();
        let row = json!({ "id": id, "email": format!("{}@example.com", id.simple()), "first_name": "New" });
        let done = good(self.user.post("users", &row).await);
        if done {
            self.with(|ledger| ledger.users.push(id));
        }
        Some(done)
    }

    async fn change_or_delete_user(&mut self) -> Option<bool> {
        let id = self.one(|l| &mut l.users)?;
        let path = format!("users?id=eq.{id}");
        if self.rng.u8(..3) > 0 {
            let change = json!({ "first_name": format!("Name {}", self.rng.u32(..)) });
            return Some(good(self.user.patch(&path, &change).await));
        }
        self.with(|ledger| ledger.users.retain(|u| *u != id));
        let done = good(self.user.delete(&path).await);
        if done {
            self.with(|ledger| ledger.gone.insert(id));
        }
        Some(done)
    }

    async fn review(&mut self) -> Option<bool> {
        let (product, user) = (self.one(|l| &mut l.products)?, self.one(|l| &mut l.users)?);
        let row = json!({ "product_id": product, "user_id_ref": user, "rating": self.rng.u8(1..6) });
        Some(good(self.product.post("product_reviews", &row).await))
    }

    async fn place_order(&mut self) -> Option<bool> {
        let (id, user) = (self.fresh(), self.one(|l| &mut l.users)?);
        let mut lines: Vec<Value> = Vec::new();
        for _ in 0..self.rng.u8(1..4) {
            let product = self.one(|l| &mut l.products)?;
            lines.push(json!({ "product_id_ref": product, "quantity": self.rng.u8(1..9) }));
        }
        let order = json!({ "id": id, "user_id_ref": user, "order_items": lines });
        let done = good(self.order.post("orders", &order).await);
        if done {
            self.with(|ledger| ledger.orders.push(id));
        }
        Some(done)
    }
}

fn good(answer: Result<Answer>) -> bool {
    answer.is_ok_and(|answer| answer.is_success())
}
