//! Sales, counted from what the order service tells. A counter cannot recognise what it has counted: it relies on each
//! message taking effect once.

use freehold::{Event, Result, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A confirmed order is undone.
#[derive(Debug, Serialize, Deserialize)]
pub struct OrderCancelled {
    /// The order.
    pub order: Uuid,
}

impl Event for OrderCancelled {
    const NAME: &'static str = "order.cancelled";
}

/// A cancelled order counts no more.
///
/// # Errors
/// What PostgreSQL says.
pub async fn order_cancelled(event: OrderCancelled, tx: &mut Tx) -> Result<()> {
    count(tx, event.order, -1).await
}

/// Counts an order's pieces, or takes them back.
pub(crate) async fn count(tx: &Tx, order: Uuid, times: i64) -> Result<()> {
    tx.execute(
        "insert into sales_figures as f (product_id, orders, units)
         select r.product_id, $2::bigint, $2::bigint * r.quantity
         from stock_reservations r
         where r.order_id_ref = $1
         order by r.product_id
         on conflict (product_id) do update
         set orders = f.orders + excluded.orders,
             units = f.units + excluded.units",
        &[&order, &times],
    )
    .await?;
    Ok(())
}
