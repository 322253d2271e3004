//! Believable rows from a seed, the same ones every time.
//!
//! Each row draws from a generator of its own, seeded with (seed, kind, number). So ids do not depend on how many rows
//! were asked for; who buys what does. Only times are counted back from today.

mod calendar;
mod people;
mod sales;
mod things;
mod words;

use fastrand::Rng;
use serde_json::{Value, json};
use uuid::Uuid;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Amounts {
    /// Customers, each with one or two addresses.
    pub users: u32,
    /// Products; categories are always the same sixteen.
    pub products: u32,
    /// Orders, each with one to five lines.
    pub orders: u32,
}

/// All rows of the sample, ready to be posted, in the order they can be posted.
#[derive(Debug, Clone)]
pub struct Sample {
    /// `users` of the user service, with addresses, preferences and profiles within.
    pub users: Vec<Value>,
    /// `categories` of the product service, parents first.
    pub categories: Vec<Value>,
    /// `products` of the product service, with images within.
    pub products: Vec<Value>,
    /// `product_reviews` of the product service.
    pub reviews: Vec<Value>,
    /// `orders` of the order service, with lines, payment and shipping within.
    pub orders: Vec<Value>,
}

/// What a row is; keeps the generators of different tables apart. The numbers are part of the ids: never reuse one.
#[derive(Debug, Clone, Copy)]
enum Kind {
    User = 1,
    Category = 2,
    Product = 3,
    Review = 4,
    Order = 5,
}

/// Makes the sample for a seed. `now` is in seconds since 1970.
#[must_use]
pub fn generate(seed: u64, amounts: Amounts, now: i64) -> Sample {
    let people: Vec<_> = (0..amounts.users)
        .map(|n| people::person(rng(seed, Kind::User, n), n, now))
        .collect();
    let shelves = things::shelves(|n| rng(seed, Kind::Category, n));
    let things: Vec<_> = (0..amounts.products)
        .map(|n| things::thing(rng(seed, Kind::Product, n), n, &shelves.leaves, now))
        .collect();
    let reviews = sales::reviews(|n| rng(seed, Kind::Review, n), &people, &things, now);
    let orders = if people.is_empty() || things.is_empty() {
        Vec::new()
    } else {
        (0..amounts.orders)
            .map(|n| sales::order(rng(seed, Kind::Order, n), n, &people, &things, now))
            .collect()
    };
    Sample {
        users: people.into_iter().map(|p| p.row).collect(),
        categories: shelves.rows,
        products: things.into_iter().map(|t| t.row).collect(),
        reviews,
        orders,
    }
}

fn rng(seed: u64, kind: Kind, number: u32) -> Rng {
    // An odd multiplier spreads neighbouring seeds over all bits.
    Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (kind as u64) << 32 ^ u64::from(number))
}

fn new_id(rng: &mut Rng) -> Uuid {
    uuid::Builder::from_random_bytes(rng.u128(..).to_le_bytes()).into_uuid()
}

/// One of a list; the lists of the sample are never empty.
fn one_of<'a, T>(rng: &mut Rng, list: &'a [T]) -> &'a T {
    &list[rng.usize(..list.len())]
}

/// Cents as the decimal number the API takes. Exact: the shortest form of such a number has two places at most.
fn money(cents: i64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "amounts of the sample are far below 2^53")]
    let amount = cents as f64 / 100.0;
    json!(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_225_600;

    fn sample(seed: u64, users: u32) -> Sample {
        generate(
            seed,
            Amounts {
                users,
                products: 120,
                orders: 200,
            },
            NOW,
        )
    }

    #[test]
    fn the_same_seed_gives_the_same_rows() {
        assert_eq!(sample(42, 50).orders, sample(42, 50).orders);
        assert_ne!(sample(42, 50).users, sample(43, 50).users);
    }

    #[test]
    fn more_users_keep_the_earlier_ones() {
        assert_eq!(sample(42, 50).users[..], sample(42, 80).users[..50]);
    }

    #[test]
    fn ids_and_unique_values_are_unique() {
        let sample = sample(42, 500);
        let checks = [
            (&sample.users, "email"),
            (&sample.users, "id"),
            (&sample.categories, "slug"),
            (&sample.categories, "id"),
            (&sample.products, "sku"),
            (&sample.products, "id"),
            (&sample.reviews, "id"),
            (&sample.orders, "id"),
            (&sample.orders, "order_number"),
        ];
        for (rows, field) in checks {
            let values: std::collections::HashSet<_> = rows.iter().map(|row| row[field].as_str()).collect();
            assert_eq!(values.len(), rows.len(), "{field}");
            assert!(!values.contains(&None), "{field}");
        }
    }

    #[test]
    fn an_orders_total_is_what_the_database_will_compute() {
        let sample = sample(7, 50);
        let cents = |value: &Value| (value.as_f64().expect("a number") * 100.0).round() as i64;
        for order in &sample.orders {
            let lines: i64 = order["order_items"]
                .as_array()
                .expect("lines")
                .iter()
                .map(|line| {
                    let product = sample
                        .products
                        .iter()
                        .find(|p| p["id"] == line["product_id_ref"])
                        .expect("its product");
                    cents(&product["price"]) * line["quantity"].as_i64().expect("a quantity")
                })
                .sum();
            assert_eq!(cents(&order["total_amount"]), lines + cents(&order["shipping_fee"]));
        }
    }

    #[test]
    fn no_products_means_no_orders() {
        let sample = generate(
            1,
            Amounts {
                users: 3,
                products: 0,
                orders: 9,
            },
            NOW,
        );
        assert!(sample.orders.is_empty() && sample.reviews.is_empty());
    }
}
