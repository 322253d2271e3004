//! Puts the shop to work for `freehold verify crash`, and says what must have come of it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shop_tools::{Urls, workload};

/// Puts the shop to work for `freehold verify crash`, and says what must have come of it
///
/// Standard output is lines of JSON for the rig; what is for people goes to standard error.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    phase: Phase,
    #[command(flatten)]
    urls: Urls,
    /// Where everything random comes from
    #[arg(long, env = "FREEHOLD_SEED", default_value_t = 1)]
    seed: u64,
    /// A folder for what the phases tell each other
    #[arg(long, env = "FREEHOLD_SCRATCH")]
    scratch: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Phase {
    /// The world around the shop: its payment provider, until standard input ends
    World,
    /// Places orders and cancels some
    Run {
        /// How many
        #[arg(long, env = "FREEHOLD_WORK", default_value_t = 100)]
        work: usize,
    },
    /// What the world knows, once everything is quiet
    Settle {
        /// The payment provider
        #[arg(long, env = "SHOP_PAYMENT_URL")]
        payment_url: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let (scratch, urls, seed) = (options.scratch, options.urls, options.seed);
    shop_tools::finish(match options.phase {
        Phase::World => workload::world(&scratch, &urls, seed).await,
        Phase::Run { work } => workload::run(&scratch, &urls, seed, work).await,
        Phase::Settle { payment_url } => workload::settle(&scratch, &payment_url).await,
    })
}
