//! The services' databases, opened by the administrator behind the services' backs.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use anyhow::{Context, Result};
use freehold_manifest::model::{Placement, Service, System};
use freehold_manifest::names::Names;
use freehold_ops::folder::Folder as Read;
use freehold_ops::postgres::Server;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};

use super::shop::Shop;

/// One service's database. `freehold.` in a statement means the library's schema, tables are found by bare name.
pub(super) struct Sql {
    client: Client,
    freehold: String,
}

impl Shop {
    /// The system as its manifests say it is now.
    pub(super) fn system(&self) -> Result<System> {
        let read = Read::read(&self.folder.path)?;
        read.checked.system.context("the manifests can be used")
    }

    /// The private server that holds a service.
    pub(super) async fn server(&self, service: &str) -> Result<Server> {
        let own = self.system()?.postgres.placement == Placement::Server;
        let name = if own { service } else { "shared" };
        let dir = self.folder.path.join(".freehold/postgres").join(name);
        Ok(Server::open(&dir).await?)
    }

    /// A service's database, as the administrator: the connection there is, or a new one.
    pub(super) async fn sql(&self, service: &str) -> Result<Arc<Sql>> {
        let held = |opened: &HashMap<String, Arc<Sql>>| opened.get(service).filter(|s| !s.client.is_closed()).cloned();
        if let Some(sql) = held(&self.opened.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(sql);
        }
        let sql = Arc::new(self.connect(service).await?);
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.insert(service.to_owned(), Arc::clone(&sql));
        Ok(sql)
    }

    async fn connect(&self, service: &str) -> Result<Sql> {
        let system = self.system()?;
        let of = system.service(service).context("a service of the shop")?;
        let names = Names::of(&system, of);
        let config = self.server(service).await?.admin_config(&names.database);
        let (client, connection) = config
            .connect(NoTls)
            .await
            .with_context(|| format!("no connection to the database of {service}"))?;
        tokio::spawn(connection);
        client
            .batch_execute(&format!("set search_path = \"{}\"", names.schema))
            .await?;
        Ok(Sql {
            client,
            freehold: format!("\"{}\".", names.freehold),
        })
    }

    /// A service by its manifest.
    pub(super) fn manifest(&self, service: &str) -> Result<Service> {
        self.system()?
            .service(service)
            .cloned()
            .context("a service of the shop")
    }
}

impl Sql {
    pub(super) async fn rows(&self, sql: &str, with: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let sql = sql.replace("freehold.", &self.freehold);
        self.client.query(&sql, with).await.with_context(|| sql)
    }

    /// The one row of a statement that gives one.
    pub(super) async fn row(&self, sql: &str) -> Result<Row> {
        self.rows(sql, &[]).await?.pop().context("a row")
    }

    /// The one number of a statement that gives one.
    pub(super) async fn number(&self, sql: &str) -> Result<i64> {
        Ok(self.row(sql).await?.get(0))
    }

    /// Runs statements without an answer.
    pub(super) async fn run(&self, sql: &str) -> Result<()> {
        let sql = sql.replace("freehold.", &self.freehold);
        self.client.batch_execute(&sql).await.with_context(|| sql)
    }
}
