//! Transport to effect: follows one producer, and lets what it says take effect in the transaction that moves the cursors.
//!
//! A service has up to two subscriptions to a producer: one keeps its [copies](crate::replica) true, one feeds its
//! [handlers](crate::effect). If the process dies before it committed, the batch comes again; if after, the cursor tells that it
//! is done.

mod applied;
mod heard;

use std::sync::{Arc, RwLock};
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::time::Instant;

pub use applied::Applied;
pub(crate) use applied::Wanted;
pub(crate) use heard::{Cursors, Heard};

use crate::effect::{HANDLERS, Handling};
use crate::error::Error;
use crate::message::Batch;
use crate::pg::place;
use crate::replica::{COPIES, Copies};
use crate::transport::reader::{Lines, Next, Peer};

/// How long an instance that stopped answering keeps the others waiting.
const LEASE_TTL: Duration = Duration::from_secs(5);

/// How often a stream that is followed stops to look whether it still leads and whether a copy is to be rebuilt: two
/// looks may fail before the lease runs out.
const LOOK_EVERY: Duration = Duration::from_millis(1_500);

/// Lines that arrived while a batch was applied are applied together up to so many bytes: else a subscriber that is
/// slower than its producer would stay at the small batches of a fast one.
const GATHERED_BYTES: usize = 4 * 1024 * 1024;

/// The first wait after a failure; doubled up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(50);

/// How often an instance that does not follow asks whether it may: a fraction of [`LEASE_TTL`].
const STANDBY_WAIT: Duration = Duration::from_secs(1);

/// The longest wait after a failure: a producer that returns is heard this soon.
const RETRY_MAX: Duration = Duration::from_secs(2);

/// A producer that starts at the same time as we do, or again, is not worth a line in the log before this.
const TOLD_AFTER: Duration = Duration::from_secs(1);

/// How long an instance that met a newer release's work leaves the lease to others.
const YIELD_WAIT: Duration = Duration::from_secs(12);

/// A producer that this service follows.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Its database.
    pub pool: Pool,
    /// The library's schema.
    pub freehold: String,
    /// This process, among several instances of the service.
    pub instance: String,
    /// The producer.
    pub peer: Peer,
    /// The HTTP client.
    pub http: reqwest::Client,
    /// What its messages do here.
    pub effect: Effect,
    /// How it goes, for health and status.
    pub state: Arc<RwLock<State>>,
    /// Where its cursors stand, for requests that wait for them; shared by the subscriptions of a process.
    pub applied: Applied,
}

/// What messages do.
#[derive(Debug, Clone)]
pub enum Effect {
    /// They keep copies true.
    Copies(Copies),
    /// They are handled.
    Handlers(Handling),
}

impl Effect {
    /// The name its cursors are kept under.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Copies(_) => COPIES,
            Self::Handlers(_) => HANDLERS,
        }
    }

    pub(crate) fn topics(&self) -> Vec<String> {
        match self {
            Self::Copies(copies) => copies.topics(),
            Self::Handlers(handling) => handling.topics.clone(),
        }
    }
}

/// How a subscription goes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "detail")]
pub enum State {
    /// Set at start; next: `Standby`, `Filling`, `Live` or `Waiting`.
    Starting,
    /// Another instance of this service follows the producer; set when the lease is not ours.
    Standby,
    /// A copy is filled from the owner's rows; next: `Live`.
    Filling(String),
    /// Set when the stream is open.
    Live,
    /// What is heard is a newer release's to handle: the lease is left to it for a while.
    Yielding(String),
    /// The producer or the database does not answer; tried again by itself.
    Waiting(String),
    /// The producer is not the one we followed: its epoch or its log changed. An operator must act.
    Halted(String),
}

/// Runs until dropped.
pub async fn run(subscription: Subscription) {
    let mut wait = RETRY_MIN;
    // An error is logged once, when it has lasted, not at every try.
    let mut failing_since = None;
    let mut told = None;
    loop {
        match subscription.follow().await {
            Ok(()) => {
                wait = if subscription.is_standby() {
                    STANDBY_WAIT
                } else {
                    RETRY_MIN
                };
                (failing_since, told) = (None, None);
            }
            Err(error) => {
                if subscription.is_live() {
                    wait = RETRY_MIN;
                    (failing_since, told) = (None, None);
                }
                let halted = subscription.note(&error);
                let said = error.to_string();
                let lasts = failing_since.get_or_insert_with(Instant::now).elapsed() >= TOLD_AFTER;
                if (lasts || halted) && told.as_ref() != Some(&said) {
                    tracing::warn!(
                        producer = subscription.peer.service,
                        error = said,
                        "cannot follow a producer and tries again"
                    );
                    told = Some(said);
                }
            }
        }
        if subscription.yields() {
            tokio::time::sleep(YIELD_WAIT).await;
        }
        // Jitter: instances and services that failed together do not return together.
        tokio::time::sleep(wait.mul_f64(0.5 + fastrand::f64())).await;
        wait = (wait * 2).min(RETRY_MAX);
    }
}

