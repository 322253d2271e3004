//! `freehold verify`: attack what must hold.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use super::borrowed::Borrowed;
use super::{Where, paint};
use crate::ground::Ground;
use crate::isolation::{self, Matrix};

#[derive(Debug, Subcommand)]
pub(super) enum Verify {
    /// Attack every service's data with every other service's credentials
    Isolation(Isolation),
    /// Look for alterations of append-only rows, histories and logs
    History(super::history::History),
    /// Break a system at work, at random, and say what was lost, doubled, out of order or stuck
    Crash(super::crash::Crash),
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
            Self::History(history) => history.run().await,
            Self::Crash(crash) => crash.run().await,
        }
    }
}

impl Isolation {
    async fn run(self) -> Result<ExitCode> {
        let (folder, system) = match self.place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let borrowed = Borrowed::open_existing(&folder, &system).await?;
        let matrix = borrowed.with(async |ground| self.attack(ground).await).await?;
        if self.json {
            paint::result(serde_json::to_string_pretty(&matrix)?)?;
        } else {
            paint::result(matrix.render())?;
        }
        Ok(ExitCode::from(u8::from(!matrix.holds())))
    }

    #[cfg(not(feature = "plant"))]
    async fn attack(&self, ground: &Ground) -> Result<Matrix> {
        Ok(isolation::verify(&ground.system, &ground.clusters, &ground.secrets).await?)
    }

    #[cfg(feature = "plant")]
    async fn attack(&self, ground: &Ground) -> Result<Matrix> {
        let planted = match &self.plant {
            None => None,
            Some(name) => Some(planted::open(ground, name.parse()?).await?),
        };
        let matrix = isolation::verify(&ground.system, &ground.clusters, &ground.secrets).await;
        if let Some(planted) = planted {
            planted::close(ground, &planted).await?;
        }
        Ok(matrix?)
    }
}

/// A wall opened on purpose, for the length of one run.
#[cfg(feature = "plant")]
mod planted {
    use anyhow::{Context, Result};
    use freehold_manifest::model::Mode;

    use crate::ground::Ground;
    use crate::isolation::plant::{Plant, Planted, plant};

    pub(super) async fn open(ground: &Ground, defect: Plant) -> Result<Planted> {
        let services = &ground.system.services;
        let last = services.last().context("a system without services")?;
        let walled = services
            .iter()
            .find(|s| s.owns.iter().any(|t| t.mode == Mode::AppendOnly));
        let (attacker, victim) = match defect {
            Plant::OwnAppendOnly => {
                let own = walled.context("no service owns an append-only table")?;
                (own, own)
            }
            Plant::GrantDdl => (last, last),
            Plant::GrantConnect | Plant::GrantRole | Plant::GrantSelect => (last, &services[0]),
        };
        let planted = plant(defect, &ground.system, &ground.clusters, attacker, victim).await?;
        ground.let_in(&planted.access).await?;
        Ok(planted)
    }

    pub(super) async fn close(ground: &Ground, planted: &Planted) -> Result<()> {
        planted.undo(&ground.clusters).await?;
        ground.let_in(&[]).await
    }
}
