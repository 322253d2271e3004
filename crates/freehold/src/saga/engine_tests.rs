//! Every arrow of the state picture, in one place; [`super::engine_properties`] has the random walks.

mod parallel;

use std::time::Duration;

use super::engine::*;

use Direction::{Compensate, Forward};
use Kind::{Call, Invoke, Local};

fn step(name: &'static str, kind: Kind, place: Place) -> StepShape {
    StepShape {
        name,
        kind,
        compensation: (place == Place::Before).then_some(kind),
        place,
        timeout: Duration::from_secs(60),
    }
}

/// open (local) → reserve (command) → take payment (call, the pivot) → ship (command) → confirm (local).
fn purchase() -> Shape {
    shape(vec![
        vec![step("open", Local, Place::Before)],
        vec![step("reserve", Invoke, Place::Before)],
        vec![step("pay", Call, Place::Pivot)],
        vec![step("ship", Invoke, Place::After)],
        vec![step("confirm", Local, Place::After)],
    ])
}

fn shape(stages: Vec<Vec<StepShape>>) -> Shape {
    Shape {
        name: "purchase",
        version: 1,
        stages,
    }
}

/// A saga on its way, told outcome after outcome.
struct Walk {
    shape: Shape,
    course: Course,
    actions: Vec<Action>,
}

impl Walk {
    fn start(shape: Shape) -> Self {
        let mut walk = Self {
            shape,
            course: Course::new(),
            actions: Vec::new(),
        };
        walk.feed(Input::Start);
        walk
    }

    fn feed(&mut self, input: Input<'_>) -> &mut Self {
        self.actions = turn(&self.shape, &mut self.course, input).into();
        self
    }

    fn came(&mut self, step: &str, direction: Direction, outcome: Outcome) -> &mut Self {
        self.feed(Input::Came(step, direction, outcome))
    }

    fn done(&mut self, step: &str) -> &mut Self {
        self.came(step, Forward, Outcome::Done)
    }

    fn undone(&mut self, step: &str) -> &mut Self {
        self.came(step, Compensate, Outcome::Done)
    }

    fn refused(&mut self, step: &str, direction: Direction) -> &mut Self {
        self.came(step, direction, Outcome::Refused("no".to_owned()))
    }

    /// Fails so often in a row, each wait being over at once.
    fn fails(&mut self, step: &str, direction: Direction, times: u32) -> &mut Self {
        for time in 0..times {
            if time > 0 {
                self.feed(Input::Due(step, direction));
            }
            self.came(step, direction, Outcome::Failed("broken".to_owned()));
        }
        self
    }

    fn times_out(&mut self, step: &str, direction: Direction, times: u32) -> &mut Self {
        for _ in 0..times {
            self.came(step, direction, Outcome::TimedOut);
        }
        self
    }

    /// What the last input asked to be made.
    fn asks(&self) -> Vec<(&'static str, Direction)> {
        let asked = self.actions.iter().filter_map(|action| match action {
            Action::Perform(step, direction) => Some((*step, *direction)),
            _ => None,
        });
        asked.collect()
    }

    fn waits(&self) -> Option<Duration> {
        self.actions.iter().find_map(|action| match action {
            Action::Wait(_, _, wait) => Some(*wait),
            _ => None,
        })
    }

    fn tells(&self) -> Vec<&'static str> {
        let notes = self.actions.iter().filter_map(|action| match action {
            Action::Note(note) => Some(note.event),
            _ => None,
        });
        notes.collect()
    }

    fn is(&self, state: State) {
        assert_eq!(self.course.state, state, "{:#?}", self.course);
    }

    /// As far as the pivot being asked for.
    fn at_the_pivot() -> Self {
        let mut walk = Self::start(purchase());
        walk.done("open").done("reserve");
        assert_eq!(walk.asks(), [("pay", Forward)]);
        walk
    }
}

#[test]
fn every_step_done_completes_it() {
    let mut walk = Walk::start(purchase());
    assert_eq!(walk.asks(), [("open", Forward)]);
    for (done, next) in [
        ("open", "reserve"),
        ("reserve", "pay"),
        ("pay", "ship"),
        ("ship", "confirm"),
    ] {
        walk.done(done);
        assert_eq!(walk.asks(), [(next, Forward)]);
        walk.is(State::Running);
    }
    walk.done("confirm").is(State::Completed);
    assert_eq!(walk.tells(), ["done", "completed"]);
}

#[test]
fn a_definition_without_steps_is_completed_at_once() {
    Walk::start(shape(Vec::new())).is(State::Completed);
}

#[test]
fn a_refusal_before_the_pivot_undoes_in_reverse_what_was_done() {
    let mut walk = Walk::start(purchase());
    walk.done("open").refused("reserve", Forward).is(State::Compensating);
    assert_eq!(walk.asks(), [("open", Compensate)], "what was refused left nothing");
    walk.undone("open").is(State::Compensated);
    assert_eq!(walk.course.reason.as_deref(), Some("reserve: no"));
}

