use serde::{Deserialize, Serialize};

use super::*;
use crate::error::Result;
use crate::saga::{Call, Called, Steps, call, invoke, local};
use crate::tx::Tx;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Trip {
    id: u32,
    seat: Option<String>,
    ticket: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
struct TakeSeat {
    trip: u32,
}

impl Command for TakeSeat {
    const NAME: &'static str = "train.take_seat";
    type Reply = String;
}

#[derive(Debug, Serialize, Deserialize)]
struct FreeSeat {
    seat: Option<String>,
}

impl Command for FreeSeat {
    const NAME: &'static str = "train.free_seat";
    type Reply = ();
}

#[derive(Debug, Serialize, Deserialize)]
struct Print {
    ticket: u32,
}

impl Command for Print {
    const NAME: &'static str = "office.print";
    type Reply = ();
}

async fn nothing(_: &mut Trip, _: &mut Tx) -> Result<()> {
    Ok(())
}

async fn pay(trip: Trip, _: Call) -> Result<Called<u32>> {
    Ok(Called::Answered(trip.id))
}

impl Saga for Trip {
    const NAME: &'static str = "trip";

    fn key(&self) -> String {
        self.id.to_string()
    }

    fn steps() -> Steps<Self> {
        Steps::begin()
            .step(local("open", nothing).compensate(nothing))
            .step(
                invoke("take_seat", |trip: &Trip| TakeSeat { trip: trip.id })
                    .reply(|trip, seat| trip.seat = Some(seat))
                    .compensate(|trip: &Trip| FreeSeat {
                        seat: trip.seat.clone(),
                    }),
            )
            .pivot(call("pay", pay).reply(|trip: &mut Trip, ticket| trip.ticket = Some(ticket)))
            .then(invoke("print", |trip: &Trip| Print {
                ticket: trip.ticket.unwrap_or_default(),
            }))
    }
}

fn trip() -> Rehearsal<Trip> {
    Trip::rehearse(Trip {
        id: 7,
        seat: None,
        ticket: None,
    })
}

fn seated() -> Rehearsal<Trip> {
    trip().when_done("open").when_replied("take_seat", "4C")
}

/// What a rehearsal that goes wrong says.
fn wrong(rehearsal: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let said = std::panic::catch_unwind(rehearsal).expect_err("it goes wrong");
    said.downcast_ref::<String>().expect("it says why").clone()
}

#[test]
fn commands_are_built_from_what_replies_brought() {
    trip()
        .then_asks("open")
        .when_done("open")
        .then_commands("take_seat", |command: TakeSeat| assert_eq!(command.trip, 7))
        .when_replied("take_seat", "4C")
        .when_replied("pay", 99)
        .then_saga(|trip| assert_eq!(trip.seat.as_deref(), Some("4C")))
        .then_commands("print", |command: Print| assert_eq!(command.ticket, 99))
        .when_done("print")
        .then_ends(State::Completed);
}

#[test]
fn a_refusal_undoes_with_the_fields_as_they_are() {
    seated()
        .when_refused("pay", "declined")
        .then_compensates("take_seat")
        .then_commands("take_seat", |c: FreeSeat| assert_eq!(c.seat.as_deref(), Some("4C")))
        .when_done("take_seat")
        .then_compensates("open")
        .when_done("open")
        .then_ends(State::Compensated);
}

#[test]
fn a_late_answer_is_not_taken() {
    trip()
        .when_done("open")
        .when_timed_out("take_seat")
        .when_late("take_seat")
        .then_saga(|trip| assert_eq!(trip.seat, None))
        .when_done("take_seat")
        .when_done("open")
        .then_ends(State::Compensated);
}

#[test]
fn a_step_may_fail_and_then_work() {
    seated()
        .when_fails("pay")
        .then_asks("pay")
        .when_replied("pay", 1)
        .then_asks("print")
        .then_is(State::Running)
        .when_fails("print")
        .when_done("print")
        .then_ends(State::Completed);
}

#[test]
fn what_keeps_failing_turns_it_round_or_is_stuck() {
    trip()
        .when_done_with("open", |trip| trip.id = 8)
        .when_keeps_failing("take_seat")
        .then_compensates("take_seat")
        .then_is(State::Compensating)
        .when_keeps_failing("take_seat")
        .then_is(State::Stuck)
        .when_done("take_seat")
        .when_done("open")
        .then_ends(State::Compensated);
    seated()
        .when_keeps_failing("pay")
        .then_is(State::Stuck)
        .when_operator(Operator::Retry)
        .then_is(State::Running)
        .when_refused("pay", "declined")
        .then_is(State::Compensating)
        .when_done("take_seat")
        .when_done("open")
        .then_ends(State::Compensated);
}

#[test]
fn a_rehearsal_that_goes_wrong_tells_the_story_so_far() {
    let said = wrong(|| drop(seated().when_refused("pay", "declined").then_asks("take_seat")));
    for part in [
        "take_seat is asked for to compensate",
        "open done",
        "pay refused: declined",
        "turned round",
        "4C",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = wrong(|| drop(seated().when_done("ship")));
    assert!(said.contains("there is no step ship"), "{said}");
    let said = wrong(|| drop(seated().when_done("print")));
    assert!(said.contains("print is not asked for now"), "{said}");
    let said = wrong(|| drop(trip().when_done("open").then_commands("take_seat", |_: FreeSeat| {})));
    assert!(
        said.contains("take_seat sends train.take_seat, not train.free_seat"),
        "{said}"
    );
    let said = wrong(|| seated().then_ends(State::Completed));
    assert!(said.contains("it is running, not completed"), "{said}");
    let said = wrong(|| drop(trip().when_timed_out("open")));
    assert!(said.contains("does not time out"), "{said}");
}
