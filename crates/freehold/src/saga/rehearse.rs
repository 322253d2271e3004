//! A saga rehearsed without a database: given its fields, when this comes of a step, then that is what it does.
//!
//! The engine, the functions that build commands and those that take replies are the real ones. Local steps and calls are not
//! run: the test says what came of them.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use super::engine::{self, Action, Course, Direction, Input, Kind, Note, Operator, Outcome, State};
use super::{Registered, Runnable, Saga};
use crate::handler::Command;

/// Attempts after which [`Rehearsal::when_keeps_failing`] gives up: more than any step is granted before something follows.
const ATTEMPTS_MAX: u32 = 50;

/// A saga under rehearsal; see [`Saga::rehearse`].
///
/// `when_…` says what came of a step that is asked for at this moment, or of its compensation if that is. `then_…` compares.
/// Waits between attempts are over at once. Every method panics with the story so far when the saga is not where the test
/// thinks it is.
///
/// ```
/// use freehold::saga::engine::State;
/// use freehold::{Call, Called, Command, Result, Saga, Steps, Tx, call, invoke, local};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Book { room: String, nights: u32, price: u32 }
///
/// #[derive(Serialize, Deserialize)]
/// struct HoldRoom { room: String, nights: u32 }
/// impl Command for HoldRoom { const NAME: &'static str = "rooms.hold"; type Reply = u32; }
///
/// #[derive(Serialize, Deserialize)]
/// struct ReleaseRoom { room: String }
/// impl Command for ReleaseRoom { const NAME: &'static str = "rooms.release"; type Reply = (); }
///
/// async fn open(_: &mut Book, _: &mut Tx) -> Result<()> { Ok(()) }
/// async fn reject(_: &mut Book, _: &mut Tx) -> Result<()> { Ok(()) }
/// async fn pay(_: Book, _: Call) -> Result<Called<()>> { Ok(Called::Answered(())) }
///
/// impl Saga for Book {
///     const NAME: &'static str = "book";
///     fn key(&self) -> String { self.room.clone() }
///     fn steps() -> Steps<Self> {
///         Steps::begin()
///             .step(local("open", open).compensate(reject))
///             .step(
///                 invoke("hold_room", |s: &Book| HoldRoom { room: s.room.clone(), nights: s.nights })
///                     .reply(|s, price| s.price = price)
///                     .compensate(|s| ReleaseRoom { room: s.room.clone() }),
///             )
///             .pivot(call("pay", pay))
///     }
/// }
///
/// Book::rehearse(Book { room: "12".into(), nights: 2, price: 0 })
///     .when_done("open")
///     .then_commands("hold_room", |command: HoldRoom| assert_eq!(command.nights, 2))
///     .when_replied("hold_room", 180)
///     .then_saga(|book| assert_eq!(book.price, 180))
///     .when_refused("pay", "declined")
///     .then_commands("hold_room", |command: ReleaseRoom| assert_eq!(command.room, "12"))
///     .when_done("hold_room")
///     .then_compensates("open")
///     .when_done("open")
///     .then_ends(State::Compensated);
/// ```
pub struct Rehearsal<S> {
    saga: Registered<S>,
    shape: engine::Shape,
    course: Course,
    data: Value,
    /// Asked for, in order.
    open: Vec<(&'static str, Direction)>,
    story: String,
}

impl<S: Saga> Rehearsal<S> {
    /// Starts the rehearsal; tests call [`Saga::rehearse`].
    #[track_caller]
    pub(super) fn new(saga: S) -> Self {
        let registered = Registered::<S>::new().unwrap_or_else(|error| panic!("{error}"));
        let shape = registered.shape(S::VERSION);
        let data = serde_json::to_value(saga).unwrap_or_else(|error| panic!("{} cannot be stored: {error}", S::NAME));
        let mut rehearsal = Self {
            saga: registered,
            shape,
            course: Course::new(),
            data,
            open: Vec::new(),
            story: String::new(),
        };
        rehearsal.feed(Input::Start);
        rehearsal
    }

    /// The step, or its compensation, is done. A command's or call's answer is `null`; [`when_replied`](Self::when_replied)
    /// gives another.
    #[must_use]
    #[track_caller]
    pub fn when_done(self, step: &str) -> Self {
        self.when_replied(step, ())
    }

