//! Services over databases of their own: read from texts, migrated, installed, served; dropped at the end.

mod running;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use freehold::install::{self, Contract, Installation, Outcome};
use freehold_manifest::model::{self, Service};
use freehold_manifest::names::Names;
use freehold_manifest::{ServiceSource, SourceFile, Sources};
use tokio_postgres::{Client, Config, NoTls};

pub(crate) use running::{Followed, Served, TOKEN, listen};

/// The longest wait for something that should happen.
const WAIT_MAX: Duration = Duration::from_secs(40);

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// One service as its folder would hold it.
#[derive(Clone, Copy)]
pub(crate) struct Folder<'a> {
    pub(crate) name: &'a str,
    pub(crate) manifest: &'a str,
    pub(crate) migration: &'a str,
}

/// Several services, each with its database.
pub(crate) struct Stage {
    homes: Vec<Home>,
}

/// A service and where it lives.
pub(crate) struct Home {
    pub(crate) service: Service,
    pub(crate) names: Names,
    pub(crate) auth: Option<model::Auth>,
    config: Config,
    /// A superuser in its database.
    pub(crate) sql: Client,
    _database: Arc<Database>,
}

/// Dropped with its last user.
struct Database {
    admin: Config,
    name: String,
}

/// Reads a system as `freehold check` does; every finding that is an error ends the test.
pub(crate) fn read(placement: &str, folders: &[Folder<'_>]) -> model::System {
    let file = |path: String, text: &str| SourceFile {
        path,
        text: text.to_owned(),
    };
    let services: BTreeMap<String, ServiceSource> = folders
        .iter()
        .map(|folder| {
            let source = ServiceSource {
                manifest: file(
                    format!("{}/freehold.toml", folder.name),
                    &format!(
                        "service = \"{}\"\nsummary = \"A service.\"\n{}",
                        folder.name, folder.manifest
                    ),
                ),
                migrations: vec![file(
                    format!("{}/migrations/0001_tables.sql", folder.name),
                    folder.migration,
                )],
                ..ServiceSource::default()
            };
            (folder.name.to_owned(), source)
        })
        .collect();
    let names: Vec<String> = folders.iter().map(|f| format!("{:?}", f.name)).collect();
    // With a service of that name, people sign in.
    let auth = match folders.iter().any(|folder| folder.name == "auth") {
        true => "[auth]\nservice = \"auth\"\n",
        false => "",
    };
    let system = format!(
        "system = \"t\"\nsummary = \"Tests.\"\nservices = [{}]\nport = 7800\n[postgres]\nplacement = \"{placement}\"\n{auth}",
        names.join(", ")
    );
    let sources = Sources {
        system: file("system.toml".to_owned(), &system),
        services,
    };
    let checked = freehold_manifest::read(&sources);
    checked.system.unwrap_or_else(|| {
        let found: Vec<String> = checked.diagnostics.iter().map(|d| d.render(&sources, false)).collect();
        panic!("{}", found.join("\n"))
    })
}

pub(crate) async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("the test server answers");
    tokio::spawn(connection);
    client
}

/// Waits until `holds` says so; the wait is bounded, and `what` names what did not come.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let begun = tokio::time::Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < WAIT_MAX, "{what}: not within {WAIT_MAX:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// One text of each row.
pub(crate) async fn texts(client: &Client, query: &str) -> Vec<String> {
    let rows = client.query(query, &[]).await;
    let rows = rows.unwrap_or_else(|e| panic!("{query}: {e:?}"));
    rows.iter()
        .map(|row| row.get::<_, Option<String>>(0).unwrap_or_default())
        .collect()
}

/// One number.
pub(crate) async fn number(client: &Client, query: &str) -> i64 {
    let row = client.query_one(query, &[]).await;
    row.unwrap_or_else(|e| panic!("{query}: {e:?}")).get(0)
}

/// Runs statements that must succeed.
pub(crate) async fn run(client: &Client, statements: &str) {
    let done = client.batch_execute(statements).await;
    done.unwrap_or_else(|e| panic!("{statements}: {e:?}"));
}

/// Runs statements that must be refused; returns the refusal's code and message.
pub(crate) async fn refused(client: &Client, statements: &str) -> (String, String) {
    let Err(error) = client.batch_execute(statements).await else {
        panic!("{statements}: was not refused")
    };
    let db = error.as_db_error().unwrap_or_else(|| panic!("{statements}: {error:?}"));
    (db.code().code().to_owned(), db.message().to_owned())
}

