//! Work that is due: time-outs and retries of steps, calls outside, commands of [`Tx::after`], keys to be tried again.
//!
//! Rows of `freehold.due`, written in the transaction that wants them and taken away in the one that does them. Any number of
//! instances may run it: a row that one works at, the others pass over.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::app::App;
use crate::effect;
use crate::error::{Error, Result};
use crate::handler::Command;
use crate::interfere::{self, Instead};
use crate::message::Received;
use crate::parked;
use crate::plant;
use crate::saga::engine::{Direction, Operator, Outcome};
use crate::saga::orchestrator::{self, Fired};
use crate::saga::participant::Envelope;
use crate::saga::{Call, Called, step_id, store};
use crate::tx::{Part, Tx};

/// The shortest wait between two looks while there is work.
const POLL_MIN: Duration = Duration::from_millis(1);

/// The longest wait: what another instance or an operator wrote is seen this late at most.
const POLL_MAX: Duration = Duration::from_millis(50);

/// The wait after a failure, so that a lost database is not asked in a tight loop.
const FAILURE_WAIT: Duration = Duration::from_millis(500);

/// The wait of a row that cannot be done as the program is: another release may know how.
const PUT_OFF: Duration = Duration::from_secs(30);

/// Rows done in one transaction.
const DUE_MAX: i64 = 50;

/// Calls outside that one instance makes at the same time.
const CALLS_MAX: usize = 64;

/// What a claim outlasts its call by: if the process dies, another makes the call again after this.
const CLAIM_MARGIN: Duration = Duration::from_secs(2);

/// Attempts to write down what a call came to; then the claim runs out and the call is made again, under the same id.
const WRITES_MAX: u32 = 10;

impl Tx {
    /// Sends a command after a while, or to this service itself: written now, sent when it is due.
    ///
    /// # Errors
    /// [`Error::Behaviour`] when the manifest does not list it in `sends`; [`Error::Postgres`].
    pub async fn after<C: Command>(&mut self, wait: Duration, key: impl std::fmt::Display, command: &C) -> Result<()> {
        if !self.app().service().sends.iter().any(|name| name == C::NAME) {
            return Err(Error::Behaviour {
                problem: format!("{} does not send {}", self.app().service().name, C::NAME),
                remedy: "add it to `sends` in the manifest".to_owned(),
            });
        }
        let sql = self.place(
            "insert into freehold.due (due_at, kind, type, key, payload)
             values (clock_timestamp() + $1 * interval '1 ms', 'command', $2, $3, $4::text::json)",
        );
        let envelope = Envelope {
            id: Uuid::now_v7(),
            saga: None,
            step: None,
            direction: Direction::Forward,
            voids: None,
            data: serde_json::to_value(command)?,
        };
        let ms = wait.as_secs_f64() * 1000.0;
        self.execute(
            &sql,
            &[&ms, &C::NAME, &key.to_string(), &serde_json::to_string(&envelope)?],
        )
        .await?;
        self.due_at_once();
        Ok(())
    }
}

/// Runs until dropped.
pub(crate) async fn run(app: App) {
    let mut wait = POLL_MIN;
    let mut calls: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = app.signals().due.notified() => {}
            () = tokio::time::sleep(wait) => {}
            Some(()) = calls.next(), if !calls.is_empty() => {}
        }
        let room = CALLS_MAX - calls.len();
        let looked = turn(&app, room);
        tokio::pin!(looked);
        // Calls go on meanwhile: they may hold the very connections that the look waits for.
        let looked = loop {
            tokio::select! {
                looked = &mut looked => break looked,
                Some(()) = calls.next(), if !calls.is_empty() => {}
            }
        };
        wait = match looked {
            Ok(Turn { claimed, worked }) => {
                calls.extend(
                    claimed
                        .into_iter()
                        .map(|call| Box::pin(make(app.clone(), call)) as BoxFuture<'static, ()>),
                );
                if worked { POLL_MIN } else { (wait * 2).min(POLL_MAX) }
            }
            Err(error) => {
                tracing::debug!(%error, "what is due cannot be read or done and is tried again");
                FAILURE_WAIT
            }
        };
    }
}

/// What one look came to.
struct Turn {
    /// Calls to be made now.
    claimed: Vec<Claimed>,
    /// Whether there was something to do.
    worked: bool,
}

