//! `freehold projections rebuild`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::events::{ground, service};
use crate::cli::{Where, paint};
use crate::events::Database;
use crate::projections;
use crate::secrets::Login;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The service itself does the work, or does it when it starts. Readers see the former rows until the new ones
are whole, and only rows that differ are touched. `freehold projections list` tells how far it is.

Example:
  freehold projections rebuild systems/notes notes note_texts"
)]
pub(in crate::cli) struct Rebuild {
    /// The system's folder
    system: PathBuf,
    /// The service
    service: String,
    /// The projection
    projection: String,
}

impl Rebuild {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let place = Where { system: self.system };
        let (folder, system) = match place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let of = service(&system, &self.service)?;
        let ground = ground(&folder, &system).await?;
        let database = Database::enter(&ground, of, Login::App).await?;
        projections::rebuild(&database, &self.projection).await?;
        let when = match database.service_runs().await? {
            true => "now",
            false => "when it starts",
        };
        paint::done(&format!("{} folds {} anew {when}", of.name, self.projection));
        Ok(ExitCode::SUCCESS)
    }
}
