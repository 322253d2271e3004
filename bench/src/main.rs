//! Figures beside their limits. Each figure is a ratio to the physical limit, measured in the same run as interleaved
//! pairs; absolute rates belong to this machine and this minute.

mod api;
mod cpu;
mod drain;
mod footprint;
mod http;
mod latency;
mod pgbench;
mod poison;
mod projections;
mod report;
mod sagas;
mod stage;

use anyhow::Result;

/// Interleaved pairs per figure; the median of their ratios is reported with the least and the greatest.
const PAIRS: usize = 5;

#[tokio::main]
async fn main() -> Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|a| a == name);
    if wanted("sagas") {
        sagas::measure().await?;
    }
    if wanted("poison") {
        poison::measure().await?;
    }
    if wanted("projections") {
        projections::measure().await?;
    }
    let by_itself = ["sagas", "poison", "projections"];
    if !asked.is_empty() && asked.iter().all(|a| by_itself.contains(&a.as_str())) {
        return Ok(());
    }
    let mut stage = stage::Stage::build("system").await?;
    if wanted("footprint") {
        footprint::measure(&mut stage).await?;
    }
    if wanted("api") {
        api::measure(&mut stage).await?;
    }
    if wanted("latency") {
        latency::measure(&mut stage).await?;
    }
    if wanted("drain") {
        drain::measure(&mut stage).await?;
    }
    stage.close().await
}
