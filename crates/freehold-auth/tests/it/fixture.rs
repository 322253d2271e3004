//! An auth service on a database of its own, served in this process; dropped at the end.

mod mailbox;
mod person;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use freehold::install::{self, Installation};
use freehold_auth::settings::Mail;
use freehold_manifest::model::System;
use freehold_manifest::names::Names;
use freehold_manifest::{ServiceSource, SourceFile, Sources};
use tokio::task::JoinSet;
use tokio_postgres::{Client, Config, NoTls};

pub(crate) use mailbox::{Mailbox, token};
pub(crate) use person::{Person, address};

/// The longest wait for something that should happen.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The service's own key.
pub(crate) const KEY: &str = "a key of the tests: 32 bytes and more";

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The database of an auth service.
pub(crate) struct Stage {
    system: System,
    names: Names,
    config: Config,
    /// A superuser in it.
    pub(crate) sql: Client,
    folder: tempfile::TempDir,
    _database: Database,
}

/// Dropped with it.
struct Database {
    admin: Config,
    name: String,
}

/// An instance that runs until this is dropped.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    _tasks: JoinSet<()>,
}

/// Waits until `holds` says so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let begun = tokio::time::Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < WAIT_MAX, "{what}: not within {WAIT_MAX:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn read() -> System {
    let file = |path: &str, text: &str| SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let service = ServiceSource {
        manifest: file("auth/freehold.toml", include_str!("../../freehold.toml")),
        migrations: vec![file("auth/migrations/0001_accounts.sql", freehold_auth::MIGRATION)],
        contract: None,
    };
    let system = "system = \"accounts\"\nservices = [\"auth\"]\nport = 7900\n";
    let sources = Sources {
        system: file("system.toml", system),
        services: BTreeMap::from([("auth".to_owned(), service)]),
    };
    let checked = freehold_manifest::read(&sources);
    let found: Vec<String> = checked.diagnostics.iter().map(|d| d.render(&sources, false)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    checked.system.expect("a system without findings")
}

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("the test server answers");
    tokio::spawn(connection);
    client
}

