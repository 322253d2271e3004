//! Orders by the thousand, and what must have come of them: the shop's part of `freehold verify crash`.
//!
//! [`world`] is the payment provider, which answers badly; [`run`] is the customers; [`settle`] tells what the provider
//! took and what stock there was, for the rig to compare with what the services' databases say.

mod customers;
mod settle;
mod shelf;
mod world;

use std::io::Write;

use anyhow::Result;
use serde_json::Value;

pub use customers::run;
pub use settle::settle;
pub use world::world;

/// Prints a line for the rig at once: what was said must be known even if the next thing is our end.
fn tell(line: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
