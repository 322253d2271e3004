//! What the world knows once everything is quiet.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::json;

use super::{shelf, tell};
use crate::api::{Api, Call};

/// A payment or a refund as the provider lists it.
#[derive(Debug, Deserialize)]
struct Entry {
    order: String,
    amount: String,
    status: String,
}

/// Tells, per order, every capture and what is left of the money; per product, the stock there was at first.
///
/// # Errors
/// When the provider cannot be asked, or `run` left no stock.
pub async fn settle(scratch: &Path, payment_url: &str) -> Result<()> {
    let provider = Api::new(payment_url)?;
    let mut left: BTreeMap<String, i64> = BTreeMap::new();
    for payment in list(&provider, "payments").await? {
        if payment.status == "captured" {
            *left.entry(payment.order.clone()).or_default() += cents(&payment.amount)?;
            tell(&json!({ "fact": "captures", "key": payment.order, "value": payment.amount }))?;
        }
    }
    for refund in list(&provider, "refunds").await? {
        *left.entry(refund.order).or_default() -= cents(&refund.amount)?;
    }
    for (order, cents) in left.iter().filter(|(_, cents)| **cents != 0) {
        let sign = if *cents < 0 { "-" } else { "" };
        let value = format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100);
        tell(&json!({ "fact": "money", "key": order, "value": value }))?;
    }
    for (product, pieces) in shelf::noted(scratch)? {
        tell(&json!({ "fact": "stock", "key": product, "value": pieces }))?;
    }
    Ok(())
}

async fn list(provider: &Api, what: &str) -> Result<Vec<Entry>> {
    let answer = provider.send(&Call::get(what)).await?;
    ensure!(
        answer.is_success(),
        "the provider's {what} could not be read, {}",
        answer.summary()
    );
    Ok(serde_json::from_value(answer.body)?)
}

fn cents(amount: &str) -> Result<i64> {
    let (whole, part) = amount.split_once('.').unwrap_or((amount, "0"));
    format!("{whole}{part:0<2}")
        .parse()
        .with_context(|| format!("the provider names no amount: {amount}"))
}
