//! `freehold verify`: attack what must hold.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use super::Where;
use super::borrowed::Borrowed;

#[derive(Debug, Subcommand)]
pub(super) enum Verify {
    /// Attack every service's data with every other service's credentials
    Isolation(Isolation),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  freehold verify isolation systems/shop
  freehold verify isolation systems/shop --json | jq '.succeeded'")]
pub(super) struct Isolation {
    #[command(flatten)]
    place: Where,
    /// Print for programs
    #[arg(long)]
    json: bool,
    /// Open a wall first: the attack must find it
    #[cfg(feature = "plant")]
    #[arg(long, value_name = "DEFECT")]
    plant: Option<String>,
}

impl Verify {
    pub(super) async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Isolation(isolation) => isolation.run().await,
        }
    }
}

impl Isolation {
    async fn run(self) -> Result<ExitCode> {
        let (folder, system) = match self.place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let borrowed = Borrowed::open(&folder, &system).await?;
        borrowed.with(async |_ground| Ok(ExitCode::SUCCESS)).await
    }
}
