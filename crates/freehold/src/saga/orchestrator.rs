//! Does what the engine decides: one turn of a saga is one part of a transaction, with whatever led to it.
//!
//! The saga's row is locked first, so its turns come one after the other whoever makes them; reply, state, next command and
//! timer are written together or not at all.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::engine::{self, Action, Course, Direction, Input, Kind, Operator, Outcome, Shape};
use super::participant::Envelope;
use super::store::{self, Kept, Sent, Stored, Wait};
use super::{Runnable, Saga, step_id};
use crate::error::{Error, Result};
use crate::interfere;
use crate::message::Received;
use crate::tx::{Part, Tx};

/// What came of starting a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Started {
    /// Its id.
    pub id: Uuid,
    /// False if its key had one already that runs or was completed: nothing was started, this is that one.
    pub fresh: bool,
}

/// An answer that a step's call announced, brought another way.
#[derive(Debug)]
pub enum Answer<R> {
    /// The step took effect.
    Done(R),
    /// It was refused, for this reason.
    Refused(String),
}

/// A reply's body.
#[derive(Deserialize)]
struct Reply<'a> {
    command: Uuid,
    saga: Option<Uuid>,
    step: Option<String>,
    direction: Option<Direction>,
    outcome: &'a str,
    reason: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl Tx {
    /// Starts a saga in this transaction, and makes its first steps as far as they are local.
    ///
    /// Started again for a key that has one running or completed, it starts nothing and says so: a request may be repeated.
    ///
    /// # Errors
    /// What a first local step says, which ends this transaction: nothing was started. [`Error::Behaviour`] when the saga
    /// is not registered with the service.
    pub async fn start<S: Saga>(&mut self, saga: S) -> Result<Started> {
        let app = self.app().clone();
        let runnable = app.saga(S::NAME).ok_or_else(|| unregistered(S::NAME))?;
        let (key, data) = (saga.key(), serde_json::to_value(saga)?);
        let (id, fresh) = store::add(self, runnable, &key, &data).await?;
        if fresh {
            let stored = Stored {
                id,
                name: S::NAME.to_owned(),
                version: runnable.version(),
                key,
                course: Course::new(),
                data,
                traceparent: self.traceparent().map(str::to_owned),
            };
            let made = run(self, runnable, stored, Input::Start, Failing::Caller).await;
            if made.is_err() {
                self.doom();
            }
            made?;
        }
        Ok(Started { id, fresh })
    }

    /// Brings the answer of a step whose call was [pending](super::Called::Pending), or that came another way before the
    /// call's own. A second answer changes nothing.
    ///
    /// # Errors
    /// [`Error::Other`] when there is no such saga, [`Error::Body`] when the answer is not what the step takes.
    pub async fn answer<S: Saga, R: Serialize>(&mut self, key: &str, step: &str, answer: Answer<R>) -> Result<()> {
        let Some(id) = store::find(self, S::NAME, key).await? else {
            return Err(Error::other(format!("no saga {} for {key}", S::NAME)));
        };
        let (outcome, data) = match answer {
            Answer::Done(data) => (Outcome::Done, Some(serde_json::to_value(data)?)),
            Answer::Refused(reason) => (Outcome::Refused(reason), None),
        };
        came(self, id, step, Direction::Forward, outcome, data).await
    }
}

fn unregistered(name: &str) -> Error {
    Error::Behaviour {
        problem: format!("saga {name} is not registered with this service"),
        remedy: format!("add `.saga::<…>()` for it, and \"{name}\" to `sagas` in the manifest"),
    }
}

/// A reply arrived.
pub(crate) async fn replied(tx: &mut Tx, received: &Received) -> Result<()> {
    let reply: Reply<'_> = serde_json::from_str(received.data.get())?;
    let (Some(saga), Some(step), Some(direction)) = (reply.saga, reply.step, reply.direction) else {
        return Ok(());
    };
    let outcome = match reply.outcome {
        "done" => Outcome::Done,
        "refused" => Outcome::Refused(reply.reason.unwrap_or_else(|| "refused".to_owned())),
        other => {
            return Err(Error::other(format!(
                "a reply says `{other}`, neither done nor refused"
            )));
        }
    };
    let Some(stored) = load(tx, saga).await? else {
        return Err(Error::other(format!("a reply is for saga {saga}, which is not here")));
    };
    // Only who was asked can answer, and only what it was asked.
    let app = tx.app().clone();
    let asked = app
        .saga(&stored.name)
        .and_then(|saga| saga.command_name(&step, direction));
    let by = received
        .kind
        .strip_suffix(".done")
        .or_else(|| received.kind.strip_suffix(".refused"));
    if by != asked || asked.is_none_or(|name| name.split_once('.').map(|n| n.0) != Some(received.producer.as_str())) {
        return Err(Error::other(format!(
            "{} of {} is no answer to step {step} of saga {}",
            received.kind, received.producer, stored.name
        )));
    }
    // An answer to what an operator had asked anew is not an answer to the new question.
    if step_id(saga, &step, direction, stored.course.round(&step, direction)) != reply.command {
        return Ok(());
    }
    let data = match reply.data {
        Some(data) => Some(serde_json::from_str(data.get())?),
        None => None,
    };
    answered(tx, stored, &step, direction, outcome, data).await
}

