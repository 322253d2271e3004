//! The product service's commands, as this service sends them.

use freehold::Command;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A product and how many of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The product.
    pub product: Uuid,
    /// How many, from 1.
    pub quantity: i32,
}

/// Promise these pieces to an order: all of them, or refuse.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReserveStock {
    /// The order.
    pub order: Uuid,
    /// What it wants.
    pub lines: Vec<Line>,
}

/// The order is rejected.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReleaseStock {
    /// The order.
    pub order: Uuid,
}

/// The confirmed order is cancelled.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReturnStock {
    /// The order.
    pub order: Uuid,
}

/// How many products' stock changed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Moved {
    /// None if it had been done before.
    pub products: u64,
}

impl Command for ReserveStock {
    const NAME: &'static str = "product.reserve_stock";
    type Reply = Moved;
}

impl Command for ReleaseStock {
    const NAME: &'static str = "product.release_stock";
    type Reply = Moved;
}

impl Command for ReturnStock {
    const NAME: &'static str = "product.return_stock";
    type Reply = Moved;
}
