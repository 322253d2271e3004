//! Histories and the functions that bring rows back, over HTTP.

use std::sync::Arc;

use freehold::entity::{self, Api};
use freehold::pg::catalog;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_postgres::NoTls;

use super::open;
use crate::fixture::{Home, listen, run};

struct Asked {
    url: String,
    _tasks: JoinSet<()>,
}

impl Asked {
    async fn of(home: &Home) -> Self {
        let catalog = catalog::load(&home.sql, &home.names.schema)
            .await
            .expect("the catalog is read");
        let manager = deadpool_postgres::Manager::new(home.app_config(), NoTls);
        let router = entity::router(Api {
            service: home.service.clone(),
            catalog,
            pool: deadpool_postgres::Pool::builder(manager)
                .build()
                .expect("the pool is built"),
            freehold: home.names.freehold.clone(),
            written: Arc::new(Notify::new()),
        });
        let mut tasks = JoinSet::new();
        let url = listen(router, &mut tasks).await;
        Self { url, _tasks: tasks }
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = reqwest::Client::new().request(method, format!("{}{path}", self.url));
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.expect("the service answers");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask(Method::GET, path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }
}

#[tokio::test]
async fn a_history_is_read_like_a_table_and_never_written() {
    let stage = open().await;
    let home = stage.home("store");
    run(
        &home.app().await,
        "insert into notes (id, text) values (1, 'first'), (2, 'other'); update notes set text = 'second' where id = 1;
         delete from notes where id = 2",
    )
    .await;
    let api = Asked::of(home).await;
    let versions = api
        .get("/notes_history?id=eq.1&select=version,operation,text:state->>text&order=version.desc")
        .await;
    let expected = json!([
        { "version": 2, "operation": "update", "text": "second" },
        { "version": 1, "operation": "insert", "text": "first" },
    ]);
    assert_eq!(versions, expected);
    let one = api
        .get("/notes_history?id=eq.2&version=eq.2&select=operation,state")
        .await;
    assert_eq!(one, json!([{ "operation": "delete", "state": null }]));
    let embedded = api
        .get("/notes?select=id,notes_history(version)&notes_history.order=version")
        .await;
    assert_eq!(
        embedded,
        json!([{ "id": 1, "notes_history": [{ "version": 1 }, { "version": 2 }] }])
    );
    let back = api
        .get("/notes_history?select=version,notes(text)&id=eq.2&order=version")
        .await;
    assert_eq!(
        back,
        json!([{ "version": 1, "notes": null }, { "version": 2, "notes": null }])
    );
    for method in [Method::POST, Method::PATCH, Method::PUT, Method::DELETE] {
        let (status, answer) = api
            .ask(
                method.clone(),
                "/notes_history?id=eq.1&version=eq.1",
                json!({ "who": "x" }),
            )
            .await;
        assert_eq!(status, 405, "{method}: {answer}");
    }
}

#[tokio::test]
async fn a_row_is_brought_back_by_a_call() {
    let stage = open().await;
    let home = stage.home("store");
    run(
        &home.app().await,
        "insert into notes (id, text) values (1, 'first'); update notes set text = 'second'",
    )
    .await;
    let api = Asked::of(home).await;
    let call = async |to: i64, at: i64| {
        let asked = json!({ "id": 1, "to_version": to, "at_version": at });
        api.ask(Method::POST, "/rpc/restore_notes", asked).await
    };
    let (status, stale) = call(1, 1).await;
    assert_eq!((status, &stale["code"]), (412, &json!("FH021")), "{stale}");
    let (status, unknown) = call(9, 2).await;
    assert_eq!((status, &unknown["code"]), (404, &json!("FH022")), "{unknown}");
    let (status, restored) = call(1, 2).await;
    assert_eq!(
        (status, &restored["text"], &restored["version"]),
        (200, &json!("first"), &json!(3)),
        "{restored}"
    );
    assert_eq!(restored.get("secret"), None, "{restored}");
    let (status, _) = api
        .ask(
            Method::GET,
            "/rpc/restore_notes?id=1&to_version=1&at_version=3",
            Value::Null,
        )
        .await;
    assert_eq!(status, 405);
}