/// A step came to something.
pub(crate) async fn came(
    tx: &mut Tx,
    saga: Uuid,
    step: &str,
    direction: Direction,
    outcome: Outcome,
    data: Option<Value>,
) -> Result<()> {
    match load(tx, saga).await? {
        Some(stored) => answered(tx, stored, step, direction, outcome, data).await,
        None => Ok(()),
    }
}

async fn answered(
    tx: &mut Tx,
    mut stored: Stored,
    step: &str,
    direction: Direction,
    outcome: Outcome,
    data: Option<Value>,
) -> Result<()> {
    interfere::about(step, direction);
    let app = tx.app().clone();
    let runnable = app.saga(&stored.name).ok_or_else(|| unregistered(&stored.name))?;
    if let (Direction::Forward, Outcome::Done, Some(data)) = (direction, &outcome, data)
        && stored.course.wants(step, direction)
    {
        runnable.reply(step, &mut stored.data, data)?;
    }
    run(
        tx,
        runnable,
        stored,
        Input::Came(step, direction, outcome),
        Failing::Step,
    )
    .await
}

/// A wait of a saga is over, or an operator acts.
pub(crate) async fn fire(tx: &mut Tx, saga: Uuid, input: Fired<'_>) -> Result<()> {
    let Some(stored) = load(tx, saga).await? else {
        return Ok(());
    };
    tx.follow(stored.traceparent.clone()).await?;
    if let Fired::TimedOut(step, direction) | Fired::Retry(step, direction) = input {
        interfere::about(step, direction);
    }
    let app = tx.app().clone();
    let runnable = app.saga(&stored.name).ok_or_else(|| unregistered(&stored.name))?;
    let input = match input {
        Fired::TimedOut(step, direction) => Input::Came(step, direction, Outcome::TimedOut),
        Fired::Retry(step, direction) => Input::Due(step, direction),
        Fired::Operator(action) => Input::Operator(action),
    };
    run(tx, runnable, stored, input, Failing::Step).await
}

/// What [`fire`] tells a saga.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fired<'a> {
    /// A step did not answer in time.
    TimedOut(&'a str, Direction),
    /// A step is to be tried again.
    Retry(&'a str, Direction),
    /// An operator's action.
    Operator(Operator),
}

/// Locks and reads a saga that this release may go on with.
async fn load(tx: &Tx, id: Uuid) -> Result<Option<Stored>> {
    let stored = store::load(tx, id).await?;
    if let Some(saga) = &stored {
        let known = tx.app().saga(&saga.name).map_or(u32::MAX, Runnable::version);
        if saga.version > known {
            return Err(Error::Newer {
                saga: saga.name.clone(),
                version: saga.version,
            });
        }
    }
    Ok(stored)
}

/// Who bears a local step's failure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failing {
    /// Whoever starts the saga: it is not started.
    Caller,
    /// The saga: the step is undone and the engine decides.
    Step,
}

struct Turn<'t> {
    tx: &'t mut Tx,
    runnable: &'t dyn Runnable,
    shape: Shape,
    stored: Stored,
    kept: Kept,
    queue: VecDeque<Action>,
    failing: Failing,
}

/// Makes one turn and everything that follows from it at once.
async fn run(
    tx: &mut Tx,
    runnable: &dyn Runnable,
    mut stored: Stored,
    input: Input<'_>,
    failing: Failing,
) -> Result<()> {
    let shape = runnable.shape(stored.version);
    let queue = engine::turn(&shape, &mut stored.course, input);
    if queue.is_empty() {
        return Ok(());
    }
    let mut turn = Turn {
        tx,
        runnable,
        shape,
        stored,
        kept: Kept::default(),
        queue,
        failing,
    };
    while let Some(action) = turn.queue.pop_front() {
        turn.act(action).await?;
    }
    store::keep(turn.tx, &turn.stored, &turn.kept).await
}