    /// The local step is done and changed the saga's fields.
    #[must_use]
    #[track_caller]
    pub fn when_done_with(mut self, step: &str, change: impl FnOnce(&mut S)) -> Self {
        let direction = self.asked(step);
        let mut saga = self.fields();
        change(&mut saga);
        self.data = serde_json::to_value(saga).unwrap_or_else(|error| self.fail(&error.to_string()));
        self.came(step, direction, Outcome::Done);
        self
    }

    /// The step is answered; what it says is taken by the step's reply function.
    #[must_use]
    #[track_caller]
    pub fn when_replied(mut self, step: &str, answer: impl Serialize) -> Self {
        let direction = self.asked(step);
        let answer = serde_json::to_value(answer).unwrap_or_else(|error| self.fail(&error.to_string()));
        let remote = self.kind(step, direction) != Some(Kind::Local);
        if direction == Direction::Forward && remote {
            let taken = self.saga.reply(step, &mut self.data, answer);
            if let Err(error) = taken {
                self.fail(&format!("the answer of {step} cannot be taken: {error}"));
            }
        }
        self.came(step, direction, Outcome::Done);
        self
    }

    /// The step, or its compensation, is refused.
    #[must_use]
    #[track_caller]
    pub fn when_refused(mut self, step: &str, reason: &str) -> Self {
        let direction = self.asked(step);
        self.came(step, direction, Outcome::Refused(reason.to_owned()));
        self
    }

    /// One attempt at it fails.
    #[must_use]
    #[track_caller]
    pub fn when_fails(mut self, step: &str) -> Self {
        let direction = self.asked(step);
        self.fault(step, direction);
        self
    }

    /// Every attempt at it fails, until the saga turns round or is stuck.
    #[must_use]
    #[track_caller]
    pub fn when_keeps_failing(mut self, step: &str) -> Self {
        let direction = self.asked(step);
        for _ in 0..ATTEMPTS_MAX {
            self.fault(step, direction);
            if self.course.state == State::Stuck || !self.open.contains(&(step, direction)) {
                return self;
            }
        }
        self.fail(&format!("{step} failed {ATTEMPTS_MAX} times and nothing followed"))
    }

    /// No answer comes in time.
    #[must_use]
    #[track_caller]
    pub fn when_timed_out(mut self, step: &str) -> Self {
        let direction = self.asked(step);
        if self.kind(step, direction) == Some(Kind::Local) {
            self.fail(&format!(
                "{step} is made here, in one transaction: it does not time out"
            ));
        }
        self.came(step, direction, Outcome::TimedOut);
        self
    }

    /// The step's success is told when nobody waits for it: too late, or for the second time.
    #[must_use]
    #[track_caller]
    pub fn when_late(mut self, step: &str) -> Self {
        let known = self.course.progress.steps.contains_key(step);
        if !known || self.open.contains(&(step, Direction::Forward)) {
            self.fail(&format!("{step} is not settled: its answer cannot be late"));
        }
        self.feed(Input::Came(step, Direction::Forward, Outcome::Done));
        self
    }

    /// An operator acts on what holds the stuck saga up.
    #[must_use]
    #[track_caller]
    pub fn when_operator(mut self, action: Operator) -> Self {
        if self.course.state != State::Stuck {
            self.fail("it is not stuck: an operator has nothing to do");
        }
        self.feed(Input::Operator(action));
        self
    }

    /// The step is asked for now.
    #[must_use]
    #[track_caller]
    pub fn then_asks(self, step: &str) -> Self {
        self.then_open(step, Direction::Forward)
    }

    /// The step's compensation is asked for now.
    #[must_use]
    #[track_caller]
    pub fn then_compensates(self, step: &str) -> Self {
        self.then_open(step, Direction::Compensate)
    }

    /// The step, or its compensation, is asked for now by a command of this type; `check` looks at it.
    #[must_use]
    #[track_caller]
    pub fn then_commands<C: Command>(self, step: &str, check: impl FnOnce(C)) -> Self {
        let direction = self.asked(step);
        let command = self.saga.command(step, direction, &self.data);
        let (name, body) = command.unwrap_or_else(|error| self.fail(&format!("{step} sends no command: {error}")));
        if name != C::NAME {
            self.fail(&format!("{step} sends {name}, not {}", C::NAME));
        }
        match serde_json::from_value(body) {
            Ok(command) => check(command),
            Err(error) => self.fail(&format!("{name} is not read back as it was written: {error}")),
        }
        self
    }

