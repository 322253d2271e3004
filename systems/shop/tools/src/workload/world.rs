//! The payment provider, in this process, with everything that can go wrong.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;
use shop_payment::{Options, Provider};
use tokio::io::AsyncReadExt;

use super::tell;
use crate::Urls;

/// What goes wrong, in percent of payments: every tenth is declined, every eighth answered badly, and the webhook leaves
/// out some, repeats some, and comes too early or too late.
const MISCHIEF: &str = r#"{
    "decline": 10,
    "hang_before": 1, "hang_after": 1, "late": 3, "pending": 2, "error_before": 3, "error_after": 3,
    "attempts": 2, "hang_ms": 10000, "late_ms": 1500, "pending_ms": 1000,
    "webhook": 70, "webhook_twice": 20, "webhook_late": 20, "webhook_first": 10
}"#;

/// How long an order waits for stock before it gives up.
const RESERVE_SECONDS: &str = "4";

/// Runs the provider until standard input ends.
///
/// # Errors
/// When it cannot start.
pub async fn world(scratch: &Path, urls: &Urls, seed: u64) -> Result<()> {
    let webhook = format!("{}/payments/notifications", urls.order_url);
    let provider = Provider::start(Options {
        seed,
        mischief: MISCHIEF.parse()?,
        webhook: Some(webhook.parse().context("FREEHOLD_ORDER_URL is no URL")?),
        ..Options::new(scratch.join("payment"))
    })?;
    tell(&json!({ "env": "SHOP_PAYMENT_URL", "value": provider.url() }))?;
    // Short, so that a service that is stopped for seconds is asked again.
    tell(&json!({ "env": "SHOP_RESERVE_SECONDS", "value": RESERVE_SECONDS }))?;
    tell(&json!({ "ready": true }))?;
    let (mut stdin, mut ignored) = (tokio::io::stdin(), [0; 64]);
    while stdin.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
    provider.stop();
    Ok(())
}
