//! `freehold verify history`: whoever alters what must not change is refused or found.
//!
//! One private server for all attacks of a test; before each, the database is put back to what it was.

mod altered;
mod attacks;
mod command;
mod refused;
mod untouched;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use freehold_manifest::model::Service;
use freehold_manifest::names::Names;
use freehold_ops::folder::Folder;
use freehold_ops::ground::{self, Ground};
use freehold_ops::history::{self, Report};
use freehold_ops::migrate::To;
use freehold_ops::secrets::Login;
use tokio_postgres::{Client, NoTls};

const FREEHOLD: &str = env!("CARGO_BIN_EXE_freehold");

/// What is kept of the ledger's database, to begin each attack from.
const PRISTINE: &str = "pristine";

const LEDGER: (&str, &str) = (
    r#"
[owns.accounts]
summary   = "Who has how much."
history   = true
publishes = ["id", "owner"]
[owns.entries]
summary = "What was booked."
mode    = "append_only"
"#,
    "create table accounts (id bigint generated always as identity primary key, owner text not null, balance numeric(12, 2) not null);
     create table books (id integer primary key);
     insert into books values (1), (2);
     create table entries (
       id bigint generated always as identity primary key,
       book integer default 1 references books on delete cascade on update cascade,
       what text, amount numeric, at timestamptz default now(), ratio double precision, span interval, raw bytea,
       doc json, days date[], price money
     );",
);

const WATCH: (&str, &str) = (
    r#"
[copies.accounts]
of      = "ledger.accounts"
columns = ["id", "owner"]
"#,
    "",
);

/// With whose power something is done to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    App,
    Owner,
    Superuser,
}

/// A ledger and a service that watches it, on a private server. Dropping it removes everything.
pub(crate) struct Books {
    pub(crate) ground: Ground,
    pub(crate) path: PathBuf,
    placement: String,
    _temp: tempfile::TempDir,
}

