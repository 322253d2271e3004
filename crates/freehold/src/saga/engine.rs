//! What a saga does next: a pure function of its definition, how far it is, and what has just happened.
//!
//! ```text
//!             refused · keeps failing · timed out (before the pivot)
//!   running ───────────────────────────────────────▶ compensating
//!      │ ▲                                              │ ▲
//!      │ └────── success, or an operator ──── stuck ────┘ │   after the pivot, or while undoing: what must
//!      ▼                                        ▲         ▼   succeed was refused or keeps failing
//!   completed                                   └──── compensated
//! ```
//!
//! Nothing here waits, sends or writes: the orchestrator does, and asks again with what came of it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Attempts of a failing step before the pivot; then the saga turns round.
pub const ATTEMPTS_BEFORE_PIVOT: u32 = 5;

/// Attempts of a step that must succeed; then the saga is shown as stuck, and goes on trying every half minute.
pub const ATTEMPTS_BEFORE_STUCK: u32 = 8;

/// The wait after a first failure; doubled with each attempt up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(100);

/// The longest wait between two attempts: what a healed third party waits for us at most.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Where a step is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In the orchestrator's own database, in the transaction that led to it.
    Local,
    /// By a command to another service; its reply is awaited.
    Invoke,
    /// By a call outside any transaction, to somebody who is no service of the system.
    Call,
}

/// Which side of the point of no return a step is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It can be undone.
    Before,
    /// Whether it succeeds decides; until its outcome is known it is repeated.
    Pivot,
    /// It is repeated until it succeeds.
    After,
}

/// Whether a step is done or undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The step itself.
    Forward,
    /// Its compensation.
    Compensate,
}

impl Direction {
    /// The word used in tables and messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Compensate => "compensate",
        }
    }

    /// The direction of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "forward" => Some(Self::Forward),
            "compensate" => Some(Self::Compensate),
            _ => None,
        }
    }
}

/// What the engine knows of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepShape {
    /// Its name, unique in the saga; stored, so it outlives the program.
    pub name: &'static str,
    /// Where it is done.
    pub kind: Kind,
    /// Where its compensation is done; none if there is nothing to undo.
    pub compensation: Option<Kind>,
    /// Which side of the pivot it is on.
    pub place: Place,
    /// How long its answer is awaited.
    pub timeout: Duration,
}

/// A definition as of one version: stages in order, the steps of one stage at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The saga's name.
    pub name: &'static str,
    /// The version.
    pub version: u32,
    /// The stages.
    pub stages: Vec<Vec<StepShape>>,
}

impl Shape {
    fn find(&self, step: &str) -> Option<(usize, &StepShape)> {
        self.stages
            .iter()
            .enumerate()
            .find_map(|(stage, steps)| Some((stage, steps.iter().find(|s| s.name == step)?)))
    }

    /// The step of that name.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<&StepShape> {
        self.find(name).map(|(_, step)| step)
    }

    /// The names, for comparing definitions: stages of steps.
    #[must_use]
    pub fn names(&self) -> Vec<Vec<&'static str>> {
        self.stages
            .iter()
            .map(|steps| steps.iter().map(|s| s.name).collect())
            .collect()
    }
}

/// The state of a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Set at the start; next: completed, compensating, stuck.
    Running,
    /// Set when it turned round; next: compensated, stuck.
    Compensating,
    /// Every step is done.
    Completed,
    /// Every step that was done is undone.
    Compensated,
    /// What must succeed was refused or keeps failing; next: what it was before, by success or by an operator.
    Stuck,
}

impl State {
    /// The word used in tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Compensating => "compensating",
            Self::Completed => "completed",
            Self::Compensated => "compensated",
            Self::Stuck => "stuck",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [
            Self::Running,
            Self::Compensating,
            Self::Completed,
            Self::Compensated,
            Self::Stuck,
        ]
        .into_iter()
        .find(|state| state.word() == word)
    }

    /// Whether nothing will happen any more.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::Completed | Self::Compensated)
    }
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Asked for; whether it took effect is not known.
    Asked,
    /// It failed, left nothing, and is tried again.
    Failed,
    /// It took effect.
    Done,
    /// Somebody said no; it left nothing.
    Refused,
    /// An operator let it go; it counts as if it had never been.
    Skipped,
    /// Its compensation is asked for.
    Undoing,
    /// Its compensation was refused.
    UndoRefused,
    /// It is undone.
    Undone,
}