/// One look; claims no more calls than there is room for.
async fn turn(app: &App, room: usize) -> Result<Turn> {
    let asked = look(app).await?;
    let mut done = Turn {
        claimed: Vec::new(),
        worked: false,
    };
    if asked.due {
        done.worked |= deliver(app).await?;
    }
    if asked.keys {
        done.worked |= parked::redrive(app).await?;
    }
    // Last: what was claimed must not be lost by what fails after it.
    if asked.calls && room > 0 {
        done.claimed = claim(app, room).await?;
        done.worked |= !done.claimed.is_empty();
    }
    Ok(done)
}

struct Look {
    calls: bool,
    due: bool,
    keys: bool,
}

/// One cheap question for all of it.
async fn look(app: &App) -> Result<Look> {
    let client = app.pool().get().await?;
    let sql = crate::pg::place(
        "select exists (select from freehold.due where due_at <= clock_timestamp() and kind = 'call'),
                exists (select from freehold.due where due_at <= clock_timestamp() and kind <> 'call'),
                exists (select from freehold.parked_key where state = 'retrying' and next_at <= clock_timestamp())",
        app.freehold(),
    );
    let statement = client.prepare_cached(&sql).await?;
    let row = client.query_one(&statement, &[]).await?;
    Ok(Look {
        calls: row.get(0),
        due: row.get(1),
        keys: row.get(2),
    })
}

/// Does what is due inside the database; false if it was gone already.
///
/// A saga is locked before the row that wakes it is taken away, as everybody does who settles a step: the two cannot wait for
/// each other. What another instance works at is passed over.
pub(crate) async fn deliver(app: &App) -> Result<bool> {
    let mut tx = Tx::begin(app, None).await?;
    let sql = tx.place(
        "select d.id, d.kind, d.saga, d.step, d.direction, d.type, d.key, d.payload::text, d.traceparent
         from freehold.due d
         where d.due_at <= clock_timestamp() and d.kind <> 'call'
         order by d.due_at, d.id
         limit $1",
    );
    let mut worked = false;
    for row in tx.query(&sql, &[&DUE_MAX]).await? {
        if !take(&tx, &row).await? {
            continue;
        }
        worked = true;
        tx.part(Part::Begin).await?;
        let done = match one(&mut tx, &row).await {
            Ok(()) => tx.part(Part::Keep).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(()) => {}
            // Lost a race: at once again, all of it.
            Err(error) if error.is_conflict() => return Ok(true),
            Err(error) if error.is_of_one() => {
                tx.part(Part::Undo).await?;
                put_off(&tx, &row).await?;
            }
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                tracing::error!(kind = row.get::<_, &str>(1), %error, "what is due cannot be done and is tried again");
                tx.part(Part::Undo).await?;
                put_off(&tx, &row).await?;
            }
        }
    }
    tx.commit().await?;
    Ok(worked)
}

/// Takes a row away to do it; false if it is gone, or another instance is at it.
async fn take(tx: &Tx, row: &Row) -> Result<bool> {
    if let Some(saga) = row.get::<_, Option<Uuid>>(2)
        && !store::try_lock(tx, saga).await?
    {
        return Ok(false);
    }
    let sql = tx.place(
        "delete from freehold.due d
         where d.id in (
           select w.id
           from freehold.due w
           where w.id = $1 and w.due_at <= clock_timestamp() and w.kind = $2
           for update skip locked
         )",
    );
    let (id, kind): (i64, &str) = (row.get(0), row.get(1));
    Ok(tx.execute(&sql, &[&id, &kind]).await? > 0)
}

/// Writes a row anew, for later.
async fn put_off(tx: &Tx, row: &Row) -> Result<()> {
    let sql = tx.place(
        "insert into freehold.due (due_at, kind, saga, step, direction, type, key, payload, traceparent)
         values (clock_timestamp() + $1 * interval '1 ms', $2, $3, $4, $5, $6, $7, $8::text::json, $9)
         on conflict do nothing",
    );
    let ms = PUT_OFF.as_secs_f64() * 1000.0;
    let (kind, saga, step): (&str, Option<Uuid>, Option<&str>) = (row.get(1), row.get(2), row.get(3));
    let (direction, of, key): (Option<&str>, Option<&str>, Option<&str>) = (row.get(4), row.get(5), row.get(6));
    let (payload, trace): (Option<&str>, Option<&str>) = (row.get(7), row.get(8));
    tx.execute(
        &sql,
        &[&ms, &kind, &saga, &step, &direction, &of, &key, &payload, &trace],
    )
    .await?;
    Ok(())
}

