//! A provider to test, and how to ask it.

use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use shop_payment::{Mischief, Options, Provider};
use tempfile::TempDir;

/// How long anything may take that should happen soon.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// How long a client waits that is meant to give up.
pub(crate) const IMPATIENT: Duration = Duration::from_millis(500);

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> reqwest::Result<Self> {
        let answer = request.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        Ok(Self {
            status,
            headers,
            body: answer.json().await?,
        })
    }

    pub(crate) fn is_replayed(&self) -> bool {
        self.headers
            .get("idempotent-replayed")
            .is_some_and(|value| value == "true")
    }

    pub(crate) fn id(&self) -> &str {
        self.body["id"].as_str().expect("an id")
    }

    /// That it is a problem of this status and code.
    pub(crate) fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status.as_u16(), self.body["code"].as_str()),
            (status, Some(code)),
            "{self:?}"
        );
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert!(self.body["detail"].is_string(), "{self:?}");
    }
}

/// A client of a provider that runs somewhere.
#[derive(Debug, Clone)]
pub(crate) struct Shop {
    pub(crate) http: Client,
    pub(crate) url: String,
}

impl Shop {
    pub(crate) fn of(url: String) -> Self {
        let http = Client::builder().no_proxy().build().expect("a client");
        Self { http, url }
    }

    pub(crate) fn pay(&self, key: &str, body: &Value) -> RequestBuilder {
        self.http
            .post(format!("{}/payments", self.url))
            .header("Idempotency-Key", key)
            .json(body)
    }

    pub(crate) async fn paid(&self, key: &str, body: &Value) -> Answer {
        Answer::of(self.pay(key, body)).await.expect("an answer")
    }

    /// That the client of this request gives up before it is answered.
    pub(crate) async fn times_out(&self, key: &str, body: &Value) {
        let error = Answer::of(self.pay(key, body).timeout(IMPATIENT))
            .await
            .expect_err("a hanging request");
        assert!(error.is_timeout(), "{error}");
    }

    pub(crate) fn refund(&self, key: &str, payment: &str) -> RequestBuilder {
        self.http
            .post(format!("{}/payments/{payment}/refunds", self.url))
            .header("Idempotency-Key", key)
    }

    pub(crate) async fn refunded(&self, key: &str, payment: &str) -> Answer {
        Answer::of(self.refund(key, payment)).await.expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.http.get(format!("{}{path}", self.url)))
            .await
            .expect("an answer")
    }

    pub(crate) async fn totals(&self) -> Value {
        self.get("/totals").await.body
    }
}

/// A provider in this process, with a state of its own.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) state: TempDir,
    pub(crate) provider: Provider,
    pub(crate) shop: Shop,
}

pub(crate) fn ground() -> Ground {
    with(&json!({}))
}

pub(crate) fn with(spec: &Value) -> Ground {
    let state = tempfile::tempdir().expect("a folder");
    let mischief = mischief(spec);
    let provider = Provider::start(Options {
        mischief,
        ..Options::new(state.path())
    })
    .expect("a provider");
    let shop = Shop::of(provider.url());
    Ground { state, provider, shop }
}

pub(crate) fn mischief(spec: &Value) -> Mischief {
    spec.to_string().parse().expect("a spec")
}

pub(crate) fn charge(order: &str, amount: &str) -> Value {
    json!({"order": order, "amount": amount, "method": "card"})
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < SOON, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
