//! Random definitions, random outcomes in any order: what holds of every saga whatever happens to it.

mod random;

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::engine::*;
use random::{Came, Event, NAMES, came, definition, event};

use Direction::{Compensate, Forward};

/// Inputs after which a saga that is only ever answered "done" must have ended.
const ENDS_WITHIN: usize = 400;

/// What a step waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    Answer,
    Retry,
}

/// A saga, and what the world around it knows.
struct World {
    shape: Shape,
    course: Course,
    waits: BTreeMap<(&'static str, Direction), Waits>,
    /// Ever asked for.
    asked: BTreeSet<(&'static str, Direction)>,
    /// May have taken effect and is not undone.
    effects: BTreeSet<&'static str>,
    by_operator: BTreeSet<&'static str>,
    /// How local steps come out, in turn.
    local: Vec<Came>,
    story: Vec<String>,
}

impl World {
    fn new(shape: Shape, local: Vec<Came>) -> Self {
        let mut world = Self {
            shape,
            course: Course::new(),
            waits: BTreeMap::new(),
            asked: BTreeSet::new(),
            effects: BTreeSet::new(),
            by_operator: BTreeSet::new(),
            local,
            story: Vec::new(),
        };
        world.feed(Input::Start);
        world
    }

    fn kind(&self, step: &str, direction: Direction) -> Option<Kind> {
        let step = self.shape.step(step)?;
        match direction {
            Forward => Some(step.kind),
            Compensate => step.compensation,
        }
    }

    fn stage_of(&self, step: &str) -> usize {
        let found = self.shape.stages.iter().position(|s| s.iter().any(|s| s.name == step));
        found.expect("an action is about a step of the definition")
    }

    /// As the orchestrator: every action in order, a local step's outcome at once.
    fn feed(&mut self, input: Input<'_>) {
        self.story.push(format!("{input:?}"));
        let before = self.course.clone();
        let mut queue = turn(&self.shape, &mut self.course, input);
        if before.state.is_end() {
            assert_eq!(self.course, before, "an ended saga changed{}", self.told());
            let acts = queue.iter().any(|action| !matches!(action, Action::Note(_)));
            assert!(!acts, "an ended saga acts: {queue:?}{}", self.told());
        }
        while let Some(action) = queue.pop_front() {
            self.story.push(format!("    {action:?}"));
            match action {
                Action::Note(_) => {}
                Action::Settle(step, direction) => {
                    self.waits.remove(&(step, direction));
                }
                Action::Wait(step, direction, _) => {
                    self.waits.insert((step, direction), Waits::Retry);
                }
                Action::Perform(step, direction) if self.course.wants(step, direction) => {
                    self.performed(step, direction);
                    if self.kind(step, direction) == Some(Kind::Local) {
                        let came = self.local.pop().unwrap_or(Came::Done);
                        let came = if matches!(came, Came::TimedOut) {
                            Came::Failed
                        } else {
                            came
                        };
                        self.note(step, direction, came);
                        self.story.push(format!("  {step} {direction:?} here: {came:?}"));
                        queue.extend(turn(
                            &self.shape,
                            &mut self.course,
                            Input::Came(step, direction, outcome(came)),
                        ));
                    } else {
                        self.waits.insert((step, direction), Waits::Answer);
                    }
                }
                Action::Perform(..) => {}
            }
        }
        self.judge();
    }

    fn performed(&mut self, step: &'static str, direction: Direction) {
        self.asked.insert((step, direction));
        let stage = self.stage_of(step);
        match direction {
            Forward => {
                assert!(
                    !self.course.progress.turned,
                    "{step} is made after it turned{}",
                    self.told()
                );
                self.effects.insert(step);
            }
            Compensate => {
                assert!(
                    self.course.progress.turned,
                    "{step} is undone on the way there{}",
                    self.told()
                );
                for name in &self.effects {
                    let undoable = self.shape.step(name).is_some_and(|s| s.compensation.is_some());
                    let later = self.stage_of(name) > stage;
                    let let_go = self.by_operator.contains(name);
                    assert!(
                        !(undoable && later && !let_go),
                        "{step} is undone before {name}{}",
                        self.told()
                    );
                }
            }
        }
    }

    /// What the world knows by an outcome.
    fn note(&mut self, step: &'static str, direction: Direction, came: Came) {
        let local = self.kind(step, direction) == Some(Kind::Local);
        match (direction, came) {
            (Forward, Came::Refused) => {
                self.effects.remove(step);
            }
            (Forward, Came::Failed) if local => {
                self.effects.remove(step);
            }
            (Compensate, Came::Done) => {
                self.effects.remove(step);
            }
            _ => {}
        }
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::Comes(which, came) => {
                let open: Vec<_> = self
                    .waits
                    .iter()
                    .filter(|(_, w)| **w == Waits::Answer)
                    .map(|(k, _)| *k)
                    .collect();
                if let Some((step, direction)) = chosen(&open, *which) {
                    self.comes(step, direction, *came);
                }
            }
            // A third party is asked under one id, so what it once did it does not refuse later; and a time-out is ours.
            Event::Late(which, Came::Done | Came::Refused) => {
                let remote: Vec<_> = self
                    .asked
                    .iter()
                    .copied()
                    .filter(|(s, d)| self.kind(s, *d) != Some(Kind::Local))
                    .collect();
                if let Some((step, direction)) = chosen(&remote, *which) {
                    self.comes(step, direction, Came::Done);
                }
            }
            Event::Late(..) => {}
            Event::Due(which) => {
                let due: Vec<_> = self
                    .waits
                    .iter()
                    .filter(|(_, w)| **w == Waits::Retry)
                    .map(|(k, _)| *k)
                    .collect();
                if let Some((step, direction)) = chosen(&due, *which) {
                    self.waits.remove(&(step, direction));
                    self.feed(Input::Due(step, direction));
                }
            }
            Event::Operator(action) => self.operator(*action),
        }
    }

    fn comes(&mut self, step: &'static str, direction: Direction, came: Came) {
        let invoked = self.kind(step, direction) == Some(Kind::Invoke);
        // A participant's fault is not told: it is a timeout here.
        let came = if invoked && matches!(came, Came::Failed) {
            Came::TimedOut
        } else {
            came
        };
        // A timer is gone when it fires.
        if matches!(came, Came::TimedOut) {
            self.waits.remove(&(step, direction));
        }
        self.note(step, direction, came);
        self.feed(Input::Came(step, direction, outcome(came)));
    }

    fn operator(&mut self, action: Operator) {
        let before = self.course.clone();
        self.feed_operator(action);
        if action != Operator::Retry && before.state == State::Stuck {
            for name in self.course.progress.steps.keys() {
                let was = before.progress.steps.get(name).map(|s| s.mark);
                let is = self.course.progress.steps[name].mark;
                let open = [
                    Some(Mark::Asked),
                    Some(Mark::Failed),
                    Some(Mark::Refused),
                    Some(Mark::Undoing),
                    Some(Mark::UndoRefused),
                ];
                if open.contains(&was) && matches!(is, Mark::Skipped | Mark::Done | Mark::Undone) {
                    assert_eq!(
                        self.stage_of(name),
                        before.progress.stage,
                        "an operator reached another stage{}",
                        self.told()
                    );
                }
            }
        }
    }

    fn feed_operator(&mut self, action: Operator) {
        if action != Operator::Retry && self.course.state == State::Stuck {
            // Whatever holds it up is the operator's responsibility from here on.
            for step in self.shape.stages[self.course.progress.stage].clone() {
                let mark = self.course.progress.steps.get(step.name).map(|s| s.mark);
                if !matches!(mark, Some(Mark::Done | Mark::Undone)) {
                    self.by_operator.insert(step.name);
                }
            }
        }
        self.feed(Input::Operator(action));
    }

    /// What holds after every input.
    fn judge(&self) {
        let marks = |name: &str| self.course.progress.steps.get(name).map(|s| s.mark);
        match self.course.state {
            State::Running | State::Compensating => {
                assert!(!self.waits.is_empty(), "nothing is outstanding{}", self.told());
            }
            State::Stuck => {}
            State::Completed => {
                for step in self.shape.stages.iter().flatten() {
                    let ended = matches!(marks(step.name), Some(Mark::Done | Mark::Skipped));
                    assert!(ended, "completed without {}{}", step.name, self.told());
                }
            }
            State::Compensated => {
                for name in &self.effects {
                    let undoable = self.shape.step(name).is_some_and(|s| s.compensation.is_some());
                    assert!(
                        !undoable || self.by_operator.contains(name),
                        "{name} is left{}",
                        self.told()
                    );
                }
            }
        }
        if self.course.state.is_end() {
            assert!(
                self.waits.is_empty(),
                "it ended and waits for {:?}{}",
                self.waits,
                self.told()
            );
        }
        let pivot = self.shape.stages.iter().flatten().find(|s| s.place == Place::Pivot);
        if let Some(pivot) = pivot
            && marks(pivot.name) == Some(Mark::Done)
        {
            assert!(!self.course.progress.turned, "it turned after the pivot{}", self.told());
        }
    }

    fn told(&self) -> String {
        format!("\n{:?}\n{}", self.shape.stages, self.story.join("\n"))
    }
}

fn chosen<T: Copy>(from: &[T], which: usize) -> Option<T> {
    (!from.is_empty()).then(|| from[which % from.len()])
}

fn outcome(came: Came) -> Outcome {
    match came {
        Came::Done => Outcome::Done,
        Came::Refused => Outcome::Refused("no".to_owned()),
        Came::Failed => Outcome::Failed("broken".to_owned()),
        Came::TimedOut => Outcome::TimedOut,
    }
}

proptest! {
    #[test]
    fn whatever_happens_to_a_saga_nothing_is_left_undone_doubled_or_forgotten(
        shape in definition(),
        local in vec(came(), 0..24),
        events in vec(event(), 0..80),
    ) {
        let mut world = World::new(shape, local);
        for event in &events {
            world.happens(event);
        }
    }

    #[test]
    fn when_all_faults_end_every_saga_ends(
        shape in definition(),
        local in vec(came(), 0..24),
        events in vec(event(), 0..60),
    ) {
        let mut world = World::new(shape, local);
        for event in &events {
            world.happens(event);
        }
        for _ in 0..ENDS_WITHIN {
            if world.course.state.is_end() {
                return Ok(());
            }
            let open = world.waits.iter().next().map(|(k, w)| (*k, *w));
            match open {
                Some(((step, direction), Waits::Answer)) => world.comes(step, direction, Came::Done),
                Some((_, Waits::Retry)) => world.happens(&Event::Due(0)),
                None => world.happens(&Event::Operator(Operator::Retry)),
            }
        }
        prop_assert!(world.course.state.is_end(), "it goes on for ever{}", world.told());
    }

    #[test]
    fn no_sequence_of_inputs_makes_it_panic(
        shape in definition(),
        inputs in vec((0..NAMES.len(), any::<bool>(), came(), 0..4_u8), 0..80),
    ) {
        let mut course = Course::new();
        let _ = turn(&shape, &mut course, Input::Start);
        for (name, forward, came, what) in inputs {
            let direction = if forward { Forward } else { Compensate };
            let input = match what {
                0 => Input::Due(NAMES[name], direction),
                1 => Input::Operator(Operator::Skip),
                2 => Input::Operator(Operator::Retry),
                _ => Input::Came(NAMES[name], direction, outcome(came)),
            };
            let _ = turn(&shape, &mut course, input);
        }
    }
}
