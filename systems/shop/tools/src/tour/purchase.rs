//! The stops about orders that are placed: a saga over three databases and a payment provider, from outside.

use std::time::Instant;

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{LOOK_EVERY, Made, Tour, Who, expect};
use crate::api::{Answer, Api, Call};
use crate::load::COPY_WAIT_MAX;

/// Where the shop's payment provider is; only the tour's own way to have a card declined.
#[derive(Debug, clap::Args)]
pub struct Provider {
    /// The payment provider; without it, the stop about a declined card is left out
    #[arg(long = "payment-url", env = "SHOP_PAYMENT_URL", value_name = "URL")]
    url: Option<String>,
}

impl Tour {
    pub(super) async fn purchases(&mut self, made: &Made, provider: &Provider) -> Result<()> {
        let order = self.confirmed(made).await?;
        self.out_of_stock(made).await?;
        self.declined(made, provider).await?;
        self.cancelled(&order, made).await
    }

    async fn confirmed(&mut self, made: &Made) -> Result<Uuid> {
        self.screen.stop(
            "Ada places an order. It is answered at once and goes on by itself: stock is promised by the product \
             service, the card is charged by the payment provider, then the order is confirmed.",
        );
        let order = Uuid::new_v4();
        self.place(order, made, 2).await?;

        self.screen
            .stop("The order, watched to its end. Every step is a line of its story.");
        let told = self.watch(order).await?;
        expect_status(&told, "confirmed")?;
        let inventory = Call::get(format!(
            "inventory?product_id=eq.{}&select=quantity,reserved,available",
            made.tea
        ));
        self.screen
            .stop("Once it is confirmed, the product service hears of it and sells what it had promised.");
        self.wait_for(Who::Product, inventory, |row| {
            row["quantity"] == 78 && row["reserved"] == 0
        })
        .await?;
        Ok(order)
    }

    async fn out_of_stock(&mut self, made: &Made) -> Result<()> {
        self.screen
            .stop("A thousand packets: there are not so many. The order is rejected, says why, and costs nothing.");
        let order = Uuid::new_v4();
        self.place(order, made, 1000).await?;
        let told = self.watch(order).await?;
        expect_status(&told, "rejected")
    }

    async fn declined(&mut self, made: &Made, provider: &Provider) -> Result<()> {
        self.screen
            .stop("A card that is declined. The provider is told in advance, for the tour; the stock is given back.");
        let Some(url) = &provider.url else {
            self.screen
                .refusal("left out: set SHOP_PAYMENT_URL to the payment provider's URL to see it");
            return Ok(());
        };
        let order = Uuid::new_v4();
        let provider = Api::new(url)?;
        let mischief = Call::put("mischief", json!({ "orders": { order.to_string(): "decline" } }));
        self.screen.call(&provider, &mischief);
        expect(&provider.send(&mischief).await?, 200)?;
        self.place(order, made, 1).await?;
        let told = self.watch(order).await?;
        expect_status(&told, "rejected")
    }

    async fn cancelled(&mut self, order: &Uuid, made: &Made) -> Result<()> {
        self.screen
            .stop("Ada changes her mind. Her order is cancelled: the money goes back, then the stock.");
        let call = Call::post(
            format!("orders/{order}/cancel"),
            json!({ "reason": "changed her mind" }),
        );
        self.show(Who::Order, call, 202).await?;
        let payment = format!("order_payments?order_id=eq.{order}&select=payment_status,amount");
        self.wait_for(Who::Order, Call::get(payment), |row| {
            row["payment_status"] == "refunded"
        })
        .await?;
        let inventory = format!(
            "inventory?product_id=eq.{}&select=quantity,reserved,available",
            made.tea
        );
        self.wait_for(Who::Product, Call::get(inventory), |row| row["quantity"] == 80)
            .await
    }

    async fn place(&self, order: Uuid, made: &Made, quantity: u32) -> Result<()> {
        let body = json!({
            "id": order,
            "user_id": made.buyer,
            "lines": [{ "product_id": made.tea, "quantity": quantity }],
            "payment_method": "card",
            "shipping_fee": "4.90",
            "shipping": {
                "recipient_name": "Ada Lindqvist", "address_line1": "4 Mill Lane", "city": "Aarhus", "postal_code": "8000", "country": "Denmark",
            },
        });
        self.show(Who::Order, Call::post("orders/place", body), 202).await?;
        Ok(())
    }

    /// Looks at an order until its saga has ended, and shows how it went.
    async fn watch(&self, order: Uuid) -> Result<Answer> {
        let call = Call::get(format!("orders/place/{order}"));
        self.screen.call(&self.order, &call);
        let begun = Instant::now();
        let answer = loop {
            let answer = self.order.send(&call).await?;
            expect(&answer, 200)?;
            let state = &answer.body["saga"]["state"];
            if state == "completed" || state == "compensated" {
                break answer;
            }
            if begun.elapsed() > COPY_WAIT_MAX {
                bail!(
                    "the order is still {} after {} s; does the payment provider run? `make up` starts it",
                    answer.body["order"]["status"],
                    COPY_WAIT_MAX.as_secs()
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        };
        for step in answer.body["steps"].as_array().into_iter().flatten() {
            self.screen.note(&line(step));
        }
        let order = &answer.body["order"];
        match order["status_reason"].as_str() {
            Some(reason) => self
                .screen
                .refusal(&format!("{}: {reason}", order["status"].as_str().unwrap_or_default())),
            None => self.screen.note(order["status"].as_str().unwrap_or_default()),
        }
        Ok(answer)
    }

    /// Looks until the first row is as it should be, and shows it.
    async fn wait_for(&self, who: Who, call: Call, is: impl Fn(&Value) -> bool) -> Result<()> {
        let api = match who {
            Who::User => &self.user,
            Who::Product => &self.product,
            Who::Order => &self.order,
        };
        self.screen.call(api, &call);
        let begun = Instant::now();
        loop {
            let answer = api.send(&call).await?;
            expect(&answer, 200)?;
            if is(answer.row()) {
                self.screen.answer(&answer);
                return Ok(());
            }
            ensure!(
                begun.elapsed() < COPY_WAIT_MAX,
                "after {} s it is still {}",
                COPY_WAIT_MAX.as_secs(),
                answer.body
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// A line of an order's story.
fn line(step: &Value) -> String {
    let word = |field: &str| step[field].as_str().unwrap_or_default().to_owned();
    let undo = if step["direction"] == "compensate" { "undo " } else { "" };
    let detail = step["detail"]
        .as_str()
        .map(|detail| format!(": {detail}"))
        .unwrap_or_default();
    // 2026-11-21T09:11:54.472582+00:00: the time alone.
    let at: String = word("at").chars().skip(11).take(12).collect();
    let what = format!("{undo}{} {}", word("step"), word("event"));
    format!("{at}  {}{detail}", what.trim())
}

fn expect_status(told: &Answer, status: &str) -> Result<()> {
    let is = &told.body["order"]["status"];
    ensure!(is == status, "the order should be {status}, but it is {is}");
    Ok(())
}