#[test]
fn a_refused_pivot_undoes_everything_before_it() {
    let mut walk = Walk::at_the_pivot();
    walk.refused("pay", Forward);
    assert_eq!(walk.asks(), [("reserve", Compensate)]);
    walk.undone("reserve");
    assert_eq!(walk.asks(), [("open", Compensate)]);
    walk.undone("open").is(State::Compensated);
}

#[test]
fn a_timeout_before_the_pivot_undoes_the_step_that_may_have_taken_effect() {
    let mut walk = Walk::start(purchase());
    walk.done("open")
        .times_out("reserve", Forward, 1)
        .is(State::Compensating);
    assert_eq!(walk.asks(), [("reserve", Compensate)]);
}

#[test]
fn a_local_step_that_keeps_failing_before_the_pivot_turns_it_round_and_left_nothing() {
    let mut local = purchase();
    local.stages[1] = vec![step("reserve", Local, Place::Before)];
    let mut walk = Walk::start(local);
    walk.done("open")
        .fails("reserve", Forward, ATTEMPTS_BEFORE_PIVOT - 1)
        .is(State::Running);
    assert!(walk.waits().is_some());
    walk.feed(Input::Due("reserve", Forward))
        .fails("reserve", Forward, 1)
        .is(State::Compensating);
    assert_eq!(walk.asks(), [("open", Compensate)]);
}

#[test]
fn a_call_that_keeps_failing_before_the_pivot_is_undone_because_it_may_have_taken_effect() {
    let mut call = purchase();
    call.stages[1] = vec![step("reserve", Call, Place::Before)];
    let mut walk = Walk::start(call);
    walk.done("open")
        .fails("reserve", Forward, ATTEMPTS_BEFORE_PIVOT)
        .is(State::Compensating);
    assert_eq!(walk.asks(), [("reserve", Compensate)]);
}

#[test]
fn waits_between_attempts_double_up_to_half_a_minute() {
    let mut walk = Walk::at_the_pivot();
    let mut waits = Vec::new();
    for _ in 0..11 {
        walk.fails("pay", Forward, 1);
        waits.push(walk.waits().expect("it is tried again").as_millis());
        walk.feed(Input::Due("pay", Forward));
    }
    assert_eq!(
        waits,
        [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]
    );
}

#[test]
fn the_pivot_is_asked_again_after_a_timeout_and_becomes_stuck_at_last() {
    let mut walk = Walk::at_the_pivot();
    walk.times_out("pay", Forward, ATTEMPTS_BEFORE_STUCK - 1)
        .is(State::Running);
    assert_eq!(walk.asks(), [("pay", Forward)]);
    walk.times_out("pay", Forward, 1).is(State::Stuck);
    assert_eq!(walk.asks(), [("pay", Forward)], "it goes on trying");
    walk.done("pay").is(State::Running);
    assert_eq!(walk.asks(), [("ship", Forward)]);
}

#[test]
fn a_stuck_pivot_that_is_refused_at_last_turns_it_round() {
    let mut walk = Walk::at_the_pivot();
    walk.fails("pay", Forward, ATTEMPTS_BEFORE_STUCK).is(State::Stuck);
    walk.feed(Input::Due("pay", Forward))
        .refused("pay", Forward)
        .is(State::Compensating);
    assert_eq!(walk.asks(), [("reserve", Compensate)]);
}

#[test]
fn after_the_pivot_a_lasting_fault_is_stuck_and_goes_on_by_itself_when_it_ends() {
    let mut walk = Walk::at_the_pivot();
    walk.done("pay")
        .done("ship")
        .fails("confirm", Forward, ATTEMPTS_BEFORE_STUCK)
        .is(State::Stuck);
    assert!(walk.waits().is_some());
    walk.feed(Input::Due("confirm", Forward))
        .done("confirm")
        .is(State::Completed);
}

#[test]
fn after_the_pivot_a_refusal_is_stuck_and_an_operator_asks_anew() {
    let mut walk = Walk::at_the_pivot();
    walk.done("pay").refused("ship", Forward).is(State::Stuck);
    let before = walk.course.round("ship", Forward);
    walk.feed(Input::Operator(Operator::Retry)).is(State::Running);
    assert_eq!(walk.asks(), [("ship", Forward)]);
    assert_eq!(
        walk.course.round("ship", Forward),
        before + 1,
        "the refused command would be refused again"
    );
    walk.done("ship");
    assert_eq!(walk.asks(), [("confirm", Forward)]);
}

#[test]
fn an_operator_skips_what_holds_it_up_or_says_that_it_is_done() {
    for (action, mark) in [(Operator::Skip, Mark::Skipped), (Operator::MarkDone, Mark::Done)] {
        let mut walk = Walk::at_the_pivot();
        walk.done("pay")
            .refused("ship", Forward)
            .feed(Input::Operator(action))
            .is(State::Running);
        assert_eq!(walk.course.progress.steps["ship"].mark, mark);
        assert_eq!(walk.asks(), [("confirm", Forward)]);
    }
}

