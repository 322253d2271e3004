//! The order service's two sagas without a database: what each does when this or that comes of a step.
//!
//! Commands are read, and replies written, with the product service's own types: what one sends the other must understand.

use freehold::Saga;
use freehold::saga::engine::{Operator, State};
use freehold::saga::rehearse::Rehearsal;
use serde_json::json;
use shop_order::cancel::CancelOrder;
use shop_order::place::{PlaceOrder, TAKE_PAYMENT, Taken};
use shop_order::request::Place;
use shop_product::stock::{Moved, ReleaseStock, ReserveStock, ReturnStock};
use uuid::Uuid;

const ORDER: Uuid = Uuid::from_u128(0x0d);
const TEA: Uuid = Uuid::from_u128(0x0b);
const PIECES: i32 = 2;

fn placed() -> Rehearsal<PlaceOrder> {
    let place: Place = serde_json::from_value(json!({
        "user_id": Uuid::from_u128(0x05),
        "lines": [{ "product_id": TEA, "quantity": PIECES }],
        "payment_method": "card",
        "shipping": { "recipient_name": "Ada", "address_line1": "4 Mill Lane", "city": "Aarhus", "country": "Denmark" },
    }))
    .expect("a body");
    PlaceOrder::rehearse(PlaceOrder::new(ORDER, place.checked().expect("a wish")))
}

/// One that only has to be paid.
fn reserved() -> Rehearsal<PlaceOrder> {
    placed()
        .when_done_with("open_order", |order| order.amount = "64.30".to_owned())
        .when_replied("reserve_stock", Moved { products: 1 })
        .then_asks(TAKE_PAYMENT)
}

fn paid() -> Taken {
    Taken {
        payment: "pay_1".to_owned(),
    }
}

fn closed() -> Rehearsal<CancelOrder> {
    CancelOrder::rehearse(CancelOrder::new(ORDER, Some("changed my mind".to_owned()))).when_done("close_order")
}

#[test]
fn an_order_that_is_paid_is_booked_sent_and_confirmed() {
    placed()
        .when_done("open_order")
        .then_commands("reserve_stock", |command: ReserveStock| {
            assert_eq!(command.order, ORDER);
            assert_eq!(command.lines.len(), 1);
            assert_eq!((command.lines[0].product, command.lines[0].quantity), (TEA, PIECES));
        })
        .when_replied("reserve_stock", Moved { products: 1 })
        .when_replied(TAKE_PAYMENT, paid())
        .then_saga(|order| assert_eq!(order.payment.as_deref(), Some("pay_1")))
        .when_done("record_payment")
        .when_done("book_shipping")
        .when_done("confirm_order")
        .then_ends(State::Completed);
}

#[test]
fn an_order_that_is_out_of_stock_is_rejected_and_nobody_is_asked_for_money() {
    placed()
        .when_done("open_order")
        .when_refused("reserve_stock", "out_of_stock: Tea: 2 wanted, 1 left")
        .then_compensates("open_order")
        .when_done("open_order")
        .then_ends(State::Compensated);
}

#[test]
fn stock_that_may_have_been_promised_too_late_is_released() {
    placed()
        .when_done("open_order")
        .when_timed_out("reserve_stock")
        .then_compensates("reserve_stock")
        .when_late("reserve_stock")
        .then_compensates("reserve_stock")
        .when_replied("reserve_stock", Moved { products: 1 })
        .when_done("open_order")
        .then_ends(State::Compensated);
}

#[test]
fn a_declined_payment_releases_the_stock_and_rejects_the_order() {
    reserved()
        .when_refused(TAKE_PAYMENT, "payment_declined: no money")
        .then_commands("reserve_stock", |command: ReleaseStock| {
            assert_eq!(command.order, ORDER)
        })
        .when_replied("reserve_stock", Moved { products: 1 })
        .then_compensates("open_order")
        .when_done("open_order")
        .then_ends(State::Compensated);
}

#[test]
fn a_provider_that_does_not_answer_is_asked_again_and_nothing_is_undone() {
    reserved()
        .when_timed_out(TAKE_PAYMENT)
        .then_asks(TAKE_PAYMENT)
        .then_is(State::Running)
        .when_keeps_failing(TAKE_PAYMENT)
        .then_is(State::Stuck)
        .when_replied(TAKE_PAYMENT, paid())
        .when_done("record_payment")
        .when_done("book_shipping")
        .when_done("confirm_order")
        .then_ends(State::Completed);
}

#[test]
fn an_order_that_cannot_be_confirmed_waits_with_its_money_taken() {
    reserved()
        .when_replied(TAKE_PAYMENT, paid())
        .when_done("record_payment")
        .when_done("book_shipping")
        .when_keeps_failing("confirm_order")
        .then_is(State::Stuck)
        .when_operator(Operator::Retry)
        .when_done("confirm_order")
        .then_ends(State::Completed);
}

#[test]
fn a_cancelled_order_is_refunded_before_its_stock_comes_back() {
    closed()
        .then_asks("refund")
        .when_done("refund")
        .when_done("record_refund")
        .when_done("cancel_shipping")
        .then_commands("return_stock", |command: ReturnStock| assert_eq!(command.order, ORDER))
        .when_replied("return_stock", Moved { products: 1 })
        .when_done("announce")
        .then_ends(State::Completed);
}

#[test]
fn a_refused_refund_opens_the_order_again() {
    closed()
        .when_refused("refund", "refund_refused: there is no payment pay_1")
        .then_compensates("close_order")
        .when_done("close_order")
        .then_ends(State::Compensated);
}

#[test]
fn a_refund_that_nobody_confirms_is_asked_for_again_and_the_order_stays_closed() {
    closed()
        .when_timed_out("refund")
        .then_asks("refund")
        .when_keeps_failing("refund")
        .then_is(State::Stuck)
        .when_done("refund")
        .when_done("record_refund")
        .when_done("cancel_shipping")
        .when_replied("return_stock", Moved { products: 1 })
        .when_done("announce")
        .then_ends(State::Completed);
}

#[test]
fn stock_that_does_not_come_back_undoes_no_refund() {
    closed()
        .when_done("refund")
        .when_done("record_refund")
        .when_done("cancel_shipping")
        .when_refused("return_stock", "no")
        .then_is(State::Stuck)
        .when_operator(Operator::Retry)
        .when_replied("return_stock", Moved { products: 1 })
        .when_done("announce")
        .then_ends(State::Completed);
}