impl Books {
    /// Empty books.
    pub(crate) async fn open(placement: &str) -> Result<Self> {
        let temp = tempfile::tempdir()?;
        // PostgreSQL may run as another user than we do.
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755))?;
        let path = temp.path().join("books");
        for (name, (manifest, migration)) in [("ledger", LEDGER), ("watch", WATCH)] {
            fs::create_dir_all(path.join(name).join("migrations"))?;
            let head = format!("service = \"{name}\"\nsummary = \"A {name}.\"\nport = {}\n", port()?);
            let books = if name == "ledger" {
                "[owns.books]\nsummary = \"Where.\"\n"
            } else {
                ""
            };
            fs::write(path.join(name).join("freehold.toml"), head + manifest + books)?;
            fs::write(path.join(name).join("migrations/0001_all.sql"), migration)?;
        }
        fs::write(
            path.join("system.toml"),
            format!(
                "system = \"books\"\nsummary = \"For tests.\"\nservices = [\"ledger\", \"watch\"]\nport = {}\n\
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
        let books = Self {
            ground,
            path,
            placement: placement.to_owned(),
            _temp: temp,
        };
        books.ground.provision().await?;
        for service in &system.services {
            ground::migrate_service(&books.ground, &folder, service, To::Latest, &mut |_| {}).await?;
        }
        books.ground.install().await?;
        // Copying a database a hundred times need not wait for the disk.
        let quick = books.enter(By::Superuser).await?;
        for setting in ["fsync = off", "full_page_writes = off"] {
            quick.batch_execute(&format!("alter system set {setting}")).await?;
        }
        quick.batch_execute("select pg_reload_conf()").await?;
        Ok(books)
    }

    /// Books with rows, versions, a subscriber that heard some of it, and witnesses of half of it; ready to be altered.
    pub(crate) async fn filled() -> Result<Self> {
        let books = Self::open("database").await?;
        books.book(1..=20).await?;
        books.heard().await?;
        let report = books.verify().await?;
        assert!(report.holds(), "{}", report.render());
        books.book(21..=30).await?;
        books.keep().await?;
        Ok(books)
    }

    /// Books these entries, a row of the history beside each, and sequences.
    pub(crate) async fn book(&self, entries: std::ops::RangeInclusive<i32>) -> Result<()> {
        let app = self.enter(By::App).await?;
        for entry in entries {
            app.batch_execute(&format!(
                "insert into accounts (owner, balance) values ('owner {entry}', {entry});
                 update accounts set balance = balance + 1 where owner = 'owner {entry}';
                 insert into entries (what, amount, doc) values ('entry {entry}', {entry}.50, '{{\"n\": {entry}}}');
                 select freehold.sequence(1000)"
            ))
            .await?;
        }
        Ok(())
    }

    /// The watching service has heard the ledger up to here.
    async fn heard(&self) -> Result<()> {
        let ledger = self.enter(By::Superuser).await?;
        let last = ledger
            .query_one(
                "select l.position, l.hash from freehold.topic t join freehold.log l using (position) where t.topic = 'ledger.accounts'",
                &[],
            )
            .await?;
        let (position, hash): (i64, Vec<u8>) = (last.get(0), last.get(1));
        let watch = self.service("watch")?;
        let (client, connection) = self.ground.login(watch, Login::App)?.connect(NoTls).await?;
        tokio::spawn(connection);
        client
            .execute(
                "select freehold.place_cursor('copies', 'ledger', 'ledger.accounts', 1, $1, $1, $2)",
                &[&position, &hash],
            )
            .await?;
        Ok(())
    }

    fn service(&self, name: &str) -> Result<&Service> {
        self.ground.system.service(name).context("a service of the books")
    }

    fn names(&self) -> Result<Names> {
        Ok(Names::of(&self.ground.system, self.service("ledger")?))
    }

    /// The ledger's database.
    pub(crate) async fn enter(&self, by: By) -> Result<Client> {
        let (names, service) = (self.names()?, self.service("ledger")?);
        let config = match by {
            By::App => self.ground.login(service, Login::App)?,
            By::Owner | By::Superuser => self.ground.clusters.of("ledger")?.admin(&names.database),
        };
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        if by == By::Owner {
            client.batch_execute(&format!("set role \"{}\"", names.owner)).await?;
        }
        client
            .batch_execute(&format!("set search_path = \"{}\"", names.schema))
            .await?;
        Ok(client)
    }

    pub(crate) async fn verify(&self) -> Result<Report> {
        history::verify(&self.ground, &self.path.join(".freehold"), &mut |_| {}).await
    }

    /// Keeps the ledger as it is, for [`Books::put_back`].
    async fn keep(&self) -> Result<()> {
        self.copy(&self.names()?.database, PRISTINE).await
    }

    /// Makes the ledger what it was when it was kept.
    pub(crate) async fn put_back(&self) -> Result<()> {
        self.copy(PRISTINE, &self.names()?.database).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<()> {
        let admin = self.ground.clusters.of("ledger")?.admin("postgres");
        let (client, connection) = admin.connect(NoTls).await?;
        tokio::spawn(connection);
        client
            .batch_execute(&format!("drop database if exists \"{to}\" with (force)"))
            .await?;
        client
            .batch_execute(&format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{from}' and pid <> pg_backend_pid()"
            ))
            .await?;
        client
            .batch_execute(&format!("create database \"{to}\" template \"{from}\""))
            .await?;
        Ok(())
    }

    /// Runs `freehold <words>` to its end: its code and what it printed.
    pub(crate) async fn freehold(&self, words: &[&str]) -> Result<(i32, String, String)> {
        let output = tokio::process::Command::new(FREEHOLD)
            .args(words)
            .arg(&self.path)
            .output()
            .await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((
            output.status.code().unwrap_or(-1),
            text(&output.stdout),
            text(&output.stderr),
        ))
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        let down = std::process::Command::new(FREEHOLD)
            .arg("down")
            .arg(&self.path)
            .args(["--destroy", "--yes"])
            .output();
        if !down.as_ref().is_ok_and(|output| output.status.success()) {
            eprintln!(
                "the server of {} ({}) is left behind: {down:?}",
                self.path.display(),
                self.placement
            );
        }
    }
}

/// A port that was free a moment ago.
fn port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    Ok(listener.local_addr()?.port())
}