impl Turn<'_> {
    async fn act(&mut self, action: Action) -> Result<()> {
        match action {
            Action::Note(note) => self.kept.notes.push(note),
            Action::Settle(step, direction) => self.kept.settle(step, direction),
            Action::Wait(step, direction, wait) => self.wait("retry", step, direction, jittered(wait)),
            Action::Perform(step, direction) if self.stored.course.wants(step, direction) => {
                self.perform(step, direction).await?;
            }
            // Overtaken by the outcome of an action before it.
            Action::Perform(..) => {}
        }
        Ok(())
    }

    async fn perform(&mut self, step: &'static str, direction: Direction) -> Result<()> {
        let Some(shape) = self.shape.step(step) else {
            return Ok(());
        };
        let timeout = shape.timeout;
        let kind = match direction {
            Direction::Forward => Some(shape.kind),
            Direction::Compensate => shape.compensation,
        };
        match kind {
            Some(Kind::Local) => self.local(step, direction).await?,
            Some(Kind::Invoke) => {
                self.send(step, direction)?;
                // The log loses nothing: a repeat is only for an answer that a restored database forgot.
                let doubled = timeout.saturating_mul(1 << self.stored.course.attempt(step).saturating_sub(1).min(6));
                self.wait("timeout", step, direction, doubled);
            }
            Some(Kind::Call) => self.wait("call", step, direction, Duration::ZERO),
            None => {}
        }
        Ok(())
    }

    fn wait(&mut self, kind: &'static str, step: &'static str, direction: Direction, wait: Duration) {
        let ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        self.kept.wait(Wait {
            kind,
            step,
            direction,
            ms,
        });
    }

    async fn local(&mut self, step: &'static str, direction: Direction) -> Result<()> {
        let outcome = match self.failing {
            Failing::Caller => {
                self.runnable
                    .local(step, direction, &mut self.stored.data, self.tx)
                    .await?;
                Outcome::Done
            }
            Failing::Step => {
                if direction == Direction::Compensate {
                    self.tx.set_reason(self.stored.course.progress.why.clone());
                }
                let outcome = self.local_apart(step, direction).await?;
                self.tx.set_reason(None);
                outcome
            }
        };
        let more = engine::turn(
            &self.shape,
            &mut self.stored.course,
            Input::Came(step, direction, outcome),
        );
        self.queue.extend(more);
        Ok(())
    }

    /// A local step in a part of its own: what it wrote is undone when it fails, the saga goes on.
    async fn local_apart(&mut self, step: &'static str, direction: Direction) -> Result<Outcome> {
        self.tx.part(Part::Begin).await?;
        let before = self.stored.data.clone();
        let made = self
            .runnable
            .local(step, direction, &mut self.stored.data, self.tx)
            .await;
        let made = match made {
            Ok(()) => self.tx.part(Part::Keep).await,
            Err(error) => Err(error),
        };
        let abandoned = matches!(made, Err(Error::Abandoned(_)));
        let outcome = match made {
            Ok(()) => return Ok(Outcome::Done),
            Err(error) if error.is_transient() => return Err(error),
            Err(Error::Refused { code, detail }) => Outcome::Refused(format!("{code}: {detail}")),
            Err(error) => Outcome::Failed(error.to_string()),
        };
        if abandoned {
            self.tx.cancel().await;
        }
        self.tx.part(Part::Undo).await?;
        self.stored.data = before;
        Ok(outcome)
    }

    fn send(&mut self, step: &'static str, direction: Direction) -> Result<()> {
        let (name, data) = self.runnable.command(step, direction, &self.stored.data)?;
        let id = |direction| {
            let round = self.stored.course.round(step, direction);
            step_id(self.stored.id, step, direction, round)
        };
        let envelope = Envelope {
            id: id(direction),
            saga: Some(self.stored.id),
            step: Some(step.to_owned()),
            direction,
            voids: (direction == Direction::Compensate).then(|| id(Direction::Forward)),
            data,
        };
        let body = serde_json::to_string(&envelope)?;
        self.kept.commands.push(Sent { name, body });
        Ok(())
    }
}

/// Up to a quarter more, so that what failed together does not return together.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(1.0 + fastrand::f64() / 4.0)
}