#[test]
fn a_refused_compensation_is_stuck_until_an_operator_acts() {
    let stuck = || {
        let mut walk = Walk::at_the_pivot();
        walk.refused("pay", Forward)
            .refused("reserve", Compensate)
            .is(State::Stuck);
        walk
    };
    let mut walk = stuck();
    walk.feed(Input::Operator(Operator::Retry)).is(State::Compensating);
    assert_eq!(walk.asks(), [("reserve", Compensate)]);
    assert_eq!(walk.course.round("reserve", Compensate), 1);
    for action in [Operator::Skip, Operator::MarkDone] {
        let mut walk = stuck();
        walk.feed(Input::Operator(action)).is(State::Compensating);
        assert_eq!(walk.asks(), [("open", Compensate)]);
    }
}

#[test]
fn a_compensation_is_repeated_until_it_succeeds() {
    let mut walk = Walk::at_the_pivot();
    walk.refused("pay", Forward)
        .times_out("reserve", Compensate, ATTEMPTS_BEFORE_STUCK)
        .is(State::Stuck);
    assert_eq!(walk.asks(), [("reserve", Compensate)]);
    walk.undone("reserve").is(State::Compensating);
    walk.fails("open", Compensate, ATTEMPTS_BEFORE_STUCK).is(State::Stuck);
    walk.feed(Input::Due("open", Compensate))
        .undone("open")
        .is(State::Compensated);
}

#[test]
fn an_operator_who_comes_too_late_does_nothing() {
    let mut walk = Walk::at_the_pivot();
    walk.done("pay")
        .fails("ship", Forward, ATTEMPTS_BEFORE_STUCK)
        .is(State::Stuck);
    walk.done("ship").is(State::Running);
    let before = walk.course.clone();
    for action in [Operator::Skip, Operator::MarkDone, Operator::Retry] {
        walk.feed(Input::Operator(action));
        assert_eq!(
            (walk.asks(), &walk.course),
            (Vec::new(), &before),
            "{action:?} would hit the next step"
        );
    }
}

#[test]
fn an_answer_that_comes_twice_changes_nothing() {
    let mut walk = Walk::at_the_pivot();
    let before = walk.course.clone();
    walk.done("reserve");
    assert_eq!((walk.actions.len(), &walk.course), (0, &before));
    walk.refused("reserve", Forward);
    assert_eq!((walk.actions.len(), &walk.course), (0, &before));
    walk.refused("pay", Forward).undone("reserve");
    let before = walk.course.clone();
    walk.undone("reserve");
    assert_eq!((walk.actions.len(), &walk.course), (0, &before));
}

#[test]
fn a_success_after_it_turned_round_is_told_and_still_undone() {
    let mut walk = Walk::start(purchase());
    walk.done("open").times_out("reserve", Forward, 1);
    let before = walk.course.clone();
    walk.done("reserve");
    assert_eq!((walk.tells(), walk.asks()), (vec!["late"], Vec::new()));
    assert_eq!(walk.course, before);
    walk.undone("reserve").undone("open").is(State::Compensated);
    walk.done("reserve").is(State::Compensated);
    assert_eq!(walk.tells(), ["late"]);
}

#[test]
fn an_ended_saga_does_nothing_more() {
    let mut walk = Walk::at_the_pivot();
    walk.done("pay").done("ship").done("confirm").is(State::Completed);
    let before = walk.course.clone();
    for input in [
        Input::Start,
        Input::Came("ship", Forward, Outcome::TimedOut),
        Input::Came("reserve", Compensate, Outcome::Done),
        Input::Due("confirm", Forward),
        Input::Operator(Operator::Retry),
    ] {
        walk.feed(input);
        assert_eq!((walk.actions.len(), &walk.course), (0, &before));
    }
}

#[test]
fn a_step_with_nothing_to_undo_is_passed_over_on_the_way_back() {
    let mut noted = step("note", Invoke, Place::Before);
    noted.compensation = None;
    let mut walk = Walk::start(shape(vec![
        vec![step("open", Local, Place::Before)],
        vec![noted],
        vec![step("pay", Call, Place::Pivot)],
    ]));
    walk.done("open").done("note").refused("pay", Forward);
    assert_eq!(walk.asks(), [("open", Compensate)]);
    assert_eq!(walk.course.progress.steps["note"].mark, Mark::Undone);
}

#[test]
fn a_course_is_stored_and_read_back() {
    let mut walk = Walk::at_the_pivot();
    walk.fails("pay", Forward, 3);
    let stored = serde_json::to_string(&walk.course.progress).expect("progress is written");
    let read: Progress = serde_json::from_str(&stored).expect("progress is read");
    assert_eq!(read, walk.course.progress);
}

#[test]
fn every_word_of_a_table_is_read_back() {
    for state in [
        State::Running,
        State::Compensating,
        State::Completed,
        State::Compensated,
        State::Stuck,
    ] {
        assert_eq!(State::of(state.word()), Some(state));
    }
    for direction in [Forward, Compensate] {
        assert_eq!(Direction::of(direction.word()), Some(direction));
    }
    assert_eq!((State::of("ended"), Direction::of("sideways")), (None, None));
}
