//! A service under more load than it takes, and called from web pages.

mod bodies;
mod clients;
mod connections;
mod pages;
mod requests;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::routing::{get, post};
use freehold::Service;
use freehold_manifest::model::Api;
use reqwest::RequestBuilder;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::behaviour::acting::{port, settings};
use crate::fixture::{Folder, Stage, until};

const DESK: Folder<'static> = Folder {
    name: "desk",
    manifest: "[owns.notes]\nsummary = \"Notes.\"\n",
    migration: "create table notes (id bigint primary key, note text not null);
                insert into notes select n, 'begun' from generate_series(1, 20) n",
};

/// A service with a route that answers when it is let go.
struct Desk {
    stage: Stage,
    http: reqwest::Client,
    root: String,
    go: watch::Sender<bool>,
    /// Requests that were let in and wait.
    held: watch::Receiver<usize>,
    runtime: Option<Runtime>,
}

impl Desk {
    async fn open(configure: impl FnOnce(&mut Api)) -> Self {
        let stage = Stage::open(&[DESK]).await;
        let home = stage.home("desk");
        let port = port().await;
        let mut manifest = home.service.clone();
        configure(&mut manifest.api);
        let (go, let_go) = watch::channel(false);
        let (enter, held) = watch::channel(0);
        let hold = async move |body: Bytes| {
            let (mut let_go, enter) = (let_go.clone(), enter.clone());
            enter.send_modify(|held| *held += 1);
            let _ = let_go.wait_for(|go| *go).await;
            enter.send_modify(|held| *held -= 1);
            body.len().to_string()
        };
        let routes = axum::Router::new()
            .route("/hold", post(hold))
            .route("/own", get(async || "own"));
        let service = Service::new(manifest, settings(home, port, &[])).routes(routes);
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        runtime.spawn(async move { service.run().await.expect("the service runs") });
        let desk = Self {
            stage,
            http: reqwest::Client::new(),
            root: format!("http://127.0.0.1:{port}"),
            go,
            held,
            runtime: Some(runtime),
        };
        until("the service answers", || async {
            desk.get("/health/live").send().await.is_ok()
        })
        .await;
        desk
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.root))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.root))
    }

    /// Sends requests that are held, as many as are let in.
    async fn hold(&mut self, requests: usize, make: impl Fn(&Self) -> RequestBuilder) -> JoinSet<Reply> {
        let before = *self.held.borrow();
        let mut sent = JoinSet::new();
        for _ in 0..requests {
            sent.spawn(reply(make(self)));
        }
        let held = self.held.wait_for(|held| *held >= before + requests);
        let held = tokio::time::timeout(Duration::from_secs(20), held).await.is_ok();
        assert!(held, "{requests} requests are not let in");
        sent
    }

    /// Lets those go that are held; all of them were carried out.
    async fn let_go(&mut self, held: JoinSet<Reply>) {
        self.go.send_replace(true);
        for reply in held.join_all().await {
            assert_eq!(reply.status, 200, "{reply:?}");
        }
        let none = self.held.wait_for(|held| *held == 0).await.is_ok();
        assert!(none);
        self.go.send_replace(false);
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: BTreeMap<String, String>,
    text: String,
}

async fn reply(request: RequestBuilder) -> Reply {
    let response = request.send().await.expect("the service answers");
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
    Reply {
        status: response.status().as_u16(),
        headers: headers.collect(),
        text: response.text().await.expect("a text"),
    }
}

impl Reply {
    /// The message of a refusal that asks to come back.
    fn refusal(&self, status: u16, code: &str) -> String {
        let body: Value = serde_json::from_str(&self.text).unwrap_or_default();
        assert_eq!((self.status, body["code"].as_str()), (status, Some(code)), "{self:?}");
        assert_eq!(self.header("retry-after"), "1", "{self:?}");
        body["message"].as_str().unwrap_or_default().to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}
