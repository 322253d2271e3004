//! The services' databases, entered for the length of one command.

use std::borrow::Cow;

use anyhow::{Context, Result, bail};
use freehold_manifest::model::Service;
use freehold_manifest::names::Names;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};

use crate::ground::Ground;
use crate::secrets::Login;

/// The newest of the library's tables that the operator's verbs read: without it the installation is of an older release.
const NEWEST_TABLE: &str = "kept";

/// One service's database, entered by one of the service's roles.
#[derive(Debug)]
pub struct Database {
    /// The service.
    pub service: String,
    freehold: String,
    pub(crate) client: Client,
}

/// The databases of a system that could be entered, and those that could not.
#[derive(Debug, Default)]
pub struct Reached {
    /// Those that could, in the manifest's order.
    pub databases: Vec<Database>,
    /// Those that could not, and why: what is told is without them.
    pub missing: Vec<(String, anyhow::Error)>,
}

impl Database {
    /// Enters the database of a service.
    ///
    /// # Errors
    /// When its private server does not run, it cannot be entered, or it was installed by an older release.
    pub async fn enter(ground: &Ground, service: &Service, login: Login) -> Result<Self> {
        let held = |names: &[String]| names.contains(&service.name);
        let idle = |(server, names): &(crate::postgres::Server, Vec<String>)| held(names) && !server.is_alive();
        if ground.servers.iter().any(idle) {
            bail!(
                "the private server of {} does not run: start the system with `freehold up`",
                service.name
            );
        }
        let mut config = ground.login(service, login)?;
        config.application_name("freehold");
        let (client, connection) = config.connect(NoTls).await.with_context(|| {
            format!(
                "cannot enter the database of {}: has `freehold up` made it, and does its server run?",
                service.name
            )
        })?;
        tokio::spawn(connection);
        let names = Names::of(&ground.system, service);
        let database = Self {
            service: service.name.clone(),
            freehold: names.freehold,
            client,
        };
        database.must_be_of_this_release().await?;
        // A question that nobody waits for any more ends on the server too.
        let settings = "set client_connection_check_interval = '1s'";
        database.client.batch_execute(settings).await?;
        Ok(database)
    }

    async fn must_be_of_this_release(&self) -> Result<()> {
        let exists = self
            .client
            .query_one(
                "select exists (
                   select from pg_catalog.pg_class c
                   join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                   where (n.nspname, c.relname) = ($1, $2)
                     and has_table_privilege(c.oid, 'select')
                 )",
                &[&self.freehold, &NEWEST_TABLE],
            )
            .await?;
        if !exists.get::<_, bool>(0) {
            bail!(
                "{} was installed by an older release: `freehold up` or `freehold migrate` installs what is new",
                self.service
            );
        }
        Ok(())
    }

    /// Runs a query of the library's tables; `freehold.` means their schema in this placement.
    ///
    /// # Errors
    /// What PostgreSQL says, with the service's name.
    pub async fn rows(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let rows = self.client.query(&*self.place(sql), parameters).await;
        rows.map_err(|error| self.told(error))
    }

    /// As [`Database::rows`], for a query that gives one row.
    ///
    /// # Errors
    /// As [`Database::rows`], also for no row or several.
    pub async fn row(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        let row = self.client.query_one(&*self.place(sql), parameters).await;
        row.map_err(|error| self.told(error))
    }

    /// Whether an instance of the service has been seen within the last seconds: it holds the sequencer's lease.
    ///
    /// # Errors
    /// As [`Database::rows`].
    pub async fn service_runs(&self) -> Result<bool> {
        let sql = "select exists (
                     select from freehold.lease l
                     where l.task = 'sequencer' and l.until > clock_timestamp()
                   )";
        Ok(self.row(sql, &[]).await?.get(0))
    }

    /// A statement in this service's placement.
    pub(crate) fn place<'s>(&self, sql: &'s str) -> Cow<'s, str> {
        freehold::pg::place(sql, &self.freehold)
    }

    /// An error of PostgreSQL with the service's name, and a remedy where there is one; any other as it is.
    pub(crate) fn told(&self, error: impl Into<anyhow::Error>) -> anyhow::Error {
        let error = error.into();
        let Some(said) = error.downcast_ref::<tokio_postgres::Error>() else {
            return error;
        };
        let remedy = match said.code() {
            Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => {
                "the service is at work on it just now: try again in a moment"
            }
            _ => "its database refused or was lost",
        };
        error.context(format!("{}: {remedy}", self.service))
    }
}

impl Reached {
    /// Enters the databases of these services.
    ///
    /// # Errors
    /// When none can be entered: what the first one says.
    pub async fn open(ground: &Ground, services: &[&Service], login: Login) -> Result<Self> {
        let mut reached = Self::default();
        for service in services {
            match Database::enter(ground, service, login).await {
                Ok(database) => reached.databases.push(database),
                Err(error) => reached.missing.push((service.name.clone(), error)),
            }
        }
        match reached.databases.is_empty() && !reached.missing.is_empty() {
            true => Err(reached.missing.swap_remove(0).1),
            false => Ok(reached),
        }
    }

    /// The database of a service, if it could be entered.
    #[must_use]
    pub fn of(&self, service: &str) -> Option<&Database> {
        self.databases.iter().find(|database| database.service == service)
    }
}
