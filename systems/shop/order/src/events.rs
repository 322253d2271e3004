//! What this service tells everybody who listens.

use freehold::Event;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::stock::Line;

/// An order is paid and will be sent. The product service hears it and sells what it had promised.
#[derive(Debug, Serialize, Deserialize)]
pub struct OrderConfirmed {
    /// The order.
    pub order: Uuid,
    /// Who bought.
    pub user: Uuid,
    /// What was paid, like `"64.30"`.
    pub total_amount: String,
    /// What was bought.
    pub lines: Vec<Line>,
}

/// A confirmed order is undone: the money is back, and so is the stock.
#[derive(Debug, Serialize, Deserialize)]
pub struct OrderCancelled {
    /// The order.
    pub order: Uuid,
    /// What the customer said.
    pub reason: Option<String>,
}

impl Event for OrderConfirmed {
    const NAME: &'static str = "order.confirmed";
}

impl Event for OrderCancelled {
    const NAME: &'static str = "order.cancelled";
}
