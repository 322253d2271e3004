//! What is for sale: known stock, kept in a file for the settling.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use fastrand::Rng;
use serde_json::{Value, json};
use uuid::Uuid;

/// Products that never run out, and those that soon do.
const PLENTY: usize = 20;
const SCARCE: usize = 2;

/// Pieces of a product that never runs out, per order: more than an order can take of one.
const PIECES_PER_ORDER: usize = 20;

/// One in so many orders gets one of a scarce product; later ones are refused.
const ORDERS_PER_SCARCE_PIECE: usize = 100;

/// Customers.
const USERS: usize = 20;

/// The products and who buys them.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    category: Uuid,
    pub(super) users: Vec<Uuid>,
    pub(super) plenty: Vec<Uuid>,
    pub(super) scarce: Vec<Uuid>,
    stock: BTreeMap<Uuid, usize>,
}

impl Shelf {
    /// The shelf of a seed, for so many orders.
    pub(super) fn stocked(seed: u64, orders: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut ids = |count: usize| -> Vec<Uuid> { (0..count).map(|_| new_id(&mut rng)).collect() };
        let (users, plenty, scarce) = (ids(USERS), ids(PLENTY), ids(SCARCE));
        let category = ids(1).remove(0);
        let many = plenty.iter().map(|id| (*id, orders.max(1) * PIECES_PER_ORDER));
        let few = scarce.iter().map(|id| (*id, orders / ORDERS_PER_SCARCE_PIECE + 1));
        let stock = many.chain(few).collect();
        Self {
            category,
            users,
            plenty,
            scarce,
            stock,
        }
    }

    pub(super) fn category_row(&self) -> Value {
        json!({ "id": self.category, "name": "Everything", "slug": format!("everything-{}", self.category) })
    }

    pub(super) fn user_rows(&self) -> Value {
        let rows = self.users.iter().enumerate();
        rows.map(
            |(n, id)| json!({ "id": id, "email": format!("{id}@example.com"), "first_name": format!("Customer {n}") }),
        )
        .collect()
    }

    pub(super) fn product_rows(&self) -> Value {
        let rows = self.stock.iter().enumerate();
        rows.map(|(n, (id, pieces))| {
            let sku = format!("W-{}", id.simple()).to_uppercase();
            #[expect(clippy::cast_precision_loss, reason = "there are a few dozen products")]
            let price = n as f64 + 0.99;
            json!({
                "id": id, "category_id": self.category, "name": format!("Thing {n}"), "sku": sku, "price": price,
                "stock_quantity": pieces,
            })
        })
        .collect()
    }

    /// Writes down what there is at first.
    pub(super) fn note(&self, scratch: &Path) -> Result<()> {
        let file = scratch.join("stock.json");
        fs::write(&file, serde_json::to_vec(&self.stock)?).with_context(|| format!("cannot write {}", file.display()))
    }
}

/// What there was at first, by product.
pub(super) fn noted(scratch: &Path) -> Result<BTreeMap<Uuid, usize>> {
    let file = scratch.join("stock.json");
    let text = fs::read(&file).with_context(|| format!("cannot read {}: `run` writes it", file.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

pub(super) fn new_id(rng: &mut Rng) -> Uuid {
    uuid::Builder::from_random_bytes(rng.u128(..).to_le_bytes()).into_uuid()
}
