//! What customers buy and what they say about it.

use std::collections::HashSet;

use fastrand::Rng;
use serde_json::{Value, json};

use super::calendar::{DAY, utc};
use super::people::Person;
use super::things::Thing;
use super::words::{CARRIERS, OPINIONS};
use super::{money, new_id, one_of};

/// From this sum on, sending is free; in cents.
const FREE_SHIPPING_FROM: i64 = 5_000;
/// Below it, sending costs this; in cents.
const SHIPPING_FEE: i64 = 490;
/// Lines of the largest order.
const LINES_MAX: usize = 5;
/// Reviews of the most reviewed product.
const REVIEWS_MAX: u32 = 3;

/// The order of that number. There must be people and things.
pub(super) fn order(mut rng: Rng, number: u32, people: &[Person], things: &[Thing], now: i64) -> Value {
    let id = new_id(&mut rng);
    let buyer = one_of(&mut rng, people);
    let age_in_days = rng.i64(0..120);
    let placed = now - age_in_days * DAY - rng.i64(0..DAY);
    let status = status_at(&mut rng, age_in_days);

    let mut bought = HashSet::new();
    let mut sum = 0;
    let mut lines = Vec::new();
    for _ in 0..rng.usize(1..=LINES_MAX) {
        let thing = one_of(&mut rng, things);
        let quantity = rng.i64(1..5).min(rng.i64(1..5));
        let line_id = new_id(&mut rng);
        if bought.insert(thing.id) {
            sum += thing.cents * quantity;
            // Name and price are left to the order service: it knows them from its copy.
            lines.push(json!({ "id": line_id, "product_id_ref": thing.id, "quantity": quantity }));
        }
    }
    let fee = if sum < FREE_SHIPPING_FROM { SHIPPING_FEE } else { 0 };

    json!({
        "id": id,
        "user_id_ref": buyer.id,
        "order_number": format!("SAMPLE-{:05}", number + 1),
        "status": status,
        "shipping_fee": money(fee),
        "total_amount": money(sum + fee),
        "created_at": utc(placed),
        "order_items": lines,
        "order_payments": [payment(&mut rng, status, sum + fee, placed)],
        "order_shippings": [shipping(&mut rng, status, buyer)],
    })
}

/// Reviews of all things, with a generator per thing.
pub(super) fn reviews(mut rng_of: impl FnMut(u32) -> Rng, people: &[Person], things: &[Thing], now: i64) -> Vec<Value> {
    let mut reviews = Vec::new();
    if people.is_empty() {
        return reviews;
    }
    for (number, thing) in (0..).zip(things) {
        let mut rng = rng_of(number);
        let mut heard = HashSet::new();
        for _ in 0..rng.u32(..=REVIEWS_MAX) {
            let id = new_id(&mut rng);
            let author = one_of(&mut rng, people);
            // People who write are mostly pleased: the higher of two draws.
            let stars = rng.usize(1..=5).max(rng.usize(1..=5));
            let comment = one_of(&mut rng, OPINIONS[stars - 1]);
            let written = now - rng.i64(0..120) * DAY - rng.i64(0..DAY);
            if heard.insert(author.id) {
                reviews.push(json!({
                    "id": id,
                    "product_id": thing.id,
                    "user_id_ref": author.id,
                    "rating": stars,
                    "comment": comment,
                    "created_at": utc(written),
                }));
            }
        }
    }
    reviews
}

/// Where an order of that age has got to.
fn status_at(rng: &mut Rng, age_in_days: i64) -> &'static str {
    if rng.u8(..15) == 0 {
        return "cancelled";
    }
    let reached: &[&str] = match age_in_days {
        0 => &["pending"],
        1 => &["confirmed", "paid"],
        2..=5 => &["paid", "shipped"],
        6..=9 => &["shipped", "delivered"],
        _ => &["delivered"],
    };
    reached[rng.usize(..reached.len())]
}

fn payment(rng: &mut Rng, status: &str, cents: i64, placed: i64) -> Value {
    let id = new_id(rng);
    let method = *one_of(rng, &["card", "card", "paypal", "bank_transfer"]);
    let paid = matches!(status, "paid" | "shipped" | "delivered");
    let transaction = format!("tx_{:016x}", rng.u64(..));
    json!({
        "id": id,
        "payment_method": method,
        "payment_status": if paid { "paid" } else if status == "cancelled" { "failed" } else { "pending" },
        "transaction_id": paid.then_some(transaction),
        "amount": money(cents),
        "paid_at": paid.then(|| utc(placed + 600)),
        "created_at": utc(placed),
    })
}

fn shipping(rng: &mut Rng, status: &str, buyer: &Person) -> Value {
    let sent = matches!(status, "shipped" | "delivered");
    let carrier = *one_of(rng, CARRIERS);
    let tracking = format!("{:012}", rng.u64(..1_000_000_000_000));
    let mut row = buyer.address.clone();
    row["id"] = json!(new_id(rng));
    row["recipient_name"] = json!(buyer.name);
    row["carrier"] = json!(sent.then_some(carrier));
    row["tracking_number"] = json!(sent.then_some(tracking));
    row["shipping_status"] = json!(match status {
        "shipped" | "delivered" | "cancelled" => status,
        "paid" => "packed",
        _ => "pending",
    });
    row
}