impl Subscription {
    fn set(&self, state: State) {
        if let Ok(mut held) = self.state.write()
            && *held != state
        {
            *held = state;
        }
    }

    fn is_live(&self) -> bool {
        self.state.read().is_ok_and(|held| *held == State::Live)
    }

    fn is_standby(&self) -> bool {
        self.state.read().is_ok_and(|held| *held == State::Standby)
    }

    fn is_halted(&self) -> bool {
        self.state.read().is_ok_and(|held| matches!(*held, State::Halted(_)))
    }

    fn yields(&self) -> bool {
        self.state.read().is_ok_and(|held| matches!(*held, State::Yielding(_)))
    }

    /// Sets what the error means for the state; true if an operator must act.
    fn note(&self, error: &Error) -> bool {
        if let Error::Newer { .. } = error {
            self.set(State::Yielding(error.to_string()));
            return true;
        }
        let halted = matches!(error, Error::Diverged { .. });
        self.set(if halted {
            State::Halted(error.to_string())
        } else {
            State::Waiting(error.to_string())
        });
        halted
    }

    /// Follows the producer until the stream ends or something fails.
    async fn follow(&self) -> Result<(), Error> {
        if !self.hold_lease().await? {
            self.set(State::Standby);
            return Ok(());
        }
        if let Effect::Copies(copies) = &self.effect {
            copies
                .fill(self, |copy| self.set(State::Filling(copy.to_owned())))
                .await?;
        }
        let topics = self.effect.topics();
        let mut cursors = Cursors::read(self, self.effect.name(), &topics).await?;
        self.note_applied(&cursors);
        let mut lines = Lines::feed(&self.http, &self.peer, &topics, cursors.after()).await?;
        // A producer that halted us has to say something right first.
        if !self.is_halted() {
            self.set(State::Live);
        }
        let mut look_at = Instant::now() + LOOK_EVERY;
        let mut arrived = Vec::new();
        loop {
            if arrived.is_empty() {
                match lines.next_until(look_at).await? {
                    Next::Line(line) => arrived.push(line),
                    Next::Quiet => {}
                    Next::End => return Ok(()),
                }
            }
            if !arrived.is_empty() {
                let batches: Vec<Batch<'_>> = arrived
                    .iter()
                    .map(|line| serde_json::from_slice(line).map_err(|error| self.broken(error.to_string())))
                    .collect::<Result<_, _>>()?;
                // The producer prepares the next batches while these are applied.
                arrived = lines.gather(GATHERED_BYTES, self.take(&batches, &mut cursors)).await?;
            }
            if Instant::now() >= look_at {
                if !self.goes_on().await? {
                    return Ok(());
                }
                look_at = Instant::now() + LOOK_EVERY;
            }
        }
    }

    /// Whether the stream is to be followed on: the lease is still ours, and no copy waits to be rebuilt.
    async fn goes_on(&self) -> Result<bool, Error> {
        if !self.hold_lease().await? {
            return Ok(false);
        }
        match &self.effect {
            Effect::Copies(copies) => copies.are_live(self).await,
            Effect::Handlers(_) => Ok(true),
        }
    }

    /// Lets the batches take effect, or leaves everything as it was.
    async fn take(&self, batches: &[Batch<'_>], cursors: &mut Cursors) -> Result<(), Error> {
        if let (Effect::Handlers(handling), Some(batch)) = (&self.effect, batches.first())
            && cursors.begin(batch.epoch, &handling.topics)
        {
            handling.begin(batch.epoch).await?;
        }
        let heard = Heard::check(&self.peer.service, batches, cursors)?;
        self.set(State::Live);
        if heard.upto <= cursors.after() {
            return Ok(());
        }
        match &self.effect {
            Effect::Copies(copies) => copies.take(self, &heard, cursors).await?,
            Effect::Handlers(handling) => handling.take(&heard, cursors).await?,
        }
        self.note_applied(cursors);
        Ok(())
    }

    fn note_applied(&self, cursors: &Cursors) {
        self.applied.note(self.effect.name(), &self.peer.service, cursors);
    }

    fn broken(&self, problem: String) -> Error {
        Error::Feed {
            producer: self.peer.service.clone(),
            problem,
        }
    }

    async fn hold_lease(&self) -> Result<bool, Error> {
        let client = self.pool.get().await?;
        let ttl_ms = i32::try_from(LEASE_TTL.as_millis()).unwrap_or(i32::MAX);
        let task = format!("{}:{}", self.effect.name(), self.peer.service);
        let statement = client
            .prepare_cached(&place("select freehold.hold_lease($1, $2, $3)", &self.freehold))
            .await?;
        let held = client.query_one(&statement, &[&task, &self.instance, &ttl_ms]).await?;
        Ok(held.get::<_, Option<bool>>(0) == Some(true))
    }
}
