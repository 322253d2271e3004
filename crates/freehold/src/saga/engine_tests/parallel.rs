//! Steps of one stage at the same time.

use super::*;

/// Two at a time before the pivot, two at a time after it.
fn in_parallel() -> Shape {
    shape(vec![
        vec![
            step("stock", Invoke, Place::Before),
            step("coupon", Invoke, Place::Before),
        ],
        vec![step("pay", Call, Place::Pivot)],
        vec![step("ship", Invoke, Place::After), step("thank", Invoke, Place::After)],
    ])
}

#[test]
fn steps_of_one_stage_are_asked_for_together_and_awaited_all() {
    let mut walk = Walk::start(in_parallel());
    assert_eq!(walk.asks(), [("stock", Forward), ("coupon", Forward)]);
    walk.done("coupon");
    assert_eq!(walk.asks(), []);
    walk.done("stock");
    assert_eq!(walk.asks(), [("pay", Forward)]);
}

#[test]
fn a_refusal_in_a_stage_undoes_the_others_of_it_even_while_they_are_on_their_way() {
    let mut walk = Walk::start(in_parallel());
    walk.refused("coupon", Forward);
    assert_eq!(walk.asks(), [("stock", Compensate)]);
    walk.done("stock").is(State::Compensating);
    walk.undone("stock").is(State::Compensated);
}

#[test]
fn a_local_step_that_was_not_begun_when_its_stage_turned_round_is_not_undone() {
    let mut walk = Walk::start(shape(vec![vec![
        step("first", Local, Place::Before),
        step("second", Local, Place::Before),
    ]]));
    walk.refused("first", Forward);
    assert!(!walk.course.wants("second", Forward));
    walk.is(State::Compensated);
}

#[test]
fn a_success_beside_what_is_stuck_leaves_it_stuck() {
    let mut walk = Walk::start(in_parallel());
    walk.done("stock").done("coupon").done("pay");
    walk.refused("ship", Forward).is(State::Stuck);
    walk.done("thank").is(State::Stuck);
    walk.feed(Input::Operator(Operator::Skip)).is(State::Completed);

    let mut walk = Walk::start(in_parallel());
    walk.done("stock").done("coupon").refused("pay", Forward);
    walk.refused("coupon", Compensate).undone("stock").is(State::Stuck);
    walk.feed(Input::Operator(Operator::MarkDone)).is(State::Compensated);
}

#[test]
fn an_operator_acts_on_what_is_stuck_and_not_on_what_is_under_way_beside_it() {
    let mut walk = Walk::start(in_parallel());
    walk.done("stock").done("coupon").done("pay").refused("ship", Forward);
    walk.feed(Input::Operator(Operator::Skip)).is(State::Running);
    assert_eq!(walk.course.progress.steps["thank"].mark, Mark::Asked);
    walk.done("thank").is(State::Completed);
}
