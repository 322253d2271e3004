//! Walks a newcomer through a running shop.

use std::process::ExitCode;

use clap::Parser;
use shop_tools::Urls;
use shop_tools::tour::{Provider, Tour, Wall};

/// Walks a newcomer through a running shop
///
/// Each stop prints a sentence, the curl line that does the same, and the answer. The tour ends with an error at the
/// first stop that does not behave.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    #[command(flatten)]
    urls: Urls,
    #[command(flatten)]
    provider: Provider,
    #[command(flatten)]
    wall: Wall,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    shop_tools::finish(async { Tour::new(&options.urls)?.walk(&options.provider, &options.wall).await }.await)
}
