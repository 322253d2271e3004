//! Categories and what stands in them.

use fastrand::Rng;
use serde_json::{Value, json};
use uuid::Uuid;

use super::calendar::{DAY, utc};
use super::words::{Leaf, RANGES, ROOTS};
use super::{money, new_id, one_of};

/// The category tree.
pub(super) struct Shelves {
    /// Categories that hold products.
    pub(super) leaves: Vec<(Uuid, &'static Leaf)>,
    /// All categories, parents first.
    pub(super) rows: Vec<Value>,
}

/// A product, as posted and as order lines need it.
pub(super) struct Thing {
    pub(super) id: Uuid,
    pub(super) cents: i64,
    pub(super) row: Value,
}

/// The tree, with a generator per category.
pub(super) fn shelves(mut rng_of: impl FnMut(u32) -> Rng) -> Shelves {
    let mut shelves = Shelves {
        leaves: Vec::new(),
        rows: Vec::new(),
    };
    let mut children = Vec::new();
    let mut ids = (0..).map(|number| new_id(&mut rng_of(number)));
    let mut next_id = || ids.next().unwrap_or_default();

    for (name, leaves) in ROOTS {
        let root = next_id();
        shelves.rows.push(category(root, name, &slug(name), None));
        for leaf in *leaves {
            let id = next_id();
            children.push(category(
                id,
                leaf.name,
                &format!("{}-{}", slug(name), slug(leaf.name)),
                Some(root),
            ));
            shelves.leaves.push((id, leaf));
        }
    }
    shelves.rows.append(&mut children);
    shelves
}

/// The product of that number.
pub(super) fn thing(mut rng: Rng, number: u32, leaves: &[(Uuid, &'static Leaf)], now: i64) -> Thing {
    let id = new_id(&mut rng);
    let (category_id, leaf) = *one_of(&mut rng, leaves);
    let range = *one_of(&mut rng, RANGES);
    let kind = *one_of(&mut rng, leaf.things);

    // Few things are dear: the lower of two draws. Prices end in 90 cents.
    let (low, high) = leaf.cents;
    let cents = rng.i64(low..=high).min(rng.i64(low..=high)) / 100 * 100 + 90;
    let stock = if rng.u8(..12) == 0 { 0 } else { rng.i32(3..180) };
    let images: Vec<_> = (0..rng.u8(1..4))
        .map(|place| {
            let image_url = format!("/images/{}-{:04}-{place}.jpg", leaf.code.to_lowercase(), number + 1);
            json!({ "id": new_id(&mut rng), "image_url": image_url, "display_order": place })
        })
        .collect();

    let row = json!({
        "id": id,
        "category_id": category_id,
        "name": format!("{range} {kind}"),
        "description": format!("{kind} of the {range} range."),
        "price": money(cents),
        "sku": format!("{}-{:04}", leaf.code, number + 1),
        "stock_quantity": stock,
        "created_at": utc(now - rng.i64(130..700) * DAY),
        "product_images": images,
    });
    Thing { id, cents, row }
}

fn category(id: Uuid, name: &str, slug: &str, parent: Option<Uuid>) -> Value {
    json!({ "id": id, "name": name, "slug": slug, "parent_category_id": parent })
}

fn slug(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}