/// One step's part of [`Progress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// How it stands.
    pub mark: Mark,
    /// Attempts in the present direction.
    pub attempt: u32,
    /// Raised when an operator has a refused step asked anew: it is another command then.
    #[serde(default)]
    pub round: u32,
    /// The same of its compensation.
    #[serde(default)]
    pub undo_round: u32,
}

/// How far a saga is; stored with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The stage being done or undone.
    pub stage: usize,
    /// Whether it turned round.
    #[serde(default)]
    pub turned: bool,
    /// Why it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The steps that were asked for.
    pub steps: BTreeMap<String, Standing>,
}

impl Progress {
    /// Whether what was to be performed still is: an action may have been overtaken by the outcome of one before it.
    #[must_use]
    pub fn wants(&self, step: &str, direction: Direction) -> bool {
        let mark = self.steps.get(step).map(|s| s.mark);
        match direction {
            Direction::Forward => !self.turned && mark == Some(Mark::Asked),
            Direction::Compensate => mark == Some(Mark::Undoing),
        }
    }
}

/// A saga as the engine sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Its state.
    pub state: State,
    /// How far it is.
    pub progress: Progress,
    /// Why it turned round or is stuck.
    pub reason: Option<String>,
}

impl Course {
    /// A saga before its first step.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Running,
            progress: Progress::default(),
            reason: None,
        }
    }

    /// The round a step is in; part of its command's id.
    #[must_use]
    pub fn round(&self, step: &str, direction: Direction) -> u32 {
        self.progress.steps.get(step).map_or(0, |s| match direction {
            Direction::Forward => s.round,
            Direction::Compensate => s.undo_round,
        })
    }

    /// The attempt a step is at.
    #[must_use]
    pub fn attempt(&self, step: &str) -> u32 {
        self.progress.steps.get(step).map_or(0, |s| s.attempt)
    }

    /// As [`Progress::wants`].
    #[must_use]
    pub fn wants(&self, step: &str, direction: Direction) -> bool {
        self.progress.wants(step, direction)
    }
}

