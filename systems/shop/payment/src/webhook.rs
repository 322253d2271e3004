//! The second way to hear of a payment: the provider calls its client.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::books::{Entry, Status};
use crate::mischief::Telling;

/// Attempts of one delivery, two minutes in all at worst; then the client has to ask.
const ATTEMPTS_MAX: u32 = 8;

/// The wait before the second attempt; it doubles with each further one.
const BACK_OFF: Duration = Duration::from_millis(200);

/// How long the client may take to answer one attempt.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Deliveries under way at once; others wait.
const CONCURRENT_MAX: usize = 64;

/// What is posted to the webhook.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Notice {
    /// [`crate::Payment::id`].
    pub(crate) payment: String,
    /// The order that was paid.
    pub(crate) order: String,
    /// The idempotency key of the payment, or of the refund.
    pub(crate) key: String,
    /// What happened.
    pub(crate) status: Status,
}

impl From<&Entry> for Notice {
    fn from(entry: &Entry) -> Self {
        let (payment, order, key, status) = match entry {
            Entry::Payment(p) => (&p.id, &p.order, &p.key, p.status),
            Entry::Refund(r) => (&r.payment, &r.order, &r.key, r.status),
        };
        Self {
            payment: payment.clone(),
            order: order.clone(),
            key: key.clone(),
            status,
        }
    }
}

/// Delivers notices. They are not kept over a restart, and may come in any order.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    http: reqwest::Client,
    under_way: Arc<Semaphore>,
}

impl Webhook {
    /// Deliveries over a connection pool of their own.
    ///
    /// # Errors
    ///
    /// The HTTP client cannot be made.
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self {
            http,
            under_way: Arc::new(Semaphore::new(CONCURRENT_MAX)),
        })
    }

    /// Tells the client, as often and as late as it should be; returns when the last delivery came through or was
    /// given up.
    pub(crate) async fn tell(&self, url: Url, notice: Notice, telling: Telling) {
        tokio::time::sleep(telling.delay).await;
        for _ in 0..telling.times {
            self.deliver(&url, &notice).await;
        }
    }

    async fn deliver(&self, url: &Url, notice: &Notice) {
        let mut pause = BACK_OFF;
        for attempt in 1..=ATTEMPTS_MAX {
            // The permit is given back during the pause: a client that is away must not hold up the others.
            if let Ok(_permit) = self.under_way.acquire().await {
                let sent = self.http.post(url.clone()).json(notice).send().await;
                if sent.is_ok_and(|answer| answer.status().is_success()) {
                    return;
                }
            }
            if attempt < ATTEMPTS_MAX {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
        tracing::warn!(key = notice.key, "the webhook was not heard and is given up");
    }
}
