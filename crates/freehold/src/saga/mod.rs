//! Sagas: work that spans services, to its end or undone.
//!
//! A saga is a row in the database of the service that orchestrates it; commands and replies are messages like any other.
//! `steps` is how one is written down, [`engine`] decides what is next, the `orchestrator` does it in a transaction, and
//! the `participant` is the other end: it obeys a command once, and answers it as often as it is asked.

// Written down
pub(crate) mod steps;
// Decided
pub mod engine;
// Done
pub(crate) mod orchestrator;
pub(crate) mod participant;
pub(crate) mod store;
// Rehearsed
#[cfg(test)]
mod engine_properties;
#[cfg(test)]
mod engine_tests;
pub mod rehearse;
// Told
mod told;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

pub use orchestrator::{Answer, Started};
pub use steps::{
    Before, Call, CallStep, Called, InvokeStep, LocalFn, LocalStep, Plain, Steps, Undoable, call, invoke, local,
};
pub use told::{Happened, Told};

use crate::effect::HANDLER_MAX;
use crate::error::{Error, Result};
use crate::interfere;
use crate::tx::Tx;
use engine::{Direction, Shape};
use steps::{Definition, Way};

/// A saga: a serde type whose fields are its saved state.
///
/// Fields may be added later with `#[serde(default)]`. Steps may be added or taken away with a higher `VERSION` and
/// [`since`](LocalStep::since) or [`until`](LocalStep::until): a saga ends under the version it was started under.
pub trait Saga: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Stored, so it outlives the program: `place_order`.
    const NAME: &'static str;
    /// The version of the definition that new sagas are started under.
    const VERSION: u32 = 1;

    /// What it is about: the key of its messages. One saga of a name runs at a time for a key.
    fn key(&self) -> String;

    /// Its steps.
    fn steps() -> Steps<Self>
    where
        Self: Sized;

    /// Rehearses it in a unit test, without a database; see [`Rehearsal`](rehearse::Rehearsal).
    #[track_caller]
    fn rehearse(saga: Self) -> rehearse::Rehearsal<Self>
    where
        Self: Sized,
    {
        rehearse::Rehearsal::new(saga)
    }
}

/// A step's command, or the idempotency key of its call: the same for every attempt, so a repeat is recognised.
#[must_use]
pub fn step_id(saga: Uuid, step: &str, direction: Direction, round: u32) -> Uuid {
    Uuid::new_v5(&saga, format!("{step}/{}/{round}", direction.word()).as_bytes())
}

/// A registered saga without its type.
pub(crate) trait Runnable: Send + Sync {
    fn name(&self) -> &'static str;
    fn version(&self) -> u32;
    fn shape(&self, version: u32) -> Shape;
    /// The commands its steps send.
    fn commands(&self) -> Vec<&'static str>;
    /// Makes a local step; `data` is changed only if it succeeds.
    fn local<'t>(
        &'t self,
        step: &'t str,
        direction: Direction,
        data: &'t mut Value,
        tx: &'t mut Tx,
    ) -> BoxFuture<'t, Result<()>>;
    /// The name of a step's command; none if it is made another way.
    fn command_name(&self, step: &str, direction: Direction) -> Option<&'static str>;
    /// The command of a step: its name and its body.
    fn command(&self, step: &str, direction: Direction, data: &Value) -> Result<(&'static str, Value)>;
    /// Takes a step's answer into `data`.
    fn reply(&self, step: &str, data: &mut Value, answer: Value) -> Result<()>;
    /// Makes a call outside.
    fn call(
        &self,
        step: &str,
        direction: Direction,
        data: Value,
        call: Call,
    ) -> Result<BoxFuture<'static, Result<Called<Value>>>>;
}

/// A saga of type `S`, registered.
pub(crate) struct Registered<S>(Definition<S>);

impl<S: Saga> Registered<S> {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Definition::new()?))
    }

    fn way(&self, step: &str, direction: Direction) -> Result<&Way<S>> {
        let found = self.0.step(step).and_then(|step| match direction {
            Direction::Forward => Some(&step.forward),
            Direction::Compensate => step.compensation.as_ref(),
        });
        found.ok_or_else(|| Error::Behaviour {
            problem: format!("saga {} has no step {step} to {}", S::NAME, direction.word()),
            remedy: "a step stays in the program, with `until`, as long as sagas of its versions run".to_owned(),
        })
    }

    fn wrong_way(step: &str) -> Error {
        Error::Behaviour {
            problem: format!("step {step} of saga {} is made another way", S::NAME),
            remedy: "a step that changes its way needs another name".to_owned(),
        }
    }
}

impl<S: Saga> Runnable for Registered<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn version(&self) -> u32 {
        S::VERSION
    }

    fn shape(&self, version: u32) -> Shape {
        self.0.shape(version)
    }

    fn commands(&self) -> Vec<&'static str> {
        self.0.commands()
    }

    fn local<'t>(
        &'t self,
        step: &'t str,
        direction: Direction,
        data: &'t mut Value,
        tx: &'t mut Tx,
    ) -> BoxFuture<'t, Result<()>> {
        Box::pin(async move {
            let Way::Local(f) = self.way(step, direction)? else {
                return Err(Self::wrong_way(step));
            };
            interfere::step(step, direction)?;
            let mut saga: S = serde_json::from_value(data.clone())?;
            let made = AssertUnwindSafe(f(&mut saga, tx)).catch_unwind();
            match tokio::time::timeout(HANDLER_MAX, made).await {
                Ok(Ok(made)) => made?,
                Ok(Err(_)) => return Err(Error::panicked()),
                Err(_) => return Err(Error::Abandoned(format!("took longer than {HANDLER_MAX:?}"))),
            }
            *data = serde_json::to_value(saga)?;
            Ok(())
        })
    }

    fn command_name(&self, step: &str, direction: Direction) -> Option<&'static str> {
        match self.way(step, direction) {
            Ok(Way::Invoke(name, _)) => Some(name),
            _ => None,
        }
    }

    fn command(&self, step: &str, direction: Direction, data: &Value) -> Result<(&'static str, Value)> {
        let Way::Invoke(name, build) = self.way(step, direction)? else {
            return Err(Self::wrong_way(step));
        };
        let saga: S = serde_json::from_value(data.clone())?;
        let built = std::panic::catch_unwind(AssertUnwindSafe(|| build(&saga)));
        Ok((name, built.unwrap_or_else(|_| Err(Error::panicked()))?))
    }

    fn reply(&self, step: &str, data: &mut Value, answer: Value) -> Result<()> {
        let Some(apply) = self.0.step(step).and_then(|step| step.reply.as_ref()) else {
            return Ok(());
        };
        let mut saga: S = serde_json::from_value(data.clone())?;
        let applied = std::panic::catch_unwind(AssertUnwindSafe(|| apply(&mut saga, answer)));
        applied.unwrap_or_else(|_| Err(Error::panicked()))?;
        *data = serde_json::to_value(saga)?;
        Ok(())
    }

    fn call(
        &self,
        step: &str,
        direction: Direction,
        data: Value,
        call: Call,
    ) -> Result<BoxFuture<'static, Result<Called<Value>>>> {
        let Way::Call(f) = self.way(step, direction)? else {
            return Err(Self::wrong_way(step));
        };
        let saga = serde_json::from_value(data)?;
        std::panic::catch_unwind(AssertUnwindSafe(|| f(saga, call))).map_err(|_| Error::panicked())
    }
}
