//! Definitions and events at random.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::saga::engine::{Kind, Operator, Place, Shape, StepShape};

/// Names for the steps of a random definition: its widest has this many.
pub(super) const NAMES: [&str; 16] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p",
];

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Local), Just(Kind::Invoke), Just(Kind::Call)]
}

/// Kinds of steps and of their compensations, stage by stage.
type Stages = Vec<Vec<(Kind, Option<Kind>)>>;

prop_compose! {
    pub(super) fn definition()(
        before in vec(vec((kind(), proptest::option::weighted(0.8, kind())), 1..=3), 0..=3),
        pivot in proptest::option::weighted(0.7, kind()),
        after in vec(vec(kind(), 1..=2), 0..=2),
    ) -> Shape {
        shape(&before, pivot, &after)
    }
}

fn shape(before: &Stages, pivot: Option<Kind>, after: &[Vec<Kind>]) -> Shape {
    let mut names = NAMES.iter();
    let mut step = |kind, compensation, place| StepShape {
        name: names.next().copied().unwrap_or("z"),
        kind,
        compensation,
        place,
        timeout: Duration::from_secs(60),
    };
    let mut stages: Vec<Vec<StepShape>> = Vec::new();
    for stage in before {
        stages.push(
            stage
                .iter()
                .map(|(kind, undo)| step(*kind, *undo, Place::Before))
                .collect(),
        );
    }
    if let Some(kind) = pivot {
        stages.push(vec![step(kind, None, Place::Pivot)]);
        for stage in after {
            stages.push(stage.iter().map(|kind| step(*kind, None, Place::After)).collect());
        }
    }
    Shape {
        name: "any",
        version: 1,
        stages,
    }
}

/// One random event; the numbers choose among what is possible when it happens.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// Something outstanding comes to this.
    Comes(usize, Came),
    /// What was asked for at some time is answered, perhaps again.
    Late(usize, Came),
    /// A wait is over.
    Due(usize),
    Operator(Operator),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Came {
    Done,
    Refused,
    Failed,
    TimedOut,
}

pub(super) fn came() -> impl Strategy<Value = Came> {
    prop_oneof![
        4 => Just(Came::Done),
        1 => Just(Came::Refused),
        2 => Just(Came::Failed),
        1 => Just(Came::TimedOut),
    ]
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let operator = prop_oneof![Just(Operator::Retry), Just(Operator::Skip), Just(Operator::MarkDone)];
    prop_oneof![
        6 => (any::<usize>(), came()).prop_map(|(which, came)| Event::Comes(which, came)),
        2 => (any::<usize>(), came()).prop_map(|(which, came)| Event::Late(which, came)),
        4 => any::<usize>().prop_map(Event::Due),
        1 => operator.prop_map(Event::Operator),
    ]
}
