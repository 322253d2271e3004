//! Everything that may happen to a step of the shop's two sagas, played over the shop's real databases and provider.
//!
//! The address of the provider is read from the environment once, so each matrix is played in a process of its own that was
//! told it.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use freehold::testing::{End, Member, Report, Stage, matrix};
use freehold::{Service, Settings};
use freehold_ops::folder::Folder;
use freehold_ops::ground::{self, Ground};
use freehold_ops::migrate::To;
use serde_json::json;
use shop_order::cancel::CancelOrder;
use shop_order::place::PlaceOrder;
use shop_order::request::Place;
use shop_payment::{Amount, Options, Provider, Totals};
use uuid::Uuid;

use crate::shop::{copy_shop, free_ports};

/// The order of every cell.
const ORDER: Uuid = Uuid::from_u128(0x0d);
const USER: Uuid = Uuid::from_u128(0x05);
const PRODUCT: Uuid = Uuid::from_u128(0x0b);

/// Pieces in the house, and pieces of the order.
const STOCK: i64 = 10;
const PIECES: i64 = 2;

/// What the order costs: two pieces at 10.
const TOTAL: Amount = Amount::of_cents(20_00);

/// The least number of cells a matrix has: fewer, and it lost some.
const CELLS_MIN: usize = 150;

#[test]
fn whatever_happens_to_a_step_of_place_order_it_ends_clean() -> Result<()> {
    apart("matrix::place_order_is_played")
}

#[test]
fn whatever_happens_to_a_step_of_cancel_order_it_ends_clean() -> Result<()> {
    apart("matrix::cancel_order_is_played")
}

/// Runs one of the tests below in a process that was told where the provider will be.
fn apart(test: &str) -> Result<()> {
    // Between two cells the port is free for a moment; nobody is given this one by the system meanwhile.
    let port = free_ports()?;
    let output = Command::new(std::env::current_exe()?)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("SHOP_PAYMENT_URL", format!("http://127.0.0.1:{port}"))
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    ensure!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// The shop on a stage, and its provider.
struct Shop {
    stage: Stage,
    provider: Arc<Provided>,
    ground: Ground,
    _folder: tempfile::TempDir,
}

/// A provider that can be put back to where it was.
struct Provided {
    listen: SocketAddr,
    folder: std::path::PathBuf,
    kept: std::path::PathBuf,
    running: Mutex<Option<Provider>>,
}

impl Provided {
    fn start(folder: &std::path::Path) -> Result<Self> {
        let url = std::env::var("SHOP_PAYMENT_URL")?;
        let provided = Self {
            listen: url.trim_start_matches("http://").parse()?,
            folder: folder.join("payment"),
            kept: folder.join("payment-kept"),
            running: Mutex::new(None),
        };
        provided.run()?;
        Ok(provided)
    }

    fn run(&self) -> Result<()> {
        let provider = Provider::start(Options {
            listen: self.listen,
            ..Options::new(&self.folder)
        })?;
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(provider);
        Ok(())
    }

    fn stop(&self) {
        if let Some(provider) = self.running.lock().unwrap_or_else(PoisonError::into_inner).take() {
            provider.stop();
        }
    }

    /// From here every cell begins.
    fn keep(&self) -> Result<()> {
        self.stop();
        copy(&self.folder, &self.kept)?;
        self.run()
    }

    fn restore(&self) -> Result<()> {
        self.stop();
        std::fs::remove_dir_all(&self.folder)?;
        copy(&self.kept, &self.folder)?;
        self.run()
    }

    /// A complaint for the judge if so many payments and refunds of the order's total are not all it has.
    fn unequal(&self, payments: u64, refunds: u64) -> Option<String> {
        let times = |number: u64| Amount::of_cents(TOTAL.cents() * number);
        let wanted = Totals {
            captured: times(payments),
            refunded: times(refunds),
            net: times(payments - refunds),
            payments,
            refunds,
            declined: 0,
        };
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.as_ref().map(Provider::totals) {
            Some(totals) if totals == wanted => None,
            found => Some(format!("the provider has {found:?}, not {wanted:?}")),
        }
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

impl Shop {
    async fn open() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        passable(folder.path())?;
        let system = folder.path().join("shop");
        copy_shop(&system)?;
        let read = Folder::read(&system)?;
        let model = read.checked.system.clone().context("the shop's manifest is right")?;
        let mut ground = Ground::open(&read, &model).await?;
        ground.start().await?;
        ground.provision().await?;
        for service in &model.services {
            ground::migrate_service(&ground, &read, service, To::Latest, &mut |_| {}).await?;
        }
        ground.install().await?;
        let mut members = Vec::new();
        for service in &model.services {
            let told = ground.environment(service)?;
            let settings = Settings::read(|name| told.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()))?;
            let alone = Service::new(service.clone(), settings);
            let behaving = match service.name.as_str() {
                "order" => shop_order::behaving(alone),
                "product" => shop_product::behaving(alone),
                _ => alone,
            };
            let database = freehold_manifest::names::Names::of(&model, service).database;
            let admin = ground.clusters.of(&service.name)?.admin(&database);
            members.push(Member::new(behaving, &admin).await?);
        }
        let provider = Arc::new(Provided::start(folder.path())?);
        let stage = Stage::open(members).await?;
        let restored = Arc::clone(&provider);
        let stage = stage.on_restore(move || {
            if let Err(error) = restored.restore() {
                println!("the provider was not restored: {error:#}");
            }
        });
        stage
            .sql(
                "user",
                &format!("insert into users (id, email, first_name, last_name) values ('{USER}', 'ada@example.org', 'Ada', 'L')"),
            )
            .await?;
        stage
            .sql(
                "product",
                &format!(
                    "insert into categories (id, name, slug) values ('{PRODUCT}', 'Tea', 'tea');
                     insert into products (id, category_id, name, price, sku, stock_quantity)
                     values ('{PRODUCT}', '{PRODUCT}', 'Tea', 10, 'TEA-1', {STOCK})"
                ),
            )
            .await?;
        stage.settle().await?;
        Ok(Self {
            stage,
            provider,
            ground,
            _folder: folder,
        })
    }

    async fn close(self) -> Result<()> {
        self.provider.stop();
        drop(self.stage);
        for (server, _) in self.ground.servers {
            server.destroy().await?;
        }
        Ok(())
    }
}

/// PostgreSQL may run as another user, who has to pass through the folder.
fn passable(folder: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(
        folder,
        std::fs::Permissions::from_mode(0o755),
    )?)
}

