//! Fills the shop with sample data over the services' APIs.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::Parser;
use serde_json::Value;
use shop_tools::api::Api;
use shop_tools::sample::{Amounts, generate};
use shop_tools::{Urls, load};

/// Fills the shop with sample data over the services' APIs
///
/// The same seed and amounts give the same rows. A second run writes what is missing and nothing else.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    #[command(flatten)]
    urls: Urls,
    /// Where all rows come from
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// How many customers
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(..=100_000))]
    users: u32,
    /// How many products
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(..=100_000))]
    products: u32,
    /// How many orders
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    orders: u32,
}

#[tokio::main]
async fn main() -> ExitCode {
    shop_tools::finish(seed(&Options::parse()).await)
}

async fn seed(options: &Options) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let amounts = Amounts {
        users: options.users,
        products: options.products,
        orders: options.orders,
    };
    let sample = generate(options.seed, amounts, i64::try_from(now)?);

    let user = Api::new(&options.urls.user_url)?;
    let product = Api::new(&options.urls.product_url)?;
    let order = Api::new(&options.urls.order_url)?;
    let begun = Instant::now();
    let mut written = 0;
    // What is referred to comes first: then its copies are on their way while the rest is written.
    written += fill(&user, "users", &sample.users).await?;
    written += fill(&product, "categories", &sample.categories).await?;
    written += fill(&product, "products", &sample.products).await?;
    written += fill(&product, "product_reviews", &sample.reviews).await?;
    written += fill(&order, "orders", &sample.orders).await?;

    if written == 0 {
        anstream::println!("sample data is there already");
    } else {
        anstream::println!(
            "wrote {written} rows and what belongs to them in {:.1} s",
            begun.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

/// Writes what is missing in one table, with a line that counts while it goes.
async fn fill(api: &Api, table: &str, rows: &[Value]) -> Result<usize> {
    let total = rows.len();
    let is_live = std::io::stdout().is_terminal();
    let written = load::write_missing(api, table, rows, |done| {
        if is_live {
            anstream::print!("\r{table:<16} {done:>6} of {total}");
            let _ = std::io::stdout().flush();
        }
    })
    .await?;
    let start = if is_live { "\r" } else { "" };
    anstream::println!("{start}{table:<16} {total:>6} of {total}, {written} new");
    Ok(written)
}
