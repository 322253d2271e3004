//! Where a request is settled: found, or captured once and written down, with the mischief of its key around it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use reqwest::Url;
use uuid::Uuid;

use crate::books::{Books, Charge, Entry, Payment, Refund, Refusal, Status, Wish};
use crate::journal::Journal;
use crate::mischief::{Mischief, Mode, World};
use crate::problem::Problem;
use crate::webhook::{Notice, Webhook};

/// How long an answer waits for the webhook that should hear first, beyond that one's own delay.
const FIRST_MAX: Duration = Duration::from_secs(2);

/// What the provider's handle and its requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) seed: u64,
    books: Mutex<Books>,
    setting: Mutex<Setting>,
    /// Attempts per kind and key since the process started.
    attempts: Mutex<HashMap<(&'static str, String), u32>>,
}

/// What can be switched while it runs.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) mischief: Arc<Mischief>,
    pub(crate) webhook: Option<Url>,
}

impl Shared {
    pub(crate) fn new(seed: u64, books: Books, setting: Setting) -> Self {
        Self {
            seed,
            books: Mutex::new(books),
            setting: Mutex::new(setting),
            attempts: Mutex::default(),
        }
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        lock(&self.books)
    }

    pub(crate) fn setting(&self) -> MutexGuard<'_, Setting> {
        lock(&self.setting)
    }

    fn attempt(&self, name: &'static str, key: &str) -> u32 {
        let mut attempts = lock(&self.attempts);
        let attempt = attempts.entry((name, key.to_owned())).or_default();
        *attempt = attempt.saturating_add(1);
        *attempt
    }
}

/// No change under these locks can be left half done, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What requests are settled with.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) shared: Arc<Shared>,
    pub(crate) journal: Journal,
    pub(crate) webhook: Webhook,
}

/// How a request ended well.
#[derive(Debug)]
pub(crate) enum Settled {
    /// It happened just now.
    First(Entry),
    /// It had happened before.
    Again(Entry),
}

impl Desk {
    /// Settles a request: however often and from wherever it comes, one entry per key.
    ///
    /// If the caller is dropped because its client left, a capture that has begun goes on.
    pub(crate) async fn settle(&self, key: String, wish: Wish) -> Result<Settled, Problem> {
        let known = self.shared.books().find(&key, &wish)?;
        let (name, world) = self.world(&key, &wish)?;
        let attempt = self.shared.attempt(name, &key);
        if known.is_none() {
            before(&world, attempt).await?;
        }
        let settled = match known {
            Some(entry) => Settled::Again(entry),
            None => {
                let (desk, meets) = (self.clone(), world.clone());
                let work = tokio::spawn(async move { desk.capture(&key, &wish, &meets).await });
                let died = |_| {
                    Problem::new(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "internal",
                        "the request was given up",
                    )
                };
                work.await.map_err(died)??
            }
        };
        after(&world, attempt, &settled).await?;
        Ok(settled)
    }

    fn world(&self, key: &str, wish: &Wish) -> Result<(&'static str, World), Refusal> {
        let mischief = Arc::clone(&self.shared.setting().mischief);
        let seed = self.shared.seed;
        match wish {
            Wish::Charge(charge) => {
                let world = mischief.world(seed, "payment", key, &charge.order, Some(&charge.method));
                Ok(("payment", world))
            }
            Wish::Refund { payment: id } => {
                let books = self.shared.books();
                let payment = books.payment(id).ok_or_else(|| Refusal::NoSuchPayment(id.clone()))?;
                Ok(("refund", mischief.world(seed, "refund", key, &payment.order, None)))
            }
        }
    }

    /// Makes the entry, unless somebody else did or does.
    async fn capture(&self, key: &str, wish: &Wish, world: &World) -> Result<Settled, Problem> {
        if let Some(entry) = self.shared.books().claim(key, wish)? {
            return Ok(Settled::Again(entry));
        }
        if world.mode == Mode::Pending {
            tokio::time::sleep(world.pending).await;
        }
        let written = self.write(key, wish, world).await;
        self.close(key, wish, written.as_ref().ok());
        let entry = written?;
        self.tell(&entry, world).await;
        Ok(Settled::First(entry))
    }

    async fn write(&self, key: &str, wish: &Wish, world: &World) -> Result<Entry, Problem> {
        let entry = self.entry(key, wish, world)?;
        self.journal.append(&entry).await?;
        Ok(entry)
    }

    /// Enters what is on disk and frees the key, at once: nobody may find the key free and the entry not there.
    fn close(&self, key: &str, wish: &Wish, written: Option<&Entry>) {
        let mut books = self.shared.books();
        if let Some(entry) = written {
            books.enter(entry.clone());
        }
        books.release(key, wish);
    }

    fn entry(&self, key: &str, wish: &Wish, world: &World) -> Result<Entry, Refusal> {
        match wish {
            Wish::Charge(charge) => Ok(Entry::Payment(decide(key, charge, world))),
            Wish::Refund { payment: id } => {
                let books = self.shared.books();
                let payment = books.payment(id).ok_or_else(|| Refusal::NoSuchPayment(id.clone()))?;
                Ok(Entry::Refund(Refund {
                    id: format!("ref_{}", Uuid::now_v7().simple()),
                    key: key.to_owned(),
                    payment: id.clone(),
                    order: payment.order.clone(),
                    amount: payment.amount,
                    currency: payment.currency.clone(),
                    status: Status::Refunded,
                }))
            }
        }
    }

    async fn tell(&self, entry: &Entry, world: &World) {
        let Some(url) = self.shared.setting().webhook.clone() else {
            return;
        };
        let (webhook, notice, telling) = (self.webhook.clone(), Notice::from(entry), world.told);
        let told = tokio::spawn(async move { webhook.tell(url, notice, telling).await });
        if telling.first {
            // However it ended: a webhook that does not hear must not cost the client its answer.
            let _ = tokio::time::timeout(telling.delay + FIRST_MAX, told).await;
        }
    }
}

fn decide(key: &str, charge: &Charge, world: &World) -> Payment {
    let charge = charge.clone();
    Payment {
        id: format!("pay_{}", Uuid::now_v7().simple()),
        key: key.to_owned(),
        order: charge.order,
        amount: charge.amount,
        currency: charge.currency,
        method: charge.method,
        status: if world.declined {
            Status::Declined
        } else {
            Status::Captured
        },
        reason: world.declined.then(|| "the card was declined".to_owned()),
    }
}

/// What goes wrong before the books are touched.
async fn before(world: &World, attempt: u32) -> Result<(), Problem> {
    match world.mode {
        Mode::HangBefore if attempt == 1 => hang(world.hang).await,
        Mode::ErrorBefore if attempt <= world.attempts => Err(trouble(world.status)),
        _ => Ok(()),
    }
}

/// What goes wrong once everything is on disk.
async fn after(world: &World, attempt: u32, settled: &Settled) -> Result<(), Problem> {
    match (world.mode, settled) {
        (Mode::ErrorAfter, _) if attempt <= world.attempts => Err(trouble(world.status)),
        (Mode::HangAfter, Settled::First(_)) => hang(world.hang).await,
        (Mode::Late, Settled::First(_)) => {
            tokio::time::sleep(world.late).await;
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn hang(wait: Duration) -> Result<(), Problem> {
    tokio::time::sleep(wait).await;
    Err(trouble(StatusCode::GATEWAY_TIMEOUT))
}

fn trouble(status: StatusCode) -> Problem {
    Problem::new(
        status,
        "mischief",
        "something went wrong; the payment may or may not have been taken",
    )
}
