//! Whole systems: the real `freehold up` on a copy of the shop, its services' own HTTP, its private servers.
//!
//! [`folder`] copies the shop and removes everything at the end; [`shop`] starts and stops it; [`api`] speaks to its
//! services and [`sql`] to their databases behind their backs; [`truth`] says whether copies and logs are what they
//! should be. `FREEHOLD_PROVE=1` chooses the long versions, `FREEHOLD_SEED` repeats what a run printed.

// Fixture
mod api;
mod folder;
mod shop;
mod sql;
mod truth;

// Subjects
mod copies;
mod instances;
mod lifecycle;
mod locking;
mod manifest;
mod migration;
mod northwind;
mod obstacles;
mod placements;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How often a wait looks.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Looks until it is so; what `look` says last is the error when it never is.
async fn wait_until(
    what: &str,
    at_most: Duration,
    mut look: impl AsyncFnMut() -> Result<(), String>,
) -> Result<Duration> {
    let begun = Instant::now();
    loop {
        let Err(still) = look().await else {
            return Ok(begun.elapsed());
        };
        if begun.elapsed() > at_most {
            bail!("not within {at_most:?}: {what}; {still}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The seed of a random test, printed so that the run can be repeated.
fn seed(test: &str) -> u64 {
    let seed = std::env::var("FREEHOLD_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("{test}: FREEHOLD_SEED={seed}");
    seed
}

/// Whether the long versions are asked for.
fn prove() -> bool {
    std::env::var_os("FREEHOLD_PROVE").is_some()
}

/// The id of a thing by its name: the same in every run.
fn id_of(what: &str, name: impl std::fmt::Display) -> Uuid {
    let digest = Sha256::digest(format!("{what}:{name}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
