//! What a newcomer to the shop wants first: rows to look at, and someone to show them round. And what puts it to work
//! while everything around it is killed.
//!
//! All programs are ordinary clients. They speak the services' HTTP APIs and know nothing of Freehold's insides; only
//! the tour's last stop opens a database, to show that it cannot.
//!
//! - [`api`]: one call, its answer, and the `curl` line that does the same.
//! - [`sample`]: believable rows from a seed, the same ones every time.
//! - [`load`]: writes the sample rows that are not there yet.
//! - [`screen`]: how the tour looks.
//! - [`tour`]: its stops.
//! - [`workload`]: orders by the thousand, and what must have come of them.

// the wire
pub mod api;

// shop-seed
pub mod load;
pub mod sample;

// shop-tour
pub mod screen;
pub mod tour;

// shop-workload
pub mod workload;

/// Where the three services answer, and what the programs ask for it.
#[derive(Debug, Clone, clap::Args)]
pub struct Urls {
    /// The user service
    #[arg(long, env = "FREEHOLD_USER_URL", default_value = "http://127.0.0.1:7101")]
    pub user_url: String,
    /// The product service
    #[arg(long, env = "FREEHOLD_PRODUCT_URL", default_value = "http://127.0.0.1:7102")]
    pub product_url: String,
    /// The order service
    #[arg(long, env = "FREEHOLD_ORDER_URL", default_value = "http://127.0.0.1:7103")]
    pub order_url: String,
}

/// Ends a program: quietly when all went well, else with the reason and exit status 1.
pub fn finish(outcome: anyhow::Result<()>) -> std::process::ExitCode {
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            // One line for people; a backtrace would say nothing about a service that does not behave.
            anstream::eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
