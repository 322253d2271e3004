//! Transport to effect: follows one producer, applies what it says, and moves the cursors in the same transaction.
//!
//! One statement per batch: `advance` compares and moves the cursors, `apply_<copy>` writes the copies. If the
//! process dies before it committed, the batch comes again; if after, the cursor tells that it is done.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::time::Instant;
use tokio_postgres::types::ToSql;

use crate::error::Error;
use crate::install::derived;
use crate::message::{Batch, Message};
use crate::pg::{ident, place};
use crate::replica;
use crate::transport::reader::{Lines, Next, Peer};

/// The name of the subscription that feeds the copies.
pub(crate) const COPIES: &str = "copies";

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

/// Attempts of one batch that lost a deadlock or a serialization conflict, before the stream is opened anew.
const CONFLICTS_MAX: u32 = 20;

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
    /// The copies fed by it.
    pub copies: Vec<replica::Source>,
    /// How it goes, for health and status.
    pub state: Arc<RwLock<State>>,
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
    /// The producer or the database does not answer; tried again by itself.
    Waiting(String),
    /// The producer is not the one we followed: its epoch or its log changed. An operator must act.
    Halted(String),
}

/// Where the cursors of one producer stand.
struct Cursors {
    epoch: i32,
    /// By topic: position covered, position of the last message.
    topics: HashMap<String, (i64, i64)>,
}

impl Cursors {
    fn after(&self) -> i64 {
        self.topics.values().map(|(position, _)| *position).min().unwrap_or(0)
    }
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

    /// Sets what the error means for the state; true if an operator must act.
    fn note(&self, error: &Error) -> bool {
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
        for copy in &self.copies {
            if !replica::is_live(self, copy).await? {
                self.set(State::Filling(copy.name.clone()));
                replica::fill(self, copy).await?;
            }
        }
        let topics: Vec<String> = self.copies.iter().map(|c| c.topic.clone()).collect();
        let mut cursors = self.cursors(&topics).await?;
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
        for copy in &self.copies {
            if !replica::is_live(self, copy).await? {
                return Ok(false);
            }
        }
        Ok(true)
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
        let task = format!("{COPIES}:{}", self.peer.service);
        let statement = client
            .prepare_cached(&place("select freehold.hold_lease($1, $2, $3)", &self.freehold))
            .await?;
        let held = client.query_one(&statement, &[&task, &self.instance, &ttl_ms]).await?;
        Ok(held.get::<_, Option<bool>>(0) == Some(true))
    }

    fn diverged(&self, problem: String) -> Error {
        Error::Diverged {
            producer: self.peer.service.clone(),
            problem,
        }
    }

    /// Where the topics stand that this process follows; an instance of another version may follow others.
    async fn cursors(&self, topics: &[String]) -> Result<Cursors, Error> {
        let client = self.pool.get().await?;
        let statement = client
            .prepare_cached(&place(
                "select topic, epoch, position, seen
                 from freehold.cursor
                 where subscription = $1
                   and producer = $2
                   and topic = any ($3)",
                &self.freehold,
            ))
            .await?;
        let rows = client
            .query(&statement, &[&COPIES, &self.peer.service, &topics])
            .await?;
        let epoch = rows.first().map_or(1, |row| row.get(1));
        let topics = rows.iter().map(|row| (row.get(0), (row.get(2), row.get(3)))).collect();
        Ok(Cursors { epoch, topics })
    }

