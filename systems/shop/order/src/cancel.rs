//! The saga that cancels an order which was confirmed.
//!
//! ```text
//!   close_order ──▶ refund ──▶ record_refund ▶ cancel_shipping ──▶ return_stock ──▶ announce
//!    order        the provider   order                              product          order
//!      ◀─ reopened ─┘ no
//! ```

use freehold::{Call, Called, Result, Saga, Steps, Tx, call, invoke, local, refuse};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::events::OrderCancelled;
use crate::payment;
use crate::place::{PAYMENT_MAX, PlaceOrder};
use crate::stock::ReturnStock;

/// The code of a refusal: there is no such order.
pub const NO_SUCH_ORDER: &str = "no_such_order";

/// The code of a refusal: its place_order has not ended.
pub const STILL_BEING_PLACED: &str = "still_being_placed";

/// The code of a refusal: it is past cancelling, or never came so far.
pub const NOT_CANCELLABLE: &str = "not_cancellable";

/// An order that is to be undone.
#[derive(Debug, Serialize, Deserialize)]
pub struct CancelOrder {
    /// The order's id.
    pub order: Uuid,
    /// What the customer says.
    #[serde(default)]
    pub reason: Option<String>,
    /// The status it had.
    #[serde(default)]
    was: String,
    /// The provider's name for the payment that is to be given back; none if nothing was paid.
    #[serde(default)]
    payment: Option<String>,
}

impl CancelOrder {
    /// The cancellation of an order.
    #[must_use]
    pub fn new(order: Uuid, reason: Option<String>) -> Self {
        Self {
            order,
            reason,
            was: String::new(),
            payment: None,
        }
    }
}

impl Saga for CancelOrder {
    const NAME: &'static str = "cancel_order";

    fn key(&self) -> String {
        self.order.to_string()
    }

    fn steps() -> Steps<Self> {
        Steps::begin()
            .step(local("close_order", close_order).compensate(reopen_order))
            .pivot(call("refund", refund).timeout(PAYMENT_MAX))
            .then(local("record_refund", record_refund))
            .then(local("cancel_shipping", cancel_shipping))
            .then(invoke("return_stock", return_stock))
            .then(local("announce", announce))
    }
}

async fn close_order(saga: &mut CancelOrder, tx: &mut Tx) -> Result<()> {
    let order = saga.order;
    let locked = tx
        .query_opt("select status from orders where id = $1 for no key update", &[&order])
        .await?;
    let Some(locked) = locked else {
        return Err(refuse(NO_SUCH_ORDER, format!("there is no order {order}")));
    };
    // A statement of its own, after the lock: whoever held it may just have written the payment.
    let paid = tx
        .query_opt(
            "select transaction_id from order_payments where order_id = $1 and payment_status = 'paid'",
            &[&order],
        )
        .await?;
    saga.was = locked.get(0);
    saga.payment = paid.and_then(|row| row.get(0));
    match saga.was.as_str() {
        "confirmed" | "paid" => {}
        "pending" => {
            // One that somebody wrote into the table himself waits for nothing.
            let placed = tx.told::<PlaceOrder>(&order.to_string()).await?;
            if placed.is_some_and(|placed| !placed.state.is_end()) {
                let detail =
                    format!("order {order} is still being placed: watch /orders/place/{order}, and cancel then");
                return Err(refuse(STILL_BEING_PLACED, detail));
            }
        }
        was => {
            let detail = format!("order {order} is {was}: only a pending, confirmed or paid order can be cancelled");
            return Err(refuse(NOT_CANCELLABLE, detail));
        }
    }
    tx.execute(
        "update orders set status = 'cancelled', status_reason = $2 where id = $1",
        &[&order, &saga.reason],
    )
    .await?;
    Ok(())
}

async fn reopen_order(saga: &mut CancelOrder, tx: &mut Tx) -> Result<()> {
    let reason = tx.reason().map(|reason| format!("not cancelled: {reason}"));
    tx.execute(
        "update orders set status = $2, status_reason = $3 where id = $1 and status = 'cancelled'",
        &[&saga.order, &saga.was, &reason],
    )
    .await?;
    Ok(())
}

async fn refund(saga: CancelOrder, call: Call) -> Result<Called<()>> {
    if let Some(payment) = &saga.payment {
        payment::refund(&call, payment).await?;
    }
    Ok(Called::Answered(()))
}

async fn record_refund(saga: &mut CancelOrder, tx: &mut Tx) -> Result<()> {
    tx.execute(
        "update order_payments
         set payment_status = case payment_status when 'paid' then 'refunded' else 'failed' end
         where order_id = $1
           and payment_status in ('paid', 'pending')",
        &[&saga.order],
    )
    .await?;
    Ok(())
}

async fn cancel_shipping(saga: &mut CancelOrder, tx: &mut Tx) -> Result<()> {
    tx.execute(
        "update order_shippings set shipping_status = 'cancelled' where order_id = $1",
        &[&saga.order],
    )
    .await?;
    Ok(())
}

fn return_stock(saga: &CancelOrder) -> ReturnStock {
    ReturnStock { order: saga.order }
}

async fn announce(saga: &mut CancelOrder, tx: &mut Tx) -> Result<()> {
    let event = OrderCancelled {
        order: saga.order,
        reason: saga.reason.clone(),
    };
    tx.publish(saga.order, &event).await?;
    Ok(())
}