async fn one(tx: &mut Tx, row: &Row) -> Result<()> {
    let (kind, saga): (&str, Option<Uuid>) = (row.get(1), row.get(2));
    let step: Option<&str> = row.get(3);
    let direction = row.get::<_, Option<&str>>(4).and_then(Direction::of);
    match (kind, saga, step, direction) {
        ("timeout", Some(saga), Some(step), Some(direction)) => {
            orchestrator::fire(tx, saga, Fired::TimedOut(step, direction)).await
        }
        ("retry", Some(saga), Some(step), Some(direction)) => {
            orchestrator::fire(tx, saga, Fired::Retry(step, direction)).await
        }
        ("operator", Some(saga), _, _) => {
            let action: Operator = serde_json::from_str(row.get(7))?;
            orchestrator::fire(tx, saga, Fired::Operator(action)).await
        }
        ("command", ..) => command(tx, row).await,
        _ => {
            tracing::error!(kind, "a row of freehold.due is not understood and was dropped");
            Ok(())
        }
    }
}

/// A command whose time has come: sent to another service, or obeyed here.
async fn command(tx: &mut Tx, row: &Row) -> Result<()> {
    let (id, kind, key, payload): (i64, &str, &str, &str) = (row.get(0), row.get(5), row.get(6), row.get(7));
    let to = kind.split_once('.').map_or(kind, |(service, _)| service);
    if to != tx.app().service().name {
        let sql = tx.place("select freehold.send($1, $2, $3, $4::text::json)");
        tx.query_one(&sql, &[&format!("{to}.commands"), &kind, &key, &payload])
            .await?;
        return Ok(());
    }
    let received = Arc::new(Received {
        producer: to.to_owned(),
        id: Uuid::now_v7().to_string(),
        kind: kind.to_owned(),
        topic: format!("{to}.commands"),
        subject: key.to_owned(),
        time: String::new(),
        traceparent: row.get(8),
        position: id,
        version: 0,
        data: serde_json::value::RawValue::from_string(payload.to_owned())?,
    });
    let keys = [(&*received.topic, &*received.subject)].into();
    if !parked::among(tx, to, &keys).await?.is_empty() {
        return parked::follow(tx, &received).await;
    }
    if let Err(fault) = effect::handled(tx, &received).await? {
        tracing::warn!(command = kind, key, error = %fault, "a command could not be obeyed: its key is set aside and tried again");
        parked::set_aside(tx, &received, &fault).await?;
    }
    Ok(())
}

/// A call that was claimed.
#[derive(Clone)]
pub(crate) struct Claimed {
    saga: Uuid,
    name: String,
    pub(crate) step: String,
    pub(crate) direction: Direction,
    data: Value,
    timeout: Duration,
    call: Call,
}