impl Stage {
    /// A system with its databases, migrated and installed.
    pub(crate) async fn open(folders: &[Folder<'_>]) -> Self {
        Self::open_in("database", folders).await
    }

    /// As [`Stage::open`], in a placement.
    pub(crate) async fn open_in(placement: &str, folders: &[Folder<'_>]) -> Self {
        let stage = Self::migrated(placement, folders).await;
        stage.install().await;
        stage
    }

    /// A system with its databases, migrated; nothing is installed yet.
    pub(crate) async fn migrated(placement: &str, folders: &[Folder<'_>]) -> Self {
        let url = std::env::var("FREEHOLD_TEST_PG").expect("FREEHOLD_TEST_PG is the URL of a test server's superuser");
        let admin: Config = url.parse().expect("FREEHOLD_TEST_PG is a URL");
        let server = connect(&admin).await;
        let system = read(placement, folders);
        let mut databases: BTreeMap<String, Arc<Database>> = BTreeMap::new();
        let mut homes = Vec::new();
        for (service, folder) in system.services.iter().zip(folders) {
            let names = Names::of(&system, service);
            roles(&server, &names).await;
            if !databases.contains_key(&names.database) {
                let number = DATABASES.fetch_add(1, Ordering::Relaxed);
                let name = format!("{}_{}_{number}", names.database, std::process::id());
                run(&server, &format!("drop database if exists {name} with (force)")).await;
                run(&server, &format!("create database {name} template template0")).await;
                // A lost deadlock is not what takes the time here.
                run(&server, &format!("alter database {name} set deadlock_timeout = '20ms'")).await;
                let database = Database {
                    admin: admin.clone(),
                    name,
                };
                databases.insert(names.database.clone(), Arc::new(database));
            }
            let database = Arc::clone(&databases[&names.database]);
            let mut config = admin.clone();
            config.dbname(&database.name);
            let sql = connect(&config).await;
            run(&sql, &schemas(&names)).await;
            run(
                &sql,
                &format!("set role {}; set search_path = {}", names.owner, names.schema),
            )
            .await;
            // As provisioning does: policies may name them.
            run(&sql, &freehold::pg::place(install::SUBJECT, &names.freehold)).await;
            run(&sql, folder.migration).await;
            run(&sql, "reset role").await;
            homes.push(Home {
                service: service.clone(),
                names,
                auth: system.auth.clone(),
                config,
                sql,
                _database: database,
            });
        }
        Self { homes }
    }

    /// Installs every service; says what each installation did.
    pub(crate) async fn install(&self) -> Vec<Outcome> {
        let contracts = self.contracts().await;
        let mut outcomes = Vec::new();
        for home in &self.homes {
            let outcome = home.install(&contracts).await;
            outcomes.push(outcome.unwrap_or_else(|e| panic!("{}: {e}", home.service.name)));
        }
        outcomes
    }

    /// What the services publish.
    pub(crate) async fn contracts(&self) -> Vec<Contract> {
        let mut contracts = Vec::new();
        for home in &self.homes {
            let found = install::contract(&home.sql, &home.names.schema, &home.service).await;
            contracts.extend(found.expect("contracts are read"));
        }
        contracts
    }

    /// Takes other manifests, tables as they are; nothing is installed by it.
    pub(crate) fn declare(&mut self, folders: &[Folder<'_>]) {
        let placement = if self.homes[0].names.schema == "public" {
            "database"
        } else {
            "schema"
        };
        let system = read(placement, folders);
        for (home, service) in self.homes.iter_mut().zip(system.services) {
            home.service = service;
        }
    }

    pub(crate) fn home(&self, name: &str) -> &Home {
        let found = self.homes.iter().find(|h| h.service.name == name);
        found.unwrap_or_else(|| panic!("no service {name}"))
    }
}

async fn roles(server: &Client, names: &Names) {
    // Until the commit: another process must not look before the roles can be seen.
    let mut create = String::from("select pg_advisory_xact_lock(70117);\n");
    for (role, login) in [
        (&names.owner, "nologin"),
        (&names.migrator, "login"),
        (&names.app, "login"),
        (&names.reader, "login"),
    ] {
        create += &format!(
            "do $$ begin if not exists (select from pg_roles where rolname = '{role}') then
               create role {role} {login}; end if; end $$;\n"
        );
    }
    run(server, &create).await;
}

fn schemas(names: &Names) -> String {
    let (owner, app, reader) = (&names.owner, &names.app, &names.reader);
    [&names.schema, &names.freehold, &names.shadow]
        .map(|schema| {
            format!(
                "create schema if not exists {schema}; alter schema {schema} owner to {owner};
                 revoke all on schema {schema} from public; grant usage on schema {schema} to {app}, {reader};"
            )
        })
        .concat()
        + &format!("alter default privileges for role {owner} revoke all on functions from public;")
}

impl Drop for Database {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let server = connect(&admin).await;
                run(&server, &format!("drop database {name} with (force)")).await;
            });
        });
        // What the server still holds is swept with it; the test's own outcome is what counts.
        let _ = dropped.join();
    }
}

impl Home {
    /// Installs what the manifest says.
    pub(crate) async fn install(&self, contracts: &[Contract]) -> Result<Outcome, freehold::Error> {
        let client = self.owner().await;
        let installation = Installation {
            service: &self.service,
            names: &self.names,
            contracts,
            auth: self.auth.as_ref(),
        };
        installation.apply(&client).await
    }

    /// A superuser's connection of its own.
    pub(crate) async fn superuser(&self) -> Client {
        let client = connect(&self.config).await;
        run(
            &client,
            &format!("set search_path = {}, {}", self.names.schema, self.names.freehold),
        )
        .await;
        client
    }

    /// A connection that acts as the owner.
    pub(crate) async fn owner(&self) -> Client {
        let client = self.superuser().await;
        run(&client, &format!("set role {}", self.names.owner)).await;
        client
    }

    /// How the application role connects.
    pub(crate) fn app_config(&self) -> Config {
        let mut config = self.config.clone();
        config.user(&self.names.app);
        config
    }

    /// A connection of the application role.
    pub(crate) async fn app(&self) -> Client {
        let mut config = self.config.clone();
        let client = connect(config.user(&self.names.app)).await;
        run(&client, &format!("set search_path = {}", self.names.schema)).await;
        client
    }

    /// Statements of the tests in this service's placement.
    pub(crate) fn place(&self, sql: &str) -> String {
        freehold::pg::place(sql, &self.names.freehold).into_owned()
    }
}