    /// The saga's fields are as `check` wants them.
    #[must_use]
    #[track_caller]
    pub fn then_saga(self, check: impl FnOnce(S)) -> Self {
        check(self.fields());
        self
    }

    /// The saga is in this state, on its way.
    #[must_use]
    #[track_caller]
    pub fn then_is(self, state: State) -> Self {
        if self.course.state != state {
            self.fail(&format!("it is {}, not {}", self.course.state.word(), state.word()));
        }
        self
    }

    /// The saga has ended in this state.
    #[track_caller]
    pub fn then_ends(self, state: State) {
        let ended = self.then_is(state);
        if !state.is_end() {
            ended.fail(&format!("{} is no end: use `then_is`", state.word()));
        }
    }

    /// What happened so far, a line for each event.
    #[must_use]
    pub fn story(&self) -> &str {
        &self.story
    }

    #[track_caller]
    fn then_open(self, step: &str, direction: Direction) -> Self {
        let asked = self.asked(step);
        if asked != direction {
            self.fail(&format!(
                "{step} is asked for to {}, not to {}",
                asked.word(),
                direction.word()
            ));
        }
        self
    }

    /// The direction in which a step is asked for now.
    #[track_caller]
    fn asked(&self, step: &str) -> Direction {
        match self.open.iter().find(|(open, _)| *open == step) {
            Some((_, direction)) => *direction,
            None if self.shape.step(step).is_none() => self.fail(&format!(
                "there is no step {step}; the steps are {:?}",
                self.shape.names()
            )),
            None => self.fail(&format!("{step} is not asked for now; open is {:?}", self.open)),
        }
    }

    fn kind(&self, step: &str, direction: Direction) -> Option<Kind> {
        let step = self.shape.step(step)?;
        match direction {
            Direction::Forward => Some(step.kind),
            Direction::Compensate => step.compensation,
        }
    }

    #[track_caller]
    fn fields(&self) -> S {
        let read = serde_json::from_value(self.data.clone());
        read.unwrap_or_else(|error| self.fail(&format!("its fields are not read back as they were written: {error}")))
    }

    /// A participant's fault is not told to the saga: its key is set aside there, and here the time runs out.
    #[track_caller]
    fn fault(&mut self, step: &str, direction: Direction) {
        let outcome = match self.kind(step, direction) {
            Some(Kind::Invoke) => Outcome::TimedOut,
            _ => Outcome::Failed("a fault of the rehearsal".to_owned()),
        };
        self.came(step, direction, outcome);
    }

    #[track_caller]
    fn came(&mut self, step: &str, direction: Direction, outcome: Outcome) {
        self.open.retain(|open| *open != (step, direction));
        self.feed(Input::Came(step, direction, outcome));
    }

    #[track_caller]
    fn feed(&mut self, input: Input<'_>) {
        let mut waits = Vec::new();
        for action in engine::turn(&self.shape, &mut self.course, input) {
            match action {
                Action::Note(note) => self.tell(&note),
                Action::Settle(step, direction) => self.open.retain(|open| *open != (step, direction)),
                Action::Perform(step, direction) => {
                    self.open.retain(|open| *open != (step, direction));
                    self.open.push((step, direction));
                }
                Action::Wait(step, direction, _) => waits.push((step, direction)),
            }
        }
        self.open
            .retain(|(step, direction)| self.course.wants(step, *direction));
        for (step, direction) in waits {
            self.feed(Input::Due(step, direction));
        }
    }

    fn tell(&mut self, note: &Note) {
        if let Some((step, direction)) = note.step {
            let _ = write!(self.story, "{step} ");
            if direction == Direction::Compensate {
                self.story.push_str("(undone) ");
            }
        }
        self.story.push_str(note.event);
        if note.attempt > 1 {
            let _ = write!(self.story, " at attempt {}", note.attempt);
        }
        if let Some(detail) = &note.detail {
            let _ = write!(self.story, ": {detail}");
        }
        self.story.push('\n');
    }

    #[track_caller]
    fn fail(&self, problem: &str) -> ! {
        panic!(
            "{problem}\nthe saga {} is {}, with the fields {}; so far:\n{}",
            S::NAME,
            self.course.state.word(),
            self.data,
            self.story
        )
    }
}

impl<S> std::fmt::Debug for Rehearsal<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rehearsal")
            .field("course", &self.course)
            .field("data", &self.data)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
