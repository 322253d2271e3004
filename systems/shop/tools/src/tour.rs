//! The stops of the tour: what a database per service feels like from outside.
//!
//! Every stop says what should happen, does it, shows the answer, and ends the tour with a sentence if something else
//! happened. The rows it makes are new each time and stay, so that they can be looked at afterwards.

mod purchase;
mod wall;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Urls;
use crate::api::{Answer, Api, Call, ONE_OBJECT, SHOW_ROWS};
use crate::load::{COPY_WAIT_MAX, UNKNOWN_REFERENCE, is_early};
use crate::screen::Screen;

pub use purchase::Provider;
pub use wall::Wall;

/// Pause between two looks at a copy. Copies arrive within milliseconds, so the tour looks often.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A guided walk through a running shop.
#[derive(Debug)]
pub struct Tour {
    user: Api,
    product: Api,
    order: Api,
    screen: Screen,
    /// Tells this walk's rows from those of earlier ones.
    mark: String,
}

/// What the walk has made so far.
#[derive(Debug)]
struct Made {
    buyer: String,
    kettle: String,
    tea: String,
}

impl Tour {
    /// A walk through the shop at these addresses.
    ///
    /// # Errors
    /// When no HTTP client can be set up on this machine.
    pub fn new(urls: &Urls) -> Result<Self> {
        let mark = Uuid::new_v4().simple().to_string()[..8].to_owned();
        Ok(Self {
            user: Api::new(&urls.user_url)?,
            product: Api::new(&urls.product_url)?,
            order: Api::new(&urls.order_url)?,
            screen: Screen::default(),
            mark,
        })
    }

    /// Walks all stops.
    ///
    /// # Errors
    /// With the number of the stop that did not behave and what it did instead.
    pub async fn walk(mut self, provider: &Provider, wall: &Wall) -> Result<()> {
        let walked = self.stops(provider, wall).await;
        walked.with_context(|| format!("stop {} of the tour did not behave", self.screen.number()))?;
        anstream::println!("\nThat was the tour. Its rows carry the mark {} and stay.", self.mark);
        Ok(())
    }

    async fn stops(&mut self, provider: &Provider, wall: &Wall) -> Result<()> {
        let made = self.make_users_and_products().await?;
        let order = self.place_order(&made).await?;
        self.read_order(&order).await?;
        let stale = self.rename(&made).await?;
        self.follow_name(&order, &made).await?;
        self.rename_with_stale_version(&made, &stale).await?;
        self.order_unknown_product(&order).await?;
        self.purchases(&made, provider).await?;
        wall.attempt(&mut self.screen).await
    }

    async fn make_users_and_products(&mut self) -> Result<Made> {
        let mark = self.mark.clone();
        self.screen
            .stop("Two people open an account. The user service keeps them in its own database.");
        let people = json!([
            { "email": format!("ada.{mark}@example.com"), "first_name": "Ada", "last_name": "Lindqvist" },
            { "email": format!("omar.{mark}@example.com"), "first_name": "Omar", "last_name": "Haddad" },
        ]);
        let users = self
            .show(
                Who::User,
                Call::post("users?select=id,email,version", people).with(SHOW_ROWS),
                201,
            )
            .await?;

        self.screen
            .stop("Two things go on sale. The product service keeps them in another database.");
        let shelf = json!({ "name": "Tea", "slug": format!("tour-{mark}") });
        let shelf = self
            .show(
                Who::Product,
                Call::post("categories?select=id,slug", shelf).with(SHOW_ROWS),
                201,
            )
            .await?;
        let (category, sku) = (shelf.text("id")?, mark.to_uppercase());
        let things = json!([
            { "category_id": category, "name": "Enamel Kettle", "price": 39.9, "sku": format!("TOUR-{sku}-1"), "stock_quantity": 12 },
            { "category_id": category, "name": "Black Tea", "price": 6.5, "sku": format!("TOUR-{sku}-2"), "stock_quantity": 80 },
        ]);
        let call = Call::post("products?select=id,name,price,stock_quantity", things).with(SHOW_ROWS);
        let products = self.show(Who::Product, call, 201).await?;

        Ok(Made {
            buyer: users.text("id")?.to_owned(),
            kettle: id_where(&products, "name", "Enamel Kettle")?,
            tea: id_where(&products, "name", "Black Tea")?,
        })
    }