/// Claims calls for longer than they may take.
pub(crate) async fn claim(app: &App, most: usize) -> Result<Vec<Claimed>> {
    let tx = Tx::begin(app, None).await?;
    let sql = tx.place(
        "select d.id, d.saga, d.step, d.direction, s.name, s.version, s.data::text, s.progress::text, s.traceparent
         from freehold.due d
         join freehold.saga s on s.id = d.saga
         where d.due_at <= clock_timestamp() and d.kind = 'call'
         order by d.due_at, d.id
         limit $1
         for update of d skip locked",
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut claimed = Vec::new();
    let (mut ids, mut claims, mut stale) = (Vec::new(), Vec::new(), Vec::new());
    for row in tx.query(&sql, &[&most]).await? {
        let (name, version): (String, i32) = (row.get(4), row.get(5));
        let Some(runnable) = app.saga(&name) else {
            continue;
        };
        let version = u32::try_from(version).unwrap_or_default();
        let step: String = row.get(2);
        let direction = Direction::of(row.get(3)).unwrap_or(Direction::Forward);
        // A newer release's saga is that release's to go on with.
        if version > runnable.version() {
            continue;
        }
        let Some(shape) = runnable.shape(version).step(&step).cloned() else {
            continue;
        };
        let progress = store::progress(row.get(7))?;
        if !progress.wants(&step, direction) {
            stale.push(row.get::<_, i64>(0));
            continue;
        }
        let standing = progress.steps.get(&step);
        let attempt = standing.map_or(1, |s| s.attempt);
        let id = |direction| {
            let round = standing.map_or(0, |s| match direction {
                Direction::Forward => s.round,
                Direction::Compensate => s.undo_round,
            });
            step_id(row.get(1), &step, direction, round)
        };
        let saga: Uuid = row.get(1);
        interfere::about(&step, direction);
        ids.push(row.get::<_, i64>(0));
        claims.push((shape.timeout + CLAIM_MARGIN).as_secs_f64() * 1000.0);
        claimed.push(Claimed {
            saga,
            name,
            direction,
            data: serde_json::from_str(row.get(6))?,
            timeout: shape.timeout,
            call: Call {
                id: match plant::is("payment-without-idempotency-key") {
                    false => id(direction),
                    true => Uuid::new_v4(),
                },
                undoes: (direction == Direction::Compensate).then(|| id(Direction::Forward)),
                attempt,
                traceparent: row.get(8),
            },
            step,
        });
    }
    let sql = tx.place(
        "update freehold.due d
         set due_at = clock_timestamp() + c.ms * interval '1 ms'
         from unnest($1::bigint[], $2::float8[]) as c(id, ms)
         where d.id = c.id",
    );
    tx.execute(&sql, &[&ids, &claims]).await?;
    let sql = tx.place("delete from freehold.due d where d.id = any ($1)");
    if !stale.is_empty() {
        tx.execute(&sql, &[&stale]).await?;
    }
    tx.commit().await?;
    Ok(claimed)
}

/// Makes a call and writes down what it came to.
pub(crate) async fn make(app: App, claimed: Claimed) {
    let mut made = outcome(&app, &claimed).await;
    let mut attempt = 0;
    while let Err(error) = write(&app, &claimed, &made).await {
        attempt += 1;
        if !error.is_transient() && matches!(made, Made::Came(Outcome::Done, _)) {
            // The answer came, and cannot be taken: a fault of the step, which is counted.
            made = Made::Came(Outcome::Failed(error.to_string()), None);
            continue;
        }
        if attempt >= WRITES_MAX || !error.is_transient() {
            tracing::warn!(saga = %claimed.saga, step = claimed.step, %error, "what a call came to could not be written down: it will be made again");
            return;
        }
        let pause = Duration::from_millis(2 << attempt.min(9));
        tokio::time::sleep(pause.mul_f64(fastrand::f64())).await;
    }
}

/// What became of a call.
enum Made {
    Came(Outcome, Option<Value>),
    Pending,
}

async fn outcome(app: &App, claimed: &Claimed) -> Made {
    let failed = |error: Error| match error {
        Error::Refused { code, detail } => Made::Came(Outcome::Refused(format!("{code}: {detail}")), None),
        error => Made::Came(Outcome::Failed(error.to_string()), None),
    };
    let Some(runnable) = app.saga(&claimed.name) else {
        return failed(Error::Gone);
    };
    let call = runnable.call(
        &claimed.step,
        claimed.direction,
        claimed.data.clone(),
        claimed.call.clone(),
    );
    let call = match call {
        Ok(call) => call,
        Err(error) => return failed(error),
    };
    let call = match interfere::call(&claimed.step, claimed.direction, call).await {
        Ok(call) => call,
        Err(Instead::Error(error)) => return failed(error),
        Err(Instead::Silence) => return Made::Came(Outcome::TimedOut, None),
    };
    match tokio::time::timeout(claimed.timeout, AssertUnwindSafe(call).catch_unwind()).await {
        Ok(Ok(Ok(Called::Answered(answer)))) => Made::Came(Outcome::Done, Some(answer)),
        Ok(Ok(Ok(Called::Pending))) if claimed.direction == Direction::Compensate => failed(Error::other(
            "a compensation cannot be pending: nothing could bring its answer",
        )),
        Ok(Ok(Ok(Called::Pending))) => Made::Pending,
        Ok(Ok(Err(error))) => failed(error),
        Ok(Err(_)) => failed(Error::panicked()),
        Err(_) => Made::Came(Outcome::TimedOut, None),
    }
}

async fn write(app: &App, claimed: &Claimed, made: &Made) -> Result<()> {
    let mut tx = Tx::begin(app, claimed.call.traceparent.clone()).await?;
    match made {
        Made::Came(outcome, data) => {
            let (outcome, data) = (outcome.clone(), data.clone());
            orchestrator::came(&mut tx, claimed.saga, &claimed.step, claimed.direction, outcome, data).await?;
        }
        Made::Pending => {
            let sql = tx.place(
                "update freehold.due d
                 set kind = 'timeout',
                     due_at = clock_timestamp() + $4 * interval '1 ms'
                 where (d.saga, d.step, d.direction) = ($1, $2, $3) and d.kind = 'call'",
            );
            let ms = claimed.timeout.as_secs_f64() * 1000.0;
            tx.execute(&sql, &[&claimed.saga, &claimed.step, &claimed.direction.word(), &ms])
                .await?;
        }
    }
    tx.commit().await
}