impl Default for Course {
    fn default() -> Self {
        Self::new()
    }
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect.
    Done,
    /// A business "no": it left nothing.
    Refused(String),
    /// A fault: it left nothing, as far as its database goes.
    Failed(String),
    /// No answer in time: whether it took effect is not known.
    TimedOut,
}

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// Try the step again now; a refused one is asked anew.
    Retry,
    /// Go on as if the step had never been.
    Skip,
    /// Go on: the step was done, or undone, by hand.
    MarkDone,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<'a> {
    /// The saga was started.
    Start,
    /// A step came to something.
    Came(&'a str, Direction, Outcome),
    /// The wait before another attempt is over.
    Due(&'a str, Direction),
    /// An operator acts on the steps that hold a stuck saga up.
    Operator(Operator),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make the step, or its compensation, now.
    Perform(&'static str, Direction),
    /// Wait so long before the next attempt.
    Wait(&'static str, Direction, Duration),
    /// Nothing is awaited of this step any more.
    Settle(&'static str, Direction),
    /// For the story: step, direction, what happened, attempt, detail.
    Note(Note),
}

/// A line of a saga's story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The step, unless it is about the whole saga.
    pub step: Option<(&'static str, Direction)>,
    /// `started`, `asked`, `done`, `refused`, `failed`, `timed out`, `late`, `stuck`, …
    pub event: &'static str,
    /// The step's attempt.
    pub attempt: u32,
    /// More, for people.
    pub detail: Option<String>,
}

/// Takes what happened into account; says what is to be done, in order.
///
/// What no longer matters — an answer that was given before, one that comes after the saga turned round — changes nothing.
#[must_use]
pub fn turn(shape: &Shape, course: &mut Course, input: Input<'_>) -> VecDeque<Action> {
    let mut engine = Engine {
        shape,
        course,
        actions: VecDeque::new(),
    };
    engine.take(input);
    engine.actions
}

struct Engine<'e> {
    shape: &'e Shape,
    course: &'e mut Course,
    actions: VecDeque<Action>,
}

impl Engine<'_> {
    fn take(&mut self, input: Input<'_>) {
        if self.course.state.is_end() {
            return self.late(&input);
        }
        match input {
            Input::Start => {
                self.note(None, "started", 0, None);
                self.enter(0);
            }
            Input::Due(name, direction) => {
                if let Some((step, standing)) = self.awaited(name, direction) {
                    self.perform(&step, direction, standing.attempt + 1);
                }
            }
            Input::Came(name, direction, outcome) => match self.awaited(name, direction) {
                Some((step, standing)) => self.came(&step, direction, standing, outcome),
                None => self.late(&Input::Came(name, direction, outcome)),
            },
            Input::Operator(action) => self.operator(action),
        }
    }

    /// The step, if its outcome in this direction is still open.
    fn awaited(&self, name: &str, direction: Direction) -> Option<(StepShape, Standing)> {
        let step = self.shape.step(name)?.clone();
        let standing = *self.course.progress.steps.get(name)?;
        let open = match direction {
            Direction::Forward => !self.course.progress.turned && matches!(standing.mark, Mark::Asked | Mark::Failed),
            Direction::Compensate => standing.mark == Mark::Undoing,
        };
        open.then_some((step, standing))
    }

    /// An outcome that nobody waits for any more is told in the story, where it says something.
    fn late(&mut self, input: &Input<'_>) {
        let Input::Came(name, direction, outcome) = input else {
            return;
        };
        let Some(step) = self.shape.step(name) else {
            return;
        };
        // The same answer twice is no news.
        if *direction == Direction::Forward && self.course.progress.turned && *outcome == Outcome::Done {
            self.note(Some((step.name, *direction)), "late", 0, None);
        }
    }

    fn came(&mut self, step: &StepShape, direction: Direction, standing: Standing, outcome: Outcome) {
        let at = Some((step.name, direction));
        let attempt = standing.attempt;
        match outcome {
            Outcome::Done => {
                self.note(at, "done", attempt, None);
                self.mark(
                    step.name,
                    match direction {
                        Direction::Forward => Mark::Done,
                        Direction::Compensate => Mark::Undone,
                    },
                );
                self.settle(step.name, direction);
                self.unstick();
                self.go_on();
            }
            Outcome::Refused(reason) => {
                self.note(at, "refused", attempt, Some(reason.clone()));
                self.settle(step.name, direction);
                let reason = format!("{}: {reason}", step.name);
                match (direction, step.place) {
                    (Direction::Forward, Place::Before | Place::Pivot) => {
                        self.mark(step.name, Mark::Refused);
                        self.turn_round(reason);
                    }
                    (Direction::Forward, Place::After) => {
                        self.mark(step.name, Mark::Refused);
                        self.stick(reason);
                    }
                    (Direction::Compensate, _) => {
                        self.mark(step.name, Mark::UndoRefused);
                        self.stick(reason);
                    }
                }
            }
            Outcome::Failed(error) => {
                self.note(at, "failed", attempt, Some(error.clone()));
                let reason = format!("{}: {error}", step.name);
                let revocable = direction == Direction::Forward && step.place == Place::Before;
                if revocable && attempt >= ATTEMPTS_BEFORE_PIVOT {
                    // A local step's writes were rolled back; of anything else it is not known.
                    if step.kind == Kind::Local {
                        self.mark(step.name, Mark::Refused);
                    }
                    return self.turn_round(reason);
                }
                if direction == Direction::Forward && step.kind == Kind::Local {
                    self.mark(step.name, Mark::Failed);
                }
                self.actions
                    .push_back(Action::Wait(step.name, direction, back_off(attempt)));
                if !revocable && attempt >= ATTEMPTS_BEFORE_STUCK {
                    self.stick(reason);
                }
            }
            Outcome::TimedOut => {
                self.note(at, "timed out", attempt, None);
                if direction == Direction::Forward && step.place == Place::Before {
                    return self.turn_round(format!("{}: no answer within {:?}", step.name, step.timeout));
                }
                if attempt >= ATTEMPTS_BEFORE_STUCK {
                    self.stick(format!("{}: no answer after {attempt} attempts", step.name));
                }
                self.perform(step, direction, attempt + 1);
            }
        }
    }

    /// On to the next stage, whichever way, if nothing of this one is open.
    fn go_on(&mut self) {
        let stage = self.course.progress.stage;
        let Some(steps) = self.shape.stages.get(stage) else {
            return;
        };
        let settled = |mark: Option<Mark>| match (self.course.progress.turned, mark) {
            (false, mark) => matches!(mark, Some(Mark::Done | Mark::Skipped)),
            (true, mark) => !matches!(mark, Some(Mark::Undoing | Mark::UndoRefused)),
        };
        if !steps.iter().all(|step| settled(self.mark_of(step.name))) {
            return;
        }
        match (self.course.progress.turned, stage) {
            (false, _) => self.enter(stage + 1),
            (true, 0) => self.end(State::Compensated),
            (true, _) => self.undo(stage - 1),
        }
    }

    /// Asks for every step of a stage.
    fn enter(&mut self, stage: usize) {
        let Some(steps) = self.shape.stages.get(stage) else {
            return self.end(State::Completed);
        };
        self.course.progress.stage = stage;
        for step in steps.clone() {
            self.perform(&step, Direction::Forward, 1);
        }
    }

    fn turn_round(&mut self, reason: String) {
        self.note(None, "turned round", 0, Some(reason.clone()));
        self.course.reason = Some(reason.clone());
        self.course.state = State::Compensating;
        self.course.progress.turned = true;
        self.course.progress.why = Some(reason);
        self.undo(self.course.progress.stage);
    }

    /// Asks for the compensation of everything in a stage that took effect, or may have.
    fn undo(&mut self, stage: usize) {
        self.course.progress.stage = stage;
        for step in self.steps_of(stage) {
            match (self.mark_of(step.name), step.compensation) {
                // A local step's outcome is known at once: asked for means not begun.
                (Some(Mark::Asked), _) if step.kind == Kind::Local => {}
                (Some(Mark::Done | Mark::Asked), Some(_)) => {
                    self.settle(step.name, Direction::Forward);
                    self.mark(step.name, Mark::Undoing);
                    self.perform(&step, Direction::Compensate, 1);
                }
                (Some(Mark::Done), None) => self.mark(step.name, Mark::Undone),
                (Some(_), _) => self.settle(step.name, Direction::Forward),
                (None, _) => {}
            }
        }
        self.go_on();
    }

    fn end(&mut self, state: State) {
        self.course.state = state;
        self.note(None, state.word(), 0, None);
    }

    fn stick(&mut self, reason: String) {
        if self.course.state != State::Stuck {
            self.note(None, "stuck", 0, Some(reason.clone()));
        }
        self.course.state = State::Stuck;
        self.course.reason = Some(reason);
    }

    /// Back to what it was, unless another step of the stage holds it up as well.
    fn unstick(&mut self) {
        let held_up = self
            .steps_of(self.course.progress.stage)
            .iter()
            .any(|step| self.holds_up(step).is_some());
        if self.course.state == State::Stuck && !held_up {
            self.course.state = match self.course.progress.turned {
                false => State::Running,
                true => State::Compensating,
            };
            self.course.reason.clone_from(&self.course.progress.why);
        }
    }

    /// The direction in which a step holds a stuck saga up: it was refused there, or has been tried too often.
    fn holds_up(&self, step: &StepShape) -> Option<(Direction, Mark)> {
        let standing = self.course.progress.steps.get(step.name)?;
        let often = standing.attempt >= ATTEMPTS_BEFORE_STUCK;
        match (self.course.progress.turned, standing.mark) {
            (false, mark @ Mark::Refused) => Some((Direction::Forward, mark)),
            (false, mark @ (Mark::Asked | Mark::Failed)) if often => Some((Direction::Forward, mark)),
            (true, mark @ Mark::UndoRefused) => Some((Direction::Compensate, mark)),
            (true, mark @ Mark::Undoing) if often => Some((Direction::Compensate, mark)),
            _ => None,
        }
    }

    /// An action that comes when the saga is no longer stuck would hit another step than was meant: it does nothing.
    fn operator(&mut self, action: Operator) {
        if self.course.state != State::Stuck {
            return;
        }
        for step in self.steps_of(self.course.progress.stage) {
            let Some((direction, mark)) = self.holds_up(&step) else {
                continue;
            };
            let at = Some((step.name, direction));
            match action {
                Operator::Retry => {
                    self.note(at, "operator: retry", 0, None);
                    if let Some(standing) = self.course.progress.steps.get_mut(step.name) {
                        standing.round += u32::from(mark == Mark::Refused);
                        standing.undo_round += u32::from(mark == Mark::UndoRefused);
                    }
                    if direction == Direction::Compensate {
                        self.mark(step.name, Mark::Undoing);
                    }
                    self.perform(&step, direction, 1);
                }
                Operator::Skip | Operator::MarkDone => {
                    let (event, mark) = match (action, direction) {
                        (Operator::Skip, Direction::Forward) => ("operator: skip", Mark::Skipped),
                        (Operator::Skip, Direction::Compensate) => ("operator: skip", Mark::Undone),
                        (_, Direction::Forward) => ("operator: mark done", Mark::Done),
                        (_, Direction::Compensate) => ("operator: mark done", Mark::Undone),
                    };
                    self.note(at, event, 0, None);
                    self.settle(step.name, direction);
                    self.mark(step.name, mark);
                }
            }
        }
        self.unstick();
        self.go_on();
    }

    fn perform(&mut self, step: &StepShape, direction: Direction, attempt: u32) {
        let standing = self
            .course
            .progress
            .steps
            .entry(step.name.to_owned())
            .or_insert(Standing {
                mark: Mark::Asked,
                attempt,
                round: 0,
                undo_round: 0,
            });
        standing.attempt = attempt;
        if direction == Direction::Forward {
            standing.mark = Mark::Asked;
        }
        let kind = match direction {
            Direction::Forward => Some(step.kind),
            Direction::Compensate => step.compensation,
        };
        // A local step's outcome follows at once; nobody needs to be told that it was asked for.
        if kind != Some(Kind::Local) {
            self.note(Some((step.name, direction)), "asked", attempt, None);
        }
        self.actions.push_back(Action::Perform(step.name, direction));
    }

    fn steps_of(&self, stage: usize) -> Vec<StepShape> {
        self.shape.stages.get(stage).cloned().unwrap_or_default()
    }

    fn mark_of(&self, step: &str) -> Option<Mark> {
        self.course.progress.steps.get(step).map(|s| s.mark)
    }

    fn mark(&mut self, step: &'static str, mark: Mark) {
        if let Some(standing) = self.course.progress.steps.get_mut(step) {
            standing.mark = mark;
        }
    }

    fn settle(&mut self, step: &'static str, direction: Direction) {
        self.actions.push_back(Action::Settle(step, direction));
    }

    fn note(
        &mut self,
        step: Option<(&'static str, Direction)>,
        event: &'static str,
        attempt: u32,
        detail: Option<String>,
    ) {
        self.actions.push_back(Action::Note(Note {
            step,
            event,
            attempt,
            detail,
        }));
    }
}

/// The wait after a failed attempt.
fn back_off(attempt: u32) -> Duration {
    let doubled = RETRY_MIN.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    doubled.min(RETRY_MAX)
}
