//! `Idempotency-Key`: the same request is carried out once, whatever happens to it on the way.

mod cut;
mod installed;
mod line;
mod parallel;
mod rules;

use reqwest::{Method, RequestBuilder};

use crate::entity::{Reply, Shop, send};

/// Where keys are kept, as an installation makes it.
const KEPT: &str = concat!("create schema freehold;", include_str!("../../sql/06_requests.sql"));

/// A write under a key that asks for the rows back.
fn keyed(shop: &Shop, method: Method, path: &str, body: &str, key: &str) -> RequestBuilder {
    shop.write(method, path, body).header("idempotency-key", key)
}

/// A POST under a key.
async fn post(shop: &Shop, path: &str, body: &str, key: &str) -> Reply {
    send(keyed(shop, Method::POST, path, body, key)).await
}

async fn keys(shop: &Shop) -> i64 {
    let row = shop
        .sql
        .query_one("select count(*) from freehold.idempotency", &[])
        .await;
    row.expect("the keys are counted").get(0)
}
