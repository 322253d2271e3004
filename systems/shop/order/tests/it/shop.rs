//! A shop in a temporary folder on ports of its own, with a payment provider in this process.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use shop_payment::{Options, Provider};
use tempfile::TempDir;
use uuid::Uuid;

/// The longest that anything may take which should happen soon, on a machine with busy neighbours.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// The longest a start may take, with a new server.
const START_MAX: Duration = Duration::from_secs(90);

/// How often a wait looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Ports below the ones that systems hand out by themselves.
const PORTS: std::ops::Range<u16> = 18_000..32_000;

/// The services, in the order of their ports.
const SERVICES: [&str; 3] = ["user", "product", "order"];

/// A shop that is open, and one customer. Dropping it ends everything.
pub(crate) struct Shop {
    pub(crate) provider: Option<Provider>,
    pub(crate) buyer: Uuid,
    category: Uuid,
    http: reqwest::Client,
    up: Child,
    port: u16,
    temp: TempDir,
}

/// A status and a body.
pub(crate) type Answer = (u16, Value);

impl Shop {
    pub(crate) async fn open() -> Result<Self> {
        let temp = tempfile::tempdir()?;
        // PostgreSQL may run as another user than we do.
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755))?;
        let port = copy_shop(&temp.path().join("shop"))?;
        let provider = provider(&temp, port, 0)?;
        let up = Command::new(program("freehold")?)
            .arg("up")
            .arg(temp.path().join("shop"))
            .env("SHOP_PAYMENT_URL", provider.url())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(temp.path().join("log"))?)
            .spawn()?;
        let mut shop = Self {
            provider: Some(provider),
            buyer: Uuid::new_v4(),
            category: Uuid::new_v4(),
            http: reqwest::Client::builder().no_proxy().build()?,
            up,
            port,
            temp,
        };
        shop.ready().await?;
        let user = json!({ "id": shop.buyer, "email": "ada@example.com", "first_name": "Ada" });
        ensure!(shop.post("user", "users", &user).await?.0 == 201);
        let category = json!({ "id": shop.category, "name": "Tea", "slug": "tea" });
        ensure!(shop.post("product", "categories", &category).await?.0 == 201);
        Ok(shop)
    }

    async fn ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        for service in SERVICES {
            let url = self.url(service, "health/ready");
            while !self.http.get(&url).send().await.is_ok_and(|a| a.status().is_success()) {
                if let Some(status) = self.up.try_wait()? {
                    bail!("up has ended, {status}: {}", self.said());
                }
                ensure!(begun.elapsed() < START_MAX, "{service} is not ready: {}", self.said());
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }

    fn said(&self) -> String {
        fs::read_to_string(self.temp.path().join("log")).unwrap_or_default()
    }

    /// The provider is gone, as after a crash.
    pub(crate) fn provider_dies(&mut self) {
        self.provider = None;
    }

    /// It is there again, where it was, with what it knew.
    pub(crate) fn provider_returns(&mut self, at: &str) -> Result<()> {
        let port = at.rsplit(':').next().context("a port")?.parse()?;
        self.provider = Some(provider(&self.temp, self.port, port)?);
        Ok(())
    }

    pub(crate) fn provider(&self) -> &Provider {
        self.provider.as_ref().expect("the provider runs")
    }

    fn url(&self, service: &str, path: &str) -> String {
        let place = SERVICES
            .iter()
            .position(|s| *s == service)
            .expect("a service of the shop");
        format!("http://127.0.0.1:{}/{path}", usize::from(self.port) + 1 + place)
    }

    pub(crate) async fn post(&self, service: &str, path: &str, body: &Value) -> Result<Answer> {
        answer(self.http.post(self.url(service, path)).json(body)).await
    }

    pub(crate) async fn get(&self, service: &str, path: &str) -> Result<Value> {
        let (status, body) = answer(self.http.get(self.url(service, path))).await?;
        ensure!(status == 200, "{path}: {status} {body}");
        Ok(body)
    }

    /// Puts a product on the shelf, and waits until the order service has heard of it.
    pub(crate) async fn product(&self, name: &str, price: f64, stock: i32) -> Result<Uuid> {
        let id = Uuid::new_v4();
        let row = json!({
            "id": id, "category_id": self.category, "name": name, "price": price,
            "sku": id.simple().to_string().to_uppercase(), "stock_quantity": stock,
        });
        let (status, body) = self.post("product", "products", &row).await?;
        ensure!(status == 201, "{status} {body}");
        // Only an order says whether it is known; the basket that comes of it stays.
        let probe = json!({ "user_id_ref": self.buyer, "order_items": [{ "product_id_ref": id, "quantity": 1 }] });
        let begun = Instant::now();
        loop {
            let (status, body) = self.post("order", "orders", &probe).await?;
            match status {
                201 => return Ok(id),
                _ if begun.elapsed() > SOON => bail!("the order service knows no {name}: {status} {body}"),
                _ => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    /// What `POST /orders/place` takes.
    pub(crate) fn wish(&self, order: Uuid, lines: &[(Uuid, i32)]) -> Value {
        let lines: Vec<Value> = lines
            .iter()
            .map(|(p, n)| json!({ "product_id": p, "quantity": n }))
            .collect();
        json!({
            "id": order, "user_id": self.buyer, "lines": lines, "payment_method": "card", "shipping_fee": 4.9,
            "shipping": { "recipient_name": "Ada", "address_line1": "4 Mill Lane", "city": "Aarhus", "country": "Denmark" },
        })
    }

    /// Places an order and waits until its saga has ended; what `GET /orders/place/{id}` then says.
    pub(crate) async fn placed(&self, lines: &[(Uuid, i32)]) -> Result<Value> {
        let order = Uuid::new_v4();
        let (status, body) = self.post("order", "orders/place", &self.wish(order, lines)).await?;
        ensure!(status == 202, "{status} {body}");
        self.ended(order).await
    }

    pub(crate) async fn ended(&self, order: Uuid) -> Result<Value> {
        self.until(&format!("order {order} ends"), async || {
            let told = self.get("order", &format!("orders/place/{order}")).await?;
            let ended = ["completed", "compensated"].contains(&text(&told, "/saga/state"));
            Ok(ended.then_some(told))
        })
        .await
    }

    /// The rows of an owned table.
    pub(crate) async fn rows(&self, service: &str, query: &str) -> Result<Vec<Value>> {
        let body = self.get(service, query).await?;
        Ok(body.as_array().cloned().unwrap_or_default())
    }

    /// Waits until a product has so many pieces in the house and so many of them promised.
    pub(crate) async fn stock_is(&self, product: Uuid, quantity: i64, reserved: i64) -> Result<()> {
        self.until(&format!("{quantity} pieces, {reserved} promised"), async || {
            let rows = self
                .rows("product", &format!("inventory?product_id=eq.{product}"))
                .await?;
            let row = rows.first().context("no stock row")?;
            Ok((row["quantity"] == quantity && row["reserved"] == reserved).then_some(()))
        })
        .await
    }

    /// Waits until an order has this status; the order.
    pub(crate) async fn order_is(&self, order: Uuid, status: &str) -> Result<Value> {
        self.until(&format!("order {order} is {status}"), async || {
            let rows = self.rows("order", &format!("orders?id=eq.{order}")).await?;
            Ok(rows.into_iter().find(|row| row["status"] == status))
        })
        .await
    }

    pub(crate) async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
        let begun = Instant::now();
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            ensure!(begun.elapsed() < SOON, "not within {SOON:?}: {what}; {}", self.said());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.up.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
        }
        let _ = self.up.wait();
        let down = program("freehold").map(|freehold| {
            let mut command = Command::new(freehold);
            command.arg("down").arg(self.temp.path().join("shop"));
            command.args(["--destroy", "--yes"]).stdin(Stdio::null()).output()
        });
        if !matches!(down, Ok(Ok(output)) if output.status.success()) {
            eprintln!("the server of {} is left behind", self.temp.path().display());
        }
    }
}

/// A text inside a JSON value; empty if there is none.
pub(crate) fn text<'v>(value: &'v Value, place: &str) -> &'v str {
    value.pointer(place).and_then(Value::as_str).unwrap_or_default()
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Answer> {
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await?;
    Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
}