    /// Applies batches that follow each other and moves the cursors, or leaves both as they were.
    async fn take(&self, batches: &[Batch<'_>], cursors: &mut Cursors) -> Result<(), Error> {
        let folded = self.fold(batches, cursors)?;
        self.set(State::Live);
        if folded.upto <= cursors.after() {
            return Ok(());
        }
        let mut attempt = 0;
        loop {
            match self.write(&folded, cursors).await {
                Ok(()) => break,
                Err(Error::Postgres(error)) if is_conflict(&error) && attempt < CONFLICTS_MAX => {
                    attempt += 1;
                    let pause = Duration::from_millis(2 << attempt.min(7));
                    tokio::time::sleep(pause.mul_f64(fastrand::f64())).await;
                }
                Err(error) => return Err(error),
            }
        }
        for (topic, (position, seen)) in &mut cursors.topics {
            *position = (*position).max(folded.upto);
            if let Some(last) = folded.last.get(topic.as_str()) {
                *seen = last.0;
            }
        }
        Ok(())
    }

    /// Checks that nothing is missing, drops what is done already, and keeps the newest message of each key.
    fn fold<'b>(&self, batches: &'b [Batch<'b>], cursors: &Cursors) -> Result<Folded<'b>, Error> {
        let mut folded = Folded {
            upto: cursors.after(),
            ..Folded::default()
        };
        for batch in batches {
            if batch.epoch != cursors.epoch {
                return Err(self.diverged(format!(
                    "epoch {} where {} was followed: the producer was restored; its copies here must be rebuilt",
                    batch.epoch, cursors.epoch
                )));
            }
            if batch.after > folded.upto {
                let problem = format!("a batch behind {} where {} was due", batch.after, folded.upto);
                return Err(self.diverged(problem));
            }
            for message in &batch.messages {
                let Some((position, seen)) = cursors.topics.get(&*message.topic) else {
                    continue;
                };
                if message.position <= folded.upto.max(*position) {
                    continue;
                }
                let seen = folded.last.get(&*message.topic).map_or(*seen, |last| last.0);
                if message.prev != seen {
                    return Err(self.diverged(format!(
                        "{} misses a message: position {} follows {}, {} was seen",
                        message.topic, message.position, message.prev, seen
                    )));
                }
                let hash = hex::decode(&*message.hash).map_err(|error| self.broken(error.to_string()))?;
                folded.last.insert(&message.topic, (message.position, hash));
                folded
                    .topics
                    .entry(&message.topic)
                    .or_default()
                    .insert(&message.subject, message);
            }
            folded.upto = folded.upto.max(batch.upto);
        }
        Ok(folded)
    }

    /// One statement, one transaction.
    async fn write(&self, folded: &Folded<'_>, cursors: &Cursors) -> Result<(), Error> {
        let topics: Vec<&str> = cursors.topics.keys().map(String::as_str).collect();
        let after: Vec<i64> = cursors.topics.values().map(|(position, _)| *position).collect();
        let last: Vec<_> = topics.iter().map(|topic| folded.last.get(topic)).collect();
        let seen: Vec<Option<i64>> = last.iter().map(|l| l.map(|l| l.0)).collect();
        let hashes: Vec<Option<&[u8]>> = last.iter().map(|l| l.map(|l| l.1.as_slice())).collect();
        let mut sql = String::from("select freehold.advance($1, $2, $3, $4, $5, $6, $7, $8)");
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![
            &COPIES,
            &self.peer.service,
            &cursors.epoch,
            &folded.upto,
            &topics,
            &after,
            &seen,
            &hashes,
        ];
        let mut columns = Vec::new();
        for copy in &self.copies {
            if let Some(messages) = folded.topics.get(copy.topic.as_str()) {
                columns.push((copy, Columns::of(messages)));
            }
        }
        for (copy, rows) in &columns {
            let n = parameters.len();
            sql += &format!(
                ", freehold.{}(${}::text::json, ${}, ${}, ${})",
                ident::quote(&derived("apply", &copy.name)),
                n + 1,
                n + 2,
                n + 3,
                n + 4
            );
            parameters.extend::<[&(dyn ToSql + Sync); 4]>([&rows.data, &rows.keys, &rows.versions, &rows.removed]);
        }
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(&place(&sql, &self.freehold)).await?;
        client.query_one(&statement, &parameters).await?;
        Ok(())
    }
}

/// Batches without repeats and without what their newer messages make moot.
#[derive(Default)]
struct Folded<'b> {
    /// They cover everything up to here.
    upto: i64,
    /// By topic and key: the newest message.
    topics: HashMap<&'b str, HashMap<&'b str, &'b Message<'b>>>,
    /// By topic: position and hash of the last message.
    last: HashMap<&'b str, (i64, Vec<u8>)>,
}

/// A topic's messages as the parameters of `apply_<copy>`: the bodies joined, their bytes untouched.
struct Columns<'b> {
    data: String,
    keys: Vec<&'b str>,
    versions: Vec<i64>,
    removed: Vec<bool>,
}

impl<'b> Columns<'b> {
    fn of(messages: &HashMap<&'b str, &'b Message<'b>>) -> Self {
        let size: usize = messages.values().map(|m| m.data.get().len() + 1).sum();
        let mut columns = Self {
            data: String::with_capacity(size + 2),
            keys: Vec::with_capacity(messages.len()),
            versions: Vec::with_capacity(messages.len()),
            removed: Vec::with_capacity(messages.len()),
        };
        columns.data.push('[');
        for (key, message) in messages {
            if !columns.keys.is_empty() {
                columns.data.push(',');
            }
            columns.data.push_str(message.data.get());
            columns.keys.push(key);
            columns.versions.push(message.version);
            columns.removed.push(message.is_deletion());
        }
        columns.data.push(']');
        columns
    }
}

/// Whether the statement lost against another one and may simply be repeated.
fn is_conflict(error: &tokio_postgres::Error) -> bool {
    use tokio_postgres::error::SqlState;
    error
        .code()
        .is_some_and(|code| *code == SqlState::T_R_DEADLOCK_DETECTED || *code == SqlState::T_R_SERIALIZATION_FAILURE)
}
