//! The operator's verbs, run as programs on a small system: a buyer whose sagas reserve what a store has.
//!
//! [`told`] compares what they print of rows that were written by hand; [`done`] lets the services run in this process and
//! helps them on; [`projected`] is about read models.

mod acting;
mod done;
mod projected;
mod told;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use freehold_manifest::model::Service;
use freehold_manifest::names::Names;
use freehold_ops::folder::Folder;
use freehold_ops::ground::{self, Ground};
use freehold_ops::migrate::To;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};

const FREEHOLD: &str = env!("CARGO_BIN_EXE_freehold");

const BUYER: (&str, &str) = (
    r#"
program    = "buyer"
sagas      = ["buy"]
sends      = ["store.reserve", "store.release"]
publishes  = ["buyer.bought"]
subscribes = ["store.wanted"]
[owns.purchases]
summary = "What is bought."
[owns.closed]
summary = "What must be refused."
[streams.purchase]
events = ["made"]
[owns.made]
mode = "projection"
[projections.made]
streams = ["purchase"]
fold = "fold_made"
"#,
    "create table purchases (id text primary key, status text not null);
     create table closed (id text primary key);
     create table made (id text primary key);
     create function fold_made(events json) returns void language sql as $$
       insert into made select e.key from json_to_recordset(events) as e(key text) on conflict do nothing
     $$;",
);

const STORE: (&str, &str) = (
    r#"
program    = "store"
publishes  = ["store.wanted"]
subscribes = ["buyer.bought"]
[commands]
"store.reserve" = { from = ["buyer"] }
"store.release" = { from = ["buyer"] }
[owns.reserved]
summary = "What is promised."
[owns.sold]
summary = "What was sold."
[owns.broken]
summary = "What must fail."
"#,
    "create table reserved (id text primary key);
     create table sold (place bigint generated always as identity primary key, id text not null, number integer not null);
     create table broken (id text primary key);",
);

/// How often a wait looks, and the longest it lasts on a busy machine.
const LOOK_EVERY: Duration = Duration::from_millis(25);
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The system on a private server, installed, with no service running. Dropping it removes everything.
pub(super) struct Market {
    pub(super) ground: Ground,
    pub(super) path: PathBuf,
    _temp: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Market {
    pub(super) async fn open(placement: &str) -> Result<Self> {
        let temp = tempfile::tempdir()?;
        // PostgreSQL may run as another user than we do.
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755))?;
        let path = temp.path().join("market");
        for (name, (manifest, migration)) in [("buyer", BUYER), ("store", STORE)] {
            fs::create_dir_all(path.join(name).join("migrations"))?;
            let head = format!("service = \"{name}\"\nsummary = \"A {name}.\"\nport = {}\n", port()?);
            fs::write(path.join(name).join("freehold.toml"), head + manifest)?;
            fs::write(path.join(name).join("migrations/0001_all.sql"), migration)?;
        }
        fs::write(
            path.join("system.toml"),
            format!(
                "system = \"market\"\nsummary = \"For tests.\"\nservices = [\"buyer\", \"store\"]\nport = {}\n\
                 [postgres]\nplacement = \"{placement}\"\n",
                port()?
            ),
        )?;
        let folder = Folder::read(&path)?;
        let Some(system) = folder.checked.system.clone() else {
            bail!("the manifests are wrong: {:?}", folder.checked);
        };
        let mut ground = Ground::open(&folder, &system).await?;
        ground.start().await?;
        let market = Self {
            ground,
            path,
            _temp: temp,
        };
        market.ground.provision().await?;
        for service in &system.services {
            ground::migrate_service(&market.ground, &folder, service, To::Latest, &mut |_| {}).await?;
        }
        market.ground.install().await?;
        Ok(market)
    }

    pub(super) fn service(&self, name: &str) -> Result<&Service> {
        self.ground.system.service(name).context("a service of the market")
    }

    /// A service's database as its administrator.
    pub(super) async fn sql(&self, service: &str) -> Result<Sql> {
        let names = Names::of(&self.ground.system, self.service(service)?);
        let config = self.ground.clusters.of(service)?.admin(&names.database);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        client
            .batch_execute(&format!("set search_path = \"{}\"", names.schema))
            .await?;
        Ok(Sql {
            client,
            freehold: names.freehold,
        })
    }

    /// `freehold <words>`, where `@` stands for the system's folder, not begun yet.
    pub(super) fn command(&self, words: &[&str]) -> tokio::process::Command {
        let folder = self.path.display().to_string();
        let mut command = tokio::process::Command::new(FREEHOLD);
        command
            .args(words.iter().map(|word| if *word == "@" { &folder } else { *word }))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs `freehold <words>` to its end.
    pub(super) async fn freehold(&self, words: &[&str]) -> Result<Said> {
        let output = self.command(words).output().await?;
        Ok(Said {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// As [`Market::freehold`], for what prints one JSON document.
    pub(super) async fn json(&self, words: &[&str]) -> Result<(i32, serde_json::Value)> {
        let said = self.freehold(words).await?;
        let document = serde_json::from_str(&said.stdout).with_context(|| format!("{said:?}"))?;
        Ok((said.code, document))
    }
}

impl Drop for Market {
    fn drop(&mut self) {
        let down = std::process::Command::new(FREEHOLD)
            .arg("down")
            .arg(&self.path)
            .args(["--destroy", "--yes"])
            .output();
        if !down.as_ref().is_ok_and(|output| output.status.success()) {
            eprintln!("the server of {} is left behind: {down:?}", self.path.display());
        }
    }
}

/// One service's database. `freehold.` in a statement means the library's schema.
pub(super) struct Sql {
    client: Client,
    freehold: String,
}

impl Sql {
    pub(super) async fn run(&self, sql: &str) -> Result<()> {
        let sql = freehold::pg::place(sql, &self.freehold);
        self.client.batch_execute(&sql).await.with_context(|| sql.into_owned())
    }

    pub(super) async fn row(&self, sql: &str, with: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        let sql = freehold::pg::place(sql, &self.freehold);
        self.client
            .query_one(&*sql, with)
            .await
            .with_context(|| sql.into_owned())
    }

    pub(super) async fn text(&self, sql: &str) -> Result<String> {
        Ok(self.row(sql, &[]).await?.get(0))
    }

    /// Waits until a query that gives one truth gives true.
    pub(super) async fn until(&self, sql: &str) -> Result<()> {
        let begun = Instant::now();
        while !self.row(sql, &[]).await?.get::<_, bool>(0) {
            if begun.elapsed() > WAIT_MAX {
                bail!("not within {WAIT_MAX:?}: {sql}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

/// Ports of services under test: below those that the system gives to outgoing connections, so that between this look
/// and the service's start none of these takes it.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// A port that was free a moment ago.
fn port() -> Result<u16> {
    for _ in 0..100 {
        let port = fastrand::u16(PORTS);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port in {PORTS:?}")
}