impl Stage {
    /// A database, migrated and installed.
    pub(crate) async fn open() -> Self {
        let url = std::env::var("FREEHOLD_TEST_PG").expect("FREEHOLD_TEST_PG is the URL of a test server's superuser");
        let admin: Config = url.parse().expect("FREEHOLD_TEST_PG is a URL");
        let server = connect(&admin).await;
        let system = read();
        let names = Names::of(&system, &system.services[0]);
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}_{}_{number}", names.database, std::process::id());
        for sql in [
            roles(&names),
            format!("drop database if exists {name} with (force)"),
            format!("create database {name} template template0"),
        ] {
            server
                .batch_execute(&sql)
                .await
                .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        }
        let mut config = admin.clone();
        config.dbname(&name);
        let sql = connect(&config).await;
        let stage = Self {
            system,
            names,
            config,
            sql,
            folder: tempfile::tempdir().expect("a folder"),
            _database: Database { admin, name },
        };
        stage.install().await;
        stage
    }

    async fn install(&self) {
        let (owner, app, reader) = (&self.names.owner, &self.names.app, &self.names.reader);
        let mut sql = String::new();
        for schema in [&self.names.schema, &self.names.freehold] {
            sql += &format!(
                "create schema if not exists {schema}; alter schema {schema} owner to {owner};
                 revoke all on schema {schema} from public; grant usage on schema {schema} to {app}, {reader};"
            );
        }
        sql += &format!("set role {owner};");
        self.sql.batch_execute(&sql).await.expect("schemas");
        self.sql
            .batch_execute(freehold_auth::MIGRATION)
            .await
            .expect("the migration runs");
        let service = &self.system.services[0];
        let contracts = install::contract(&self.sql, &self.names.schema, service)
            .await
            .expect("contracts");
        let installation = Installation {
            service,
            names: &self.names,
            contracts: &contracts,
            auth: None,
        };
        installation.apply(&self.sql).await.expect("it is installed");
        self.sql
            .batch_execute("reset role")
            .await
            .expect("the role is given back");
    }

    /// The settings of an instance: the clients of the tests come through a proxy, so that each has an address of its own.
    pub(crate) fn settings(&self) -> freehold_auth::Settings {
        let given = [
            ("FREEHOLD_SYSTEM", "accounts"),
            ("FREEHOLD_KEY", KEY),
            ("AUTH_LINKS", "https://accounts.example"),
            ("AUTH_MAIL_FROM", "Accounts <no-reply@accounts.example>"),
            ("AUTH_PROXIES", "127.0.0.1"),
        ];
        let settings = freehold_auth::Settings::read(|name| {
            let found = given.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        let mut settings = settings.expect("settings");
        settings.mail = Mail::Folder(self.mail_folder());
        settings
    }

    pub(crate) fn mail_folder(&self) -> PathBuf {
        self.folder.path().join("mail")
    }

    pub(crate) fn mailbox(&self) -> Mailbox {
        Mailbox::new(self.mail_folder())
    }

    /// Starts an instance with the settings of the tests.
    pub(crate) async fn serve(&self) -> Running {
        self.serve_with(self.settings()).await
    }

    /// Starts an instance.
    pub(crate) async fn serve_with(&self, settings: freehold_auth::Settings) -> Running {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("a bound socket");
        drop(listener);
        let mut database = self.config.clone();
        database.user(&self.names.app);
        let given = [
            ("FREEHOLD_SYSTEM", "accounts".to_owned()),
            ("FREEHOLD_DATABASE_URL", "postgres://localhost".to_owned()),
            ("FREEHOLD_SCHEMA", self.names.schema.clone()),
            ("FREEHOLD_LIBRARY_SCHEMA", self.names.freehold.clone()),
            ("FREEHOLD_LISTEN", address.to_string()),
            ("FREEHOLD_POOL", "12".to_owned()),
        ];
        let own = freehold::Settings::read(|name| {
            let found = given.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone())
        });
        let mut own = own.expect("settings");
        own.database = database;
        let service = freehold::Service::new(self.system.services[0].clone(), own);
        let service = freehold_auth::accounts(service, settings);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            service.run().await.expect("the service runs");
        });
        let running = Running {
            url: format!("http://{address}"),
            http: reqwest::Client::new(),
            _tasks: tasks,
        };
        until("the service answers", || async {
            let live = running.http.get(format!("{}/health/live", running.url)).send().await;
            live.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        running
    }

    /// One number.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let row = self.sql.query_one(sql, &[]).await;
        row.unwrap_or_else(|e| panic!("{sql}: {e:?}")).get(0)
    }

    /// The events told so far, in order: type and payload.
    pub(crate) async fn told(&self) -> Vec<(String, serde_json::Value)> {
        let rows = self
            .sql
            .query(
                "select type, payload::text
                 from (select 0 as late, position as place, type, payload from freehold.log
                       union all select 1, id, type, payload from freehold.outbox) told
                 where type not like 'auth.users.%'
                   and type not like '%.appended'
                 order by late, place",
                &[],
            )
            .await
            .expect("the log is read");
        let payload = |text: &str| serde_json::from_str(text).expect("JSON");
        rows.iter().map(|row| (row.get(0), payload(row.get(1)))).collect()
    }
}

fn roles(names: &Names) -> String {
    // Until the commit: another process must not look before the roles can be seen.
    let mut sql = String::from("begin; select pg_advisory_xact_lock(70117);\n");
    for (role, login) in [
        (&names.owner, "nologin"),
        (&names.migrator, "login"),
        (&names.app, "login"),
        (&names.reader, "login"),
    ] {
        sql += &format!(
            "do $$ begin if not exists (select from pg_roles where rolname = '{role}') then
               create role {role} {login}; end if; end $$;\n"
        );
    }
    sql + "commit"
}

impl Drop for Database {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let sql = format!("drop database {name} with (force)");
                connect(&admin)
                    .await
                    .batch_execute(&sql)
                    .await
                    .expect("the database is dropped");
            });
        });
        // What the server still holds is swept with it; the test's own outcome is what counts.
        let _ = dropped.join();
    }
}
