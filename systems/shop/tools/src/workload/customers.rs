//! The customers: each places an order, watches it, sometimes cancels it, and goes on to the next.
//!
//! A customer chooses the order's id. Whatever is unclear — no answer, a lost connection, a failure of the service — is asked
//! again under the same id until the answer is clear.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::shelf::{Shelf, new_id};
use super::tell;
use crate::Urls;
use crate::api::{Answer, Api, Call, SHOW_NOTHING};
use crate::load::is_early;

/// Customers at the same time.
const CUSTOMERS: usize = 32;

/// How long a customer waits for one answer before he asks again: a process that is stopped for seconds holds nobody up.
const PATIENCE: Duration = Duration::from_secs(4);

/// The pause before the next attempt; doubled each time up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(20);

/// The longest pause between attempts, and between looks at an order.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long anything may stay unclear: longer than every service and server may be away at once.
const UNCLEAR_MAX: Duration = Duration::from_secs(300);

/// How long a customer watches an order before he goes on to the next.
const WATCH_MAX: Duration = Duration::from_secs(20);

/// One in so many orders wants a scarce product, and one in so many is cancelled once it is confirmed.
const SCARCE_EACH: u32 = 10;
const CANCELLED_EACH: u32 = 10;

/// After one in so many orders a product gets another name, and another one at once: its copies must end at the second.
const RENAMED_EACH: usize = 5;

struct Shop {
    order: Api,
    product: Api,
    shelf: Shelf,
    seed: u64,
    work: usize,
    next: AtomicUsize,
    done: AtomicUsize,
}

/// Fills the shelf and places so many orders.
///
/// # Errors
/// When something is refused that must not be, or stays unclear for minutes.
pub async fn run(scratch: &Path, urls: &Urls, seed: u64, work: usize) -> Result<()> {
    let shelf = Shelf::stocked(seed, work);
    shelf.note(scratch)?;
    let api = |url| Api::patient(url, PATIENCE);
    let (user, product) = (api(&urls.user_url)?, api(&urls.product_url)?);
    there(&user, "users", shelf.user_rows()).await?;
    there(&product, "categories", shelf.category_row()).await?;
    there(&product, "products", shelf.product_rows()).await?;
    let shop = Arc::new(Shop {
        order: api(&urls.order_url)?,
        product,
        shelf,
        seed,
        work,
        next: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
    });
    let mut customers = JoinSet::new();
    for _ in 0..CUSTOMERS.min(work) {
        customers.spawn(buy(Arc::clone(&shop)));
    }
    while let Some(ended) = customers.join_next().await {
        ended??;
    }
    Ok(())
}

/// Writes rows that may be there from an attempt before.
async fn there(api: &Api, table: &str, rows: Value) -> Result<()> {
    let call = Call::post(table, rows).with(SHOW_NOTHING);
    let answer = clear(api, &call).await?;
    match answer.status {
        // 409: an attempt that seemed to fail did not.
        200..300 | 409 => Ok(()),
        _ => bail!("{table} could not be filled, {}", answer.summary()),
    }
}

/// One customer: order after order until all are placed.
async fn buy(shop: Arc<Shop>) -> Result<()> {
    loop {
        let number = shop.next.fetch_add(1, Ordering::Relaxed);
        if number >= shop.work {
            return Ok(());
        }
        let mut rng = Rng::with_seed(shop.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number as u64);
        let id = new_id(&mut rng);
        let call = Call::post("orders/place", shop.wish(id, &mut rng));
        tell(&json!({ "sent": id }))?;
        let answer = clear(&shop.order, &call).await?;
        if answer.is_success() {
            tell(&json!({ "accepted": id }))?;
            let status = shop.watch(id).await?;
            if status == "confirmed" && rng.u32(..CANCELLED_EACH) == 0 {
                shop.cancel(id).await?;
            }
        } else {
            tell(&json!({ "refused": id, "why": answer.summary() }))?;
        }
        if number.is_multiple_of(RENAMED_EACH) {
            shop.rename(number).await?;
        }
        let done = shop.done.fetch_add(1, Ordering::Relaxed) + 1;
        tell(&json!({ "progress": done }))?;
    }
}

impl Shop {
    async fn rename(&self, number: usize) -> Result<()> {
        let product = self.shelf.plenty[number % self.shelf.plenty.len()];
        for name in ["once more", "for now"] {
            let row = json!({ "name": format!("Product {number} {name}") });
            let call = Call::patch(format!("products?id=eq.{product}"), row).with(SHOW_NOTHING);
            let answer = clear(&self.product, &call).await?;
            if !answer.is_success() {
                bail!("a product could not be renamed, {}", answer.summary());
            }
        }
        Ok(())
    }

    fn wish(&self, id: Uuid, rng: &mut Rng) -> Value {
        let mut one_of = |list: &[Uuid]| list[rng.usize(..list.len())];
        let user = one_of(&self.shelf.users);
        let (first, second) = (one_of(&self.shelf.plenty), one_of(&self.shelf.plenty));
        let scarce = one_of(&self.shelf.scarce);
        // The same product twice now and then: lines are added up.
        let mut lines = vec![json!({ "product_id": first, "quantity": rng.u32(1..5) })];
        if rng.bool() {
            lines.push(json!({ "product_id": second, "quantity": rng.u32(1..5) }));
        }
        if rng.u32(..SCARCE_EACH) == 0 {
            lines.push(json!({ "product_id": scarce, "quantity": 1 }));
        }
        json!({
            "id": id,
            "user_id": user,
            "lines": lines,
            "payment_method": "card",
            "shipping_fee": "4.90",
            "shipping": { "recipient_name": "A Customer", "address_line1": "4 Mill Lane", "city": "Aarhus", "country": "Denmark" },
        })
    }

    /// Looks at an order until it has ended, or for a while.
    async fn watch(&self, id: Uuid) -> Result<String> {
        let call = Call::get(format!("orders?id=eq.{id}&select=status"));
        let begun = Instant::now();
        let mut pause = PAUSE_MIN;
        loop {
            let answer = clear(&self.order, &call).await?;
            let status = answer.row()["status"].as_str().unwrap_or_default();
            if status != "pending" || begun.elapsed() > WATCH_MAX {
                return Ok(status.to_owned());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn cancel(&self, id: Uuid) -> Result<()> {
        let call = Call::post(format!("orders/{id}/cancel"), json!({ "reason": "changed my mind" }));
        let answer = clear(&self.order, &call).await?;
        match answer.status {
            202 => Ok(()),
            _ => bail!(
                "order {id} was confirmed and could not be cancelled, {}",
                answer.summary()
            ),
        }
    }
}

/// Sends a call until the answer is clear: the service did it, or says why it never will.
async fn clear(api: &Api, call: &Call) -> Result<Answer> {
    let begun = Instant::now();
    let mut pause = PAUSE_MIN;
    loop {
        let last = match api.send(call).await {
            // Early: a copy has not heard of what was just written elsewhere.
            Ok(answer) if answer.status < 500 && !is_early(answer.status) => return Ok(answer),
            Ok(answer) => answer.summary(),
            Err(error) => error.to_string(),
        };
        if begun.elapsed() > UNCLEAR_MAX {
            bail!("still unclear after {} s: {last}", UNCLEAR_MAX.as_secs());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
