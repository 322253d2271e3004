//! A database in which scenes are laid out and served.

use std::sync::Arc;

use freehold::entity::{self, Api};
use freehold::pg::catalog;
use freehold_manifest::model::Table;
use reqwest::{Method, RequestBuilder};
use tokio::sync::Notify;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::scene::Scene;
use crate::entity::{Reply, send};
use crate::fixture::{Folder, Home, Stage, run};

/// Connections of one service.
const CONNECTIONS: usize = 2;

const FOLDER: Folder<'static> = Folder {
    name: "any",
    manifest: "[owns.things]\nsummary = \"Things.\"\n",
    migration: "create table things (id int primary key);",
};

/// The database; it is dropped at the end.
pub(super) struct Ground {
    stage: Stage,
    pub(super) sql: Client,
    http: reqwest::Client,
}

/// One scene, served.
pub(super) struct Service {
    url: String,
    http: reqwest::Client,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Ground {
    pub(super) async fn open() -> Self {
        let stage = Stage::migrated("database", &[FOLDER]).await;
        let sql = stage.home("any").superuser().await;
        // Plans differ in what they meet first; what they answer must not.
        Self {
            stage,
            sql,
            http: reqwest::Client::new(),
        }
    }

    fn home(&self) -> &Home {
        self.stage.home("any")
    }

    /// Makes the tables of a scene under another schema's name, with the same rows.
    pub(super) async fn lay_out(&self, scene: &Scene, schema: &str) {
        run(&self.sql, &scene.sql(schema)).await;
        let app = &self.home().names.app;
        let grants = format!(
            "grant usage on schema {schema} to {app};
             grant select, insert, update, delete on all tables in schema {schema} to {app};"
        );
        run(&self.sql, &grants).await;
    }

    pub(super) async fn clear(&self, schema: &str) {
        run(&self.sql, &format!("drop schema {schema} cascade")).await;
    }

    /// Serves the tables of a scene as the application's role.
    pub(super) async fn serve(&self, scene: &Scene) -> Service {
        let home = self.home();
        let mut service = home.service.clone();
        let entry = service.owns.pop().expect("the folder's table");
        let owned = scene.tables.iter().map(|table| Table {
            name: table.name.clone(),
            ..entry.clone()
        });
        service.owns = owned.collect();
        let catalog = catalog::load(&self.sql, &scene.schema)
            .await
            .expect("the catalog is read");
        let manager = deadpool_postgres::Manager::new(home.app_config(), NoTls);
        let pool = deadpool_postgres::Pool::builder(manager).max_size(CONNECTIONS).build();
        let router = entity::router(Api {
            service,
            catalog,
            pool: pool.expect("the pool is built"),
            freehold: home.names.freehold.clone(),
            written: Arc::new(Notify::new()),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the service runs");
        });
        Service {
            url: format!("http://{address}"),
            http: self.http.clone(),
            server,
        }
    }

    /// The one value a statement gives, or the server's refusal.
    pub(super) async fn ask(&self, sql: &str) -> Result<String, String> {
        let messages = self.sql.simple_query(sql).await.map_err(|error| {
            let db = error.as_db_error().unwrap_or_else(|| panic!("{error}: {sql}"));
            format!("{}: {}", db.code().code(), db.message())
        })?;
        let value = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        });
        Ok(value.unwrap_or_default())
    }
}

impl Service {
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub(super) async fn get(&self, path: &str, counted: bool) -> Reply {
        let request = self.request(Method::GET, path);
        send(if counted {
            request.header("prefer", "count=exact")
        } else {
            request
        })
        .await
    }
}
