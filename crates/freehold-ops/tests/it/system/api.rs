//! Requests to the services, as a client makes them.

use anyhow::{Context, Result, bail};
use reqwest::Method;
use serde_json::Value;

use super::shop::Shop;

/// What a service answered; refusals are answers too.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) etag: Option<String>,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The answer if the service did what it was asked.
    pub(super) fn good(self) -> Result<Self> {
        if !self.is_success() {
            bail!("{}: {}", self.status, self.body);
        }
        Ok(self)
    }
}

/// One service's API. Cheap to clone: every task has its own.
#[derive(Debug, Clone)]
pub(super) struct Api {
    http: reqwest::Client,
    base: String,
}

impl Shop {
    /// The API of a service.
    pub(super) fn api(&self, service: &str) -> Api {
        Api::at(&self.http, self.url(service))
    }
}

impl Api {
    pub(super) fn at(http: &reqwest::Client, base: String) -> Self {
        Self {
            http: http.clone(),
            base,
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer> {
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let etag = answer
            .headers()
            .get("etag")
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned);
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, etag, body })
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}/{path}", self.base))
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.request(Method::GET, path)).await
    }

    /// One row, which must be there, with its entity tag.
    pub(super) async fn row(&self, path: &str) -> Result<(Value, String)> {
        let request = self
            .request(Method::GET, path)
            .header("accept", "application/vnd.pgrst.object+json");
        let answer = self.send(request).await?.good()?;
        Ok((answer.body, answer.etag.context("a row has an entity tag")?))
    }

    pub(super) async fn post(&self, table: &str, body: &Value) -> Result<Answer> {
        self.send(self.request(Method::POST, table).json(body)).await
    }

    pub(super) async fn post_csv(&self, table: &str, text: Vec<u8>) -> Result<Answer> {
        let request = self.request(Method::POST, table).header("content-type", "text/csv");
        self.send(request.body(text)).await
    }

    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    /// Changes a row if it is still the version that was seen.
    pub(super) async fn patch_if(&self, path: &str, tag: &str, body: &Value) -> Result<Answer> {
        let request = self.request(Method::PATCH, path).header("if-match", tag);
        self.send(request.json(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Answer> {
        self.send(self.request(Method::DELETE, path)).await
    }
}
