//! `freehold projections`: how far the read models are, and one of them built anew.

mod list;
mod rebuild;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum Projections {
    /// List the projections, how far each is, and why one stands still
    List(list::List),
    /// Fold a projection anew from its first event, while it is read and written
    Rebuild(rebuild::Rebuild),
}

impl Projections {
    pub(super) async fn run(self) -> Result<ExitCode> {
        match self {
            Self::List(verb) => verb.run().await,
            Self::Rebuild(verb) => verb.run().await,
        }
    }
}