    async fn place_order(&mut self, made: &Made) -> Result<String> {
        self.screen.stop(
            "Ada fills a basket: one request, one transaction. The lines name the products by id only; name and price come from \
             the order service's own copies, so no other service is asked.",
        );
        let body = json!({
            "user_id_ref": made.buyer,
            "shipping_fee": 4.9,
            "order_items": [
                { "product_id_ref": made.kettle, "quantity": 1 },
                { "product_id_ref": made.tea, "quantity": 3 },
            ],
            "order_payments": [{ "payment_method": "card", "amount": 64.3 }],
            "order_shippings": [{
                "recipient_name": "Ada Lindqvist", "address_line1": "4 Mill Lane", "city": "Aarhus", "postal_code": "8000", "country": "Denmark",
            }],
        });
        let call = Call::post("orders", body).with(SHOW_ROWS);
        self.screen.call(&self.order, &call);

        let begun = Instant::now();
        let answer = loop {
            let answer = self.order.send(&call).await?;
            if !is_early(answer.status) || begun.elapsed() > COPY_WAIT_MAX {
                break answer;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        };
        self.screen.answer(&answer);
        expect(&answer, 201)?;
        self.screen.note(&format!(
            "accepted {} ms after the first try",
            begun.elapsed().as_millis()
        ));
        Ok(answer.text("id")?.to_owned())
    }

    async fn read_order(&mut self, order: &str) -> Result<()> {
        self.screen
            .stop("The order, read back with its lines: names and prices are filled in, the total is added up.");
        let columns = "order_number,status,shipping_fee,total_amount";
        let answer = self
            .show(
                Who::Order,
                Call::get(format!("orders?id=eq.{order}&select={columns}")).with(ONE_OBJECT),
                200,
            )
            .await?;
        let total = &answer.row()["total_amount"];
        ensure!(
            total.as_f64() == Some(64.3),
            "the total should be 39.90 + 3 × 6.50 + 4.90 = 64.30, but it is {total}"
        );
        let columns = "product_name,unit_price,quantity,subtotal";
        let lines = Call::get(format!("order_items?order_id=eq.{order}&select={columns}"));
        self.show(Who::Order, lines, 200).await?;
        Ok(())
    }

    /// Returns the version the product had before it was renamed.
    async fn rename(&mut self, made: &Made) -> Result<String> {
        self.screen
            .stop("Somebody opens the kettle to edit it. The ETag is the version they saw.");
        let path = format!("products?id=eq.{}", made.kettle);
        let seen = self
            .show(
                Who::Product,
                Call::get(format!("{path}&select=id,name,price")).with(ONE_OBJECT),
                200,
            )
            .await?;
        let version = seen.etag.context("the answer has no ETag")?;

        self.screen
            .stop("They rename it and raise the price. If-Match: only if it is still the version they saw.");
        let change = json!({ "name": "Enamel Kettle, 1.5 l", "price": 44.9 });
        self.show_any(
            Who::Product,
            Call::patch(path, change).with(("If-Match", &version)),
            &[200, 204],
        )
        .await?;
        Ok(version)
    }

    async fn follow_name(&mut self, order: &str, made: &Made) -> Result<()> {
        self.screen
            .stop("The order's line follows: the new name, but the price Ada agreed to.");
        let path = format!(
            "order_items?order_id=eq.{order}&product_id_ref=eq.{}&select=product_name,unit_price",
            made.kettle
        );
        let call = Call::get(path);
        self.screen.call(&self.order, &call);

        let begun = Instant::now();
        let answer = loop {
            let answer = self.order.send(&call).await?;
            expect(&answer, 200)?;
            if answer.text("product_name")? == "Enamel Kettle, 1.5 l" {
                break answer;
            }
            if begun.elapsed() > COPY_WAIT_MAX {
                bail!(
                    "the line still says {} after {} s",
                    answer.row()["product_name"],
                    COPY_WAIT_MAX.as_secs()
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        };
        let waited = begun.elapsed();
        self.screen.answer(&answer);
        let price = &answer.row()["unit_price"];
        ensure!(
            price.as_f64() == Some(39.9),
            "the line's price should have stayed 39.90, but it is {price}"
        );
        self.screen
            .note(&format!("seen {} ms after the rename was answered", waited.as_millis()));
        Ok(())
    }

    async fn rename_with_stale_version(&mut self, made: &Made, stale: &str) -> Result<()> {
        self.screen.stop("Somebody else saved the form they had opened before. Their version is stale: 412, and nothing is overwritten.");
        let call = Call::patch(format!("products?id=eq.{}", made.kettle), json!({ "name": "Kettle" }));
        self.show(Who::Product, call.with(("If-Match", stale)), 412).await?;
        Ok(())
    }

    async fn order_unknown_product(&mut self, order: &str) -> Result<()> {
        self.screen
            .stop("A line for a product nobody sells. There is no foreign key across databases, and still: 422.");
        let line = json!({ "order_id": order, "product_id_ref": Uuid::new_v4(), "quantity": 1 });
        self.show(Who::Order, Call::post("order_items", line), UNKNOWN_REFERENCE)
            .await?;
        Ok(())
    }

    async fn show(&self, who: Who, call: Call, expected: u16) -> Result<Answer> {
        self.show_any(who, call, &[expected]).await
    }

    /// Prints a call, sends it, prints the answer, and insists on one of these statuses.
    async fn show_any(&self, who: Who, call: Call, expected: &[u16]) -> Result<Answer> {
        let api = match who {
            Who::User => &self.user,
            Who::Product => &self.product,
            Who::Order => &self.order,
        };
        self.screen.call(api, &call);
        let answer = api.send(&call).await?;
        self.screen.answer(&answer);
        if !expected.contains(&answer.status) {
            expect(&answer, expected[0])?;
        }
        Ok(answer)
    }
}

/// Which service a call goes to.
#[derive(Debug, Clone, Copy)]
enum Who {
    User,
    Product,
    Order,
}

fn expect(answer: &Answer, status: u16) -> Result<()> {
    ensure!(
        answer.status == status,
        "expected {status}, the service answered {}",
        answer.summary()
    );
    Ok(())
}

/// The id of the row of an answer that has this value.
fn id_where(answer: &Answer, field: &str, value: &str) -> Result<String> {
    let rows = answer.body.as_array().map(Vec::as_slice).unwrap_or_default();
    let row = rows.iter().find(|row| row[field] == value);
    row.and_then(|row| row["id"].as_str())
        .map(str::to_owned)
        .with_context(|| format!("the answer has no row with {field} {}", Value::from(value)))
}