fn place() -> PlaceOrder {
    let place: Place = serde_json::from_value(json!({
        "user_id": USER,
        "lines": [{ "product_id": PRODUCT, "quantity": PIECES }],
        "payment_method": "card",
        "shipping": { "recipient_name": "Ada", "address_line1": "4 Mill Lane", "city": "Aarhus", "country": "Denmark" },
    }))
    .expect("a place request");
    PlaceOrder::new(ORDER, place.checked().expect("a wish"))
}

/// What is wrong with the shop: numbers that are not what they must be.
async fn wrong(stage: &Stage, wanted: &[(&str, &str, i64)]) -> freehold::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (service, query, number) in wanted {
        wrong.extend(stage.unequal(service, query, *number).await?);
    }
    Ok(wrong)
}

fn judged(report: &Report) -> Result<()> {
    println!("{report}");
    let cells = report.cells.len();
    ensure!(report.is_clean(), "{report}");
    ensure!(cells >= CELLS_MIN, "{cells} cells are left, not {CELLS_MIN}");
    Ok(())
}

#[tokio::test]
#[ignore = "played by whatever_happens_to_a_step_of_place_order_it_ends_clean"]
async fn place_order_is_played() -> Result<()> {
    let shop = Shop::open().await?;
    shop.provider.keep()?;
    let provider = Arc::clone(&shop.provider);
    let report = matrix(&shop.stage, place, async |stage, end| {
        let (confirmed, rejected) = (i64::from(end == End::Completed), i64::from(end == End::Compensated));
        let mut found = wrong(
            stage,
            &[
                (
                    "order",
                    "select count(*) from orders where status = 'confirmed'",
                    confirmed,
                ),
                (
                    "order",
                    "select count(*) from orders where status = 'rejected' and status_reason is not null",
                    rejected,
                ),
                ("order", "select count(*) from orders", confirmed + rejected),
                (
                    "order",
                    "select count(*) from order_payments where payment_status = 'paid' and amount = 20",
                    confirmed,
                ),
                ("order", "select count(*) from order_payments", confirmed),
                ("order", "select count(*) from order_shippings", confirmed),
                ("product", "select reserved::bigint from inventory", 0),
                (
                    "product",
                    "select quantity::bigint from inventory",
                    STOCK - confirmed * PIECES,
                ),
                (
                    "product",
                    "select count(*) from stock_reservations where state = 'sold'",
                    confirmed,
                ),
                (
                    "product",
                    "select count(*) from stock_reservations where state not in ('sold', 'released')",
                    0,
                ),
                (
                    "product",
                    "select coalesce(sum(units), 0)::bigint from sales_figures",
                    confirmed * PIECES,
                ),
            ],
        )
        .await?;
        found.extend(provider.unequal(u64::from(end == End::Completed), 0));
        Ok(found)
    })
    .await;
    shop.close().await?;
    judged(&report?)
}

#[tokio::test]
#[ignore = "played by whatever_happens_to_a_step_of_cancel_order_it_ends_clean"]
async fn cancel_order_is_played() -> Result<()> {
    let shop = Shop::open().await?;
    shop.stage.run(place()).await?;
    shop.stage.settle().await?;
    shop.provider.keep()?;
    let provider = Arc::clone(&shop.provider);
    let saga = || CancelOrder::new(ORDER, Some("changed my mind".to_owned()));
    let report = matrix(&shop.stage, saga, async |stage, end| {
        let cancelled = i64::from(end == End::Completed);
        let mut found = wrong(
            stage,
            &[
                (
                    "order",
                    "select count(*) from orders where status = 'cancelled'",
                    cancelled,
                ),
                (
                    "order",
                    "select count(*) from orders where status = 'confirmed'",
                    1 - cancelled,
                ),
                (
                    "order",
                    "select count(*) from order_payments where payment_status = 'refunded'",
                    cancelled,
                ),
                (
                    "order",
                    "select count(*) from order_payments where payment_status = 'paid'",
                    1 - cancelled,
                ),
                (
                    "order",
                    "select count(*) from order_shippings where shipping_status = 'cancelled'",
                    cancelled,
                ),
                (
                    "order",
                    "select count(*) from order_shippings where shipping_status = 'pending'",
                    1 - cancelled,
                ),
                (
                    "product",
                    "select count(*) from stock_reservations where state = 'returned'",
                    cancelled,
                ),
                (
                    "product",
                    "select count(*) from stock_reservations where state = 'sold'",
                    1 - cancelled,
                ),
                ("product", "select reserved::bigint from inventory", 0),
                (
                    "product",
                    "select quantity::bigint from inventory",
                    STOCK - (1 - cancelled) * PIECES,
                ),
                (
                    "product",
                    "select coalesce(sum(units), 0)::bigint from sales_figures",
                    (1 - cancelled) * PIECES,
                ),
            ],
        )
        .await?;
        found.extend(provider.unequal(1, u64::from(end == End::Completed)));
        Ok(found)
    })
    .await;
    shop.close().await?;
    judged(&report?)
}
