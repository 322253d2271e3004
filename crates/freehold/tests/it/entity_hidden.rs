//! Columns the API keeps to itself.

use reqwest::Method;
use serde_json::json;

use crate::entity::{Shop, send};

#[tokio::test]
async fn a_hidden_column_is_in_no_answer() {
    let shop = Shop::open().await;
    let shown = json!([{"id": 1, "name": "a", "version": 1}]);
    let reply = shop.send(Method::POST, "/accounts", r#"{"id":1,"name":"a"}"#).await;
    assert_eq!((reply.status, reply.json()), (201, shown.clone()));
    assert_eq!(shop.get("/accounts").await.json(), shown);
    assert_eq!(shop.get("/accounts?id=eq.1").await.json(), shown);
    for (method, body) in [
        (Method::PATCH, r#"{"name":"b"}"#),
        (Method::PUT, r#"{"name":"c"}"#),
        (Method::DELETE, ""),
    ] {
        let reply = shop.send(method, "/accounts?id=eq.1", body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(!reply.text.contains("password_hash"), "{reply:?}");
    }
}

#[tokio::test]
async fn a_hidden_column_is_neither_asked_for_nor_written() {
    let shop = Shop::open().await;
    shop.send(Method::POST, "/accounts", r#"{"id":1,"name":"a"}"#).await;
    let message = "`password_hash` of `accounts` is not served";
    for query in [
        "select=password_hash",
        "select=id,password_hash",
        "password_hash=eq.none",
        "password_hash=not.is.null",
        "order=password_hash",
        "id=eq.1&order=password_hash.desc",
    ] {
        let reply = shop.get(&format!("/accounts?{query}")).await;
        assert_eq!(reply.problem(400, "42703"), message, "{query}");
    }
    let body = r#"{"id":1,"password_hash":"x"}"#;
    for (method, path) in [
        (Method::POST, "/accounts"),
        (Method::PATCH, "/accounts?id=eq.1"),
        (Method::PUT, "/accounts?id=eq.1"),
    ] {
        let reply = shop.send(method, path, body).await;
        assert_eq!(reply.problem(400, "PGRST204"), message, "{path}");
        assert_eq!(reply.json()["column"], "password_hash");
    }
    let csv = shop
        .request(Method::POST, "/accounts")
        .header("content-type", "text/csv")
        .body("id,password_hash\n2,x\n");
    send(csv).await.problem(400, "PGRST204");
    let listed = "/accounts?columns=id,password_hash";
    shop.send(Method::POST, listed, body).await.problem(400, "PGRST204");
    for (method, body) in [(Method::PATCH, r#"{"name":"b"}"#), (Method::DELETE, "")] {
        let filtered = shop.send(method.clone(), "/accounts?password_hash=eq.none", body);
        filtered.await.problem(400, "42703");
        let shown = shop.send(method, "/accounts?id=eq.1&select=password_hash", body);
        shown.await.problem(400, "42703");
    }
    let near = shop.get("/accounts?select=password_has").await;
    assert!(!near.text.contains("password_hash"), "no hint leads there: {near:?}");
    let row = shop
        .sql
        .query_one("select name, password_hash from shop.accounts", &[])
        .await
        .expect("one row");
    let row: (&str, &str) = (row.get(0), row.get(1));
    assert_eq!(row, ("a", "none"));
}