fn provider(temp: &TempDir, port: u16, at: u16) -> Result<Provider> {
    let webhook = format!("http://127.0.0.1:{}/payments/notifications", port + 3);
    Ok(Provider::start(Options {
        listen: ([127, 0, 0, 1], at).into(),
        webhook: Some(webhook.parse()?),
        ..Options::new(temp.path().join("payment"))
    })?)
}

/// Copies the shop without its state, onto free ports; returns the console's.
pub(crate) fn copy_shop(to: &Path) -> Result<u16> {
    let shop = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the shop's folder")?;
    fs::create_dir(to)?;
    for service in SERVICES {
        fs::create_dir_all(to.join(service).join("migrations"))?;
        fs::copy(
            shop.join(service).join("freehold.toml"),
            to.join(service).join("freehold.toml"),
        )?;
        for file in fs::read_dir(shop.join(service).join("migrations"))? {
            let file = file?;
            fs::copy(file.path(), to.join(service).join("migrations").join(file.file_name()))?;
        }
    }
    let port = free_ports()?;
    let manifest = fs::read_to_string(shop.join("system.toml"))?;
    ensure!(manifest.contains("= 7100 "), "system.toml says no port 7100");
    fs::write(
        to.join("system.toml"),
        manifest.replacen("= 7100 ", &format!("= {port} "), 1),
    )?;
    Ok(port)
}

/// A port with free ports behind it, one for each service.
pub(crate) fn free_ports() -> Result<u16> {
    for _ in 0..100 {
        let first = fastrand::u16(PORTS) / 8 * 8;
        let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (first..first + 4).all(free) {
            return Ok(first);
        }
    }
    bail!("no free ports in {PORTS:?}")
}

/// A program of the workspace, beside the service under test.
fn program(name: &str) -> Result<PathBuf> {
    let ours = Path::new(env!("CARGO_BIN_EXE_shop-order"));
    let program = ours.with_file_name(name);
    ensure!(
        program.is_file(),
        "{} is not built: `cargo build --workspace --bins`",
        program.display()
    );
    Ok(program)
}
