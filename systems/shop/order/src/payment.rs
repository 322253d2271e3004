//! The payment provider, as this service sees it: a third party behind HTTP, somewhere.
//!
//! Every request carries the saga step's own id as its idempotency key, so it may be repeated after any doubt. A clear no is
//! a refusal; anything unclear is a fault, and the step is made again.

use std::sync::LazyLock;
use std::time::Duration;

use freehold::{Call, Error, Result, refuse};
use reqwest::{RequestBuilder, StatusCode, Url};
use serde::{Deserialize, Serialize};

/// The variable that says where the provider is: `http://127.0.0.1:7190`.
pub const URL: &str = "SHOP_PAYMENT_URL";

/// How long one answer is awaited; shorter than [`PAYMENT_MAX`](crate::place::PAYMENT_MAX), so that what is told is this.
const ANSWER_MAX: Duration = Duration::from_secs(4);

/// How long a connection may take: the provider is near, or not there.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// What is to be paid.
#[derive(Debug, Serialize)]
pub struct Charge<'a> {
    /// Our name for what is paid.
    pub order: &'a str,
    /// How much, like `"64.30"`.
    pub amount: &'a str,
    /// The means of payment.
    pub method: &'a str,
}

/// A payment as the provider knows it.
#[derive(Debug, Deserialize)]
pub struct Payment {
    /// The provider's name for it.
    pub id: String,
    /// Our name for what is paid.
    pub order: String,
    /// What became of it; for good.
    pub status: Status,
    /// Why it was declined.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The money was taken.
    Captured,
    /// It was not, and never will be.
    Declined,
}

impl Payment {
    /// The refusal that a declined payment is.
    #[must_use]
    pub fn declined(&self) -> Error {
        let reason = self.reason.as_deref();
        refuse("payment_declined", reason.unwrap_or("the provider gave no reason"))
    }
}

/// What the provider says when it does not do what it was asked.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(default)]
    code: String,
    #[serde(default)]
    detail: String,
}

/// Where it is, and how it is spoken to; read from the environment once.
struct Port {
    http: reqwest::Client,
    base: Url,
}

static PORT: LazyLock<Result<Port, String>> = LazyLock::new(|| {
    let text = std::env::var(URL).map_err(|_| format!("{URL} is not set: it says where the payment provider is"))?;
    let base: Url = text.parse().map_err(|error| format!("{URL} is no URL: {error}"))?;
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(ANSWER_MAX)
        .connect_timeout(CONNECT_MAX)
        .build()
        .map_err(|error| format!("no HTTP client for the payment provider: {error}"))?;
    Ok(Port { http, base })
});

/// Where the provider is known to be, or what keeps us from knowing.
///
/// # Errors
/// [`URL`] is not set, or no URL.
pub fn ready() -> Result<()> {
    port().map(drop)
}

fn port() -> Result<&'static Port> {
    PORT.as_ref().map_err(|problem| Error::other(problem.as_str()))
}

impl Port {
    fn at(&self, path: &[&str]) -> Result<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Error::other(format!("{URL} is no URL with a path")))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }
}

/// Takes money, once per call's id.
///
/// # Errors
/// A refusal, if the provider cannot take such a payment at all; a fault, if what became of it is not known.
pub async fn take(call: &Call, charge: &Charge<'_>) -> Result<Payment> {
    let port = port()?;
    let request = of(call, port.http.post(port.at(&["payments"])?)).json(charge);
    let (status, body) = answered(request).await?;
    match status {
        StatusCode::OK | StatusCode::CREATED | StatusCode::PAYMENT_REQUIRED => read(&body),
        // What is wrong with the charge itself; nothing was taken and nothing will be.
        StatusCode::UNPROCESSABLE_ENTITY => {
            let problem = problem(&body);
            match problem.code.as_str() {
                "bad-amount" | "bad-currency" | "bad-text" => Err(refuse("payment_impossible", problem.detail)),
                _ => Err(unclear(status, &problem)),
            }
        }
        status => Err(unclear(status, &problem(&body))),
    }
}

/// Gives a payment back, whole.
///
/// # Errors
/// A refusal, if there is nothing to give back; a fault, if what became of it is not known.
pub async fn refund(call: &Call, payment: &str) -> Result<()> {
    let port = port()?;
    let request = of(call, port.http.post(port.at(&["payments", payment, "refunds"])?));
    let (status, body) = answered(request).await?;
    if status.is_success() {
        return Ok(());
    }
    let problem = problem(&body);
    match (status, problem.code.as_str()) {
        // Somebody gave it back by hand: that is what was wanted.
        (StatusCode::CONFLICT, "already-refunded") => Ok(()),
        (StatusCode::NOT_FOUND, "no-such-payment") | (StatusCode::CONFLICT, "not-captured") => {
            Err(refuse("refund_refused", problem.detail))
        }
        _ => Err(unclear(status, &problem)),
    }
}

/// The payment that was made under a key, if the provider knows of one.
///
/// # Errors
/// A fault, if it cannot be asked.
pub async fn by_key(key: &str) -> Result<Option<Payment>> {
    let port = port()?;
    let (status, body) = answered(port.http.get(port.at(&["payments", "by-key", key])?)).await?;
    match status {
        StatusCode::OK => read(&body).map(Some),
        StatusCode::NOT_FOUND => Ok(None),
        status => Err(unclear(status, &problem(&body))),
    }
}

/// A request in the name of a step.
fn of(call: &Call, request: RequestBuilder) -> RequestBuilder {
    let request = request.header("Idempotency-Key", call.id.to_string());
    match &call.traceparent {
        Some(trace) => request.header("traceparent", trace),
        None => request,
    }
}

async fn answered(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>)> {
    let fault = |error: reqwest::Error| match error.is_timeout() {
        true => Error::other(format!("the payment provider did not answer within {ANSWER_MAX:?}")),
        false => Error::other(format!(
            "the payment provider cannot be reached: {}",
            error.without_url()
        )),
    };
    let answer = request.send().await.map_err(fault)?;
    let status = answer.status();
    Ok((status, answer.bytes().await.map_err(fault)?.to_vec()))
}

fn read(body: &[u8]) -> Result<Payment> {
    serde_json::from_slice(body)
        .map_err(|error| Error::other(format!("the payment provider answered no payment: {error}")))
}

fn problem(body: &[u8]) -> Problem {
    serde_json::from_slice(body).unwrap_or_default()
}

fn unclear(status: StatusCode, problem: &Problem) -> Error {
    Error::other(format!("the payment provider answered {status} {}", problem.code))
}
