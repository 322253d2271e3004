//! The bank's program: its account service, and its workload for `freehold verify crash`.
//!
//! Without an argument it serves: a handler adds every booking to its account, and nothing but the library sees to it that
//! none is added twice or left out. With one it is the workload, which books amounts and now and then renames an account's
//! holder. One unit of work is a booking under a key of our choosing: a POST that may be repeated.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use freehold::{Event, Service, Tx};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value, json};
use uuid::Uuid;

/// Writers at the same time, and accounts of each.
const WRITERS: u64 = 8;
const ACCOUNTS: u64 = 4;

/// Of so many units of work one renames the account's holder.
const RENAME_EVERY: u64 = 20;

/// The longest wait for one answer: a frozen instance gives none.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The longest that one request is repeated; then something is stuck.
const PATIENCE: Duration = Duration::from_secs(150);

/// The pause before a request is made again.
const AGAIN: Duration = Duration::from_millis(50);

#[tokio::main]
async fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("world") => world(),
        Some("run") => run().await,
        Some("settle") => settle(),
        None => serve().await,
        Some(_) => bail!("usage: bank world|run|settle, as `freehold verify crash` does"),
    }
}

/// The account service.
async fn serve() -> Result<()> {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr);
    log.with_max_level(tracing::Level::WARN).init();
    let service = Service::open(include_str!("account/freehold.toml"))?;
    Ok(service.on(booked).run().await?)
}

#[derive(Serialize, Deserialize)]
struct Booked {
    account_id_ref: Uuid,
    amount: Number,
}

impl Event for Booked {
    const NAME: &'static str = "booking.bookings.changed";
}

/// A booking is new: they never change.
async fn booked(event: Booked, tx: &mut Tx) -> freehold::Result<()> {
    let amount = event.amount.to_string();
    tx.execute(
        "update accounts set balance = balance + $1::text::numeric where id = $2",
        &[&amount, &event.account_id_ref],
    )
    .await?;
    Ok(())
}

/// There is nobody around this bank.
fn world() -> Result<()> {
    say(&json!({ "ready": true }));
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

async fn run() -> Result<()> {
    let bank = Arc::new(Bank::open()?);
    let stop = Arc::clone(&bank);
    std::thread::spawn(move || {
        // Its end asks us to finish what was begun.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stop.stop.store(true, Ordering::Relaxed);
    });
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(Arc::clone(&bank), writer)))
        .collect();
    for writer in writers {
        writer.await??;
    }
    let balances = bank.balances.lock().unwrap_or_else(PoisonError::into_inner);
    std::fs::write(memory()?, serde_json::to_vec(&*balances)?)?;
    Ok(())
}

fn settle() -> Result<()> {
    let balances: BTreeMap<String, u64> = serde_json::from_slice(&std::fs::read(memory()?)?)?;
    for (account, cents) in balances {
        say(&json!({ "fact": "balance", "key": account, "value": amount(cents) }));
    }
    Ok(())
}

/// What is remembered from `run` to `settle`.
fn memory() -> Result<PathBuf> {
    Ok(PathBuf::from(variable("FREEHOLD_SCRATCH")?).join("balances.json"))
}

struct Bank {
    http: reqwest::Client,
    account: String,
    booking: String,
    seed: u64,
    work: u64,
    done: AtomicU64,
    stop: AtomicBool,
    /// In cents.
    balances: Mutex<BTreeMap<String, u64>>,
}

