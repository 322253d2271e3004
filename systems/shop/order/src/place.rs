//! The saga that places an order.
//!
//! ```text
//!   open_order ──▶ reserve_stock ──▶ take_payment ──▶ record_payment ▶ book_shipping ▶ confirm_order
//!    order           product          the provider      order, in one transaction
//!      ◀── rejected ──◀── released ──┘ no
//! ```

use std::time::Duration;

use freehold::{Call, Called, Error, Result, Saga, Steps, Tx, call, invoke, local};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::events::OrderConfirmed;
use crate::payment::{self, Status};
use crate::request::Wish;
use crate::stock::{ReleaseStock, ReserveStock};

/// The step that the payment provider may answer another way.
pub const TAKE_PAYMENT: &str = "take_payment";

/// How long the provider may take for one attempt: longer than our HTTP client waits, which says more when it gives up.
pub const PAYMENT_MAX: Duration = Duration::from_secs(5);

/// How long stock may take unless the environment says otherwise: longer than a service takes to be restarted.
const RESERVE_MAX: Duration = Duration::from_secs(60);

/// An order on its way from a wish to a confirmed or rejected order.
#[derive(Debug, Serialize, Deserialize)]
pub struct PlaceOrder {
    /// The order's id.
    pub order: Uuid,
    /// What the customer asked for. The address stays here until a parcel is booked.
    pub wish: Wish,
    /// What is to be paid, like `"64.30"`: the order's total when it was opened.
    #[serde(default)]
    pub amount: String,
    /// The provider's name for the payment.
    #[serde(default)]
    pub payment: Option<String>,
}

/// The money was taken.
#[derive(Debug, Serialize, Deserialize)]
pub struct Taken {
    /// The provider's name for the payment.
    pub payment: String,
}

impl PlaceOrder {
    /// An order that nothing was done for yet.
    #[must_use]
    pub fn new(order: Uuid, wish: Wish) -> Self {
        Self {
            order,
            wish,
            amount: String::new(),
            payment: None,
        }
    }
}

impl Saga for PlaceOrder {
    const NAME: &'static str = "place_order";

    fn key(&self) -> String {
        self.order.to_string()
    }

    fn steps() -> Steps<Self> {
        Steps::begin()
            .step(local("open_order", open_order).compensate(reject_order))
            .step(
                invoke("reserve_stock", reserve_stock)
                    .compensate(release_stock)
                    .timeout(reserve_max()),
            )
            .pivot(
                call(TAKE_PAYMENT, take_payment)
                    .reply(|saga: &mut Self, taken: Taken| saga.payment = Some(taken.payment))
                    .timeout(PAYMENT_MAX),
            )
            .then(local("record_payment", record_payment))
            .then(local("book_shipping", book_shipping))
            .then(local("confirm_order", confirm_order))
    }
}

/// How long the product service may take to promise stock, or to take the promise back, before the order is rejected, or
/// the question repeated: `SHOP_RESERVE_SECONDS`.
fn reserve_max() -> Duration {
    let seconds = std::env::var("SHOP_RESERVE_SECONDS").ok();
    let seconds = seconds
        .and_then(|text| text.parse().ok())
        .filter(|seconds| *seconds > 0);
    seconds.map_or(RESERVE_MAX, Duration::from_secs)
}

/// Names and prices of the lines are filled in by the database, from the copy of the product service's.
async fn open_order(saga: &mut PlaceOrder, tx: &mut Tx) -> Result<()> {
    let wish = &saga.wish;
    tx.execute(
        "insert into orders (id, user_id_ref, shipping_fee) values ($1, $2, $3::text::numeric)",
        &[&saga.order, &wish.user, &wish.shipping_fee],
    )
    .await?;
    let products: Vec<Uuid> = wish.lines.iter().map(|line| line.product).collect();
    let quantities: Vec<i32> = wish.lines.iter().map(|line| line.quantity).collect();
    tx.execute(
        "insert into order_items (order_id, product_id_ref, quantity)
         select $1, l.product_id, l.quantity
         from unnest($2::uuid[], $3::integer[]) as l(product_id, quantity)",
        &[&saga.order, &products, &quantities],
    )
    .await?;
    let total = tx
        .query_one("select total_amount::text from orders where id = $1", &[&saga.order])
        .await?;
    saga.amount = total.get(0);
    Ok(())
}

async fn reject_order(saga: &mut PlaceOrder, tx: &mut Tx) -> Result<()> {
    let reason = tx.reason().map(str::to_owned);
    tx.execute(
        "update orders set status = 'rejected', status_reason = $2 where id = $1 and status = 'pending'",
        &[&saga.order, &reason],
    )
    .await?;
    Ok(())
}

fn reserve_stock(saga: &PlaceOrder) -> ReserveStock {
    ReserveStock {
        order: saga.order,
        lines: saga.wish.lines.clone(),
    }
}

fn release_stock(saga: &PlaceOrder) -> ReleaseStock {
    ReleaseStock { order: saga.order }
}

async fn take_payment(saga: PlaceOrder, call: Call) -> Result<Called<Taken>> {
    let charge = payment::Charge {
        order: &saga.order.to_string(),
        amount: &saga.amount,
        method: &saga.wish.payment_method,
    };
    let payment = payment::take(&call, &charge).await?;
    match payment.status {
        Status::Captured => Ok(Called::Answered(Taken { payment: payment.id })),
        Status::Declined => Err(payment.declined()),
    }
}

async fn record_payment(saga: &mut PlaceOrder, tx: &mut Tx) -> Result<()> {
    tx.execute(
        "insert into order_payments (order_id, payment_method, payment_status, transaction_id, amount, paid_at)
         values ($1, $2, 'paid', $3, $4::text::numeric, now())",
        &[&saga.order, &saga.wish.payment_method, &saga.payment, &saga.amount],
    )
    .await?;
    Ok(())
}

async fn book_shipping(saga: &mut PlaceOrder, tx: &mut Tx) -> Result<()> {
    let to = &saga.wish.shipping;
    tx.execute(
        "insert into order_shippings
           (order_id, recipient_name, address_line1, address_line2, city, state, postal_code, country)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            &saga.order,
            &to.recipient_name,
            &to.address_line1,
            &to.address_line2,
            &to.city,
            &to.state,
            &to.postal_code,
            &to.country,
        ],
    )
    .await?;
    Ok(())
}

async fn confirm_order(saga: &mut PlaceOrder, tx: &mut Tx) -> Result<()> {
    let confirmed = tx
        .execute(
            "update orders set status = 'confirmed' where id = $1 and status = 'pending'",
            &[&saga.order],
        )
        .await?;
    if confirmed == 0 {
        return Err(Error::other(format!(
            "order {} was paid, but is no longer pending: somebody wrote its status",
            saga.order
        )));
    }
    let event = OrderConfirmed {
        order: saga.order,
        user: saga.wish.user,
        total_amount: saga.amount.clone(),
        lines: saga.wish.lines.clone(),
    };
    tx.publish(saga.order, &event).await?;
    Ok(())
}