impl Bank {
    fn open() -> Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build()?,
            account: variable("FREEHOLD_ACCOUNT_URL")?,
            booking: variable("FREEHOLD_BOOKING_URL")?,
            seed: variable("FREEHOLD_SEED")?.parse()?,
            work: variable("FREEHOLD_WORK")?.parse()?,
            done: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            balances: Mutex::default(),
        })
    }

    /// Makes the request until the service has decided: its status, entity tag and body. `make` is called for each try.
    async fn decided(&self, what: &str, make: impl Fn() -> reqwest::RequestBuilder) -> Result<Answer> {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = match make().send().await {
                Ok(answer) => Answer::read(answer).await,
                Err(error) => Err(error.into()),
            };
            match said {
                Ok(answer) if answer.is_decided() => return Ok(answer),
                still if Instant::now() > until => bail!("{what}: not decided within {PATIENCE:?}: {still:?}"),
                _ => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    fn request(&self, method: Method, url: String) -> reqwest::RequestBuilder {
        self.http.request(method, url)
    }
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    tag: String,
    body: Value,
}

impl Answer {
    async fn read(answer: reqwest::Response) -> Result<Self> {
        let (status, tag) = (answer.status(), answer.headers().get("etag"));
        let tag = tag.and_then(|tag| tag.to_str().ok()).unwrap_or_default().to_owned();
        let body = serde_json::from_str(&answer.text().await?).unwrap_or_default();
        Ok(Self { status, tag, body })
    }

    /// A 5xx may have been carried out or not; a reference that is not known yet may be in a moment.
    fn is_decided(&self) -> bool {
        !self.status.is_server_error() && self.body["code"] != "FH001"
    }
}

async fn write(bank: Arc<Bank>, writer: u64) -> Result<()> {
    let mut accounts = Vec::new();
    for number in 0..ACCOUNTS {
        let id = id(bank.seed, "account", writer * ACCOUNTS + number);
        let row = json!({ "id": id, "holder": "Nobody" });
        let url = format!("{}/accounts", bank.account);
        let made = bank
            .decided("an account", || bank.request(Method::POST, url.clone()).json(&row))
            .await?;
        // Of a repeated request one was the first.
        if !made.status.is_success() && made.status != StatusCode::CONFLICT {
            bail!("an account: {made:?}");
        }
        accounts.push((id, 0_u64));
    }
    for unit in (writer..bank.work).step_by(WRITERS as usize) {
        if bank.stop.load(Ordering::Relaxed) {
            break;
        }
        let place = (unit / WRITERS % ACCOUNTS) as usize;
        let (account, balance) = &mut accounts[place];
        let key = id(bank.seed, "booking", unit).to_string();
        let cents = 1 + unit % 10_000;
        say(&json!({ "sent": key }));
        if book(&bank, &key, account, cents).await? {
            *balance += cents;
            say(&json!({ "accepted": key }));
        }
        if (unit / WRITERS).is_multiple_of(RENAME_EVERY) {
            rename(&bank, account, &format!("Holder {unit}")).await?;
        }
        let done = bank.done.fetch_add(1, Ordering::Relaxed) + 1;
        say(&json!({ "progress": done }));
    }
    let mut balances = bank.balances.lock().unwrap_or_else(PoisonError::into_inner);
    balances.extend(accounts.into_iter().map(|(id, cents)| (id.to_string(), cents)));
    Ok(())
}

async fn book(bank: &Bank, key: &str, account: &Uuid, cents: u64) -> Result<bool> {
    let row = json!({ "id": key, "account_id_ref": account, "amount": amount(cents) });
    let url = format!("{}/bookings", bank.booking);
    let booked = bank
        .decided("a booking", || bank.request(Method::POST, url.clone()).json(&row))
        .await?;
    let is_booked = booked.status.is_success() || booked.status == StatusCode::CONFLICT;
    if !is_booked {
        say(&json!({ "refused": key, "why": booked.body["detail"] }));
    }
    Ok(is_booked)
}

/// Renames an account's holder under the row's version, and looks again when it is not known whether that was done.
async fn rename(bank: &Bank, account: &Uuid, holder: &str) -> Result<()> {
    let url = format!("{}/accounts?id=eq.{account}", bank.account);
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let read = bank
            .decided("an account", || bank.request(Method::GET, url.clone()))
            .await?;
        if read.body[0]["holder"] == holder {
            return Ok(());
        }
        // The handler moves the version too: then it is refused, and tried again.
        let changed = bank
            .request(Method::PATCH, url.clone())
            .header("if-match", read.tag)
            .json(&json!({ "holder": holder }))
            .send()
            .await;
        if changed.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
    }
    bail!("account {account} was not renamed within {PATIENCE:?}")
}

fn amount(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// The same id in every try of a seed.
fn id(seed: u64, what: &str, number: u64) -> Uuid {
    let salt = what
        .bytes()
        .fold(seed, |salt, byte| salt.wrapping_mul(131).wrapping_add(u64::from(byte)));
    let bits = fastrand::Rng::with_seed(salt.wrapping_add(number)).u128(..);
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
}

fn variable(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: `freehold verify crash` sets it"))
}

/// A line for the rig, at once.
fn say(line: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
