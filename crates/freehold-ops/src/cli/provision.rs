//! `freehold provision`: databases, roles and grants, or the SQL that would make them.

use std::process::ExitCode;

use anyhow::Result;

use super::borrowed::Borrowed;
use super::{Where, paint};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  freehold provision systems/shop --dry-run
  freehold provision systems/shop")]
pub(super) struct Provision {
    #[command(flatten)]
    place: Where,
    /// Print the SQL and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Provision {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (folder, system) = match self.place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let borrowed = Borrowed::open(&folder, &system).await?;
        borrowed
            .with(async |ground| {
                if self.dry_run {
                    let plan = crate::provision::plan(&system, &ground.clusters, &ground.secrets).await?;
                    paint::result(&plan)?;
                    if plan.statements.is_empty() {
                        paint::done("databases and roles are as the manifest says");
                    }
                } else {
                    report(&ground.provision().await?);
                }
                Ok(ExitCode::SUCCESS)
            })
            .await
    }
}

/// Says what was done and what is to know.
pub(super) fn report(plan: &crate::provision::Plan) {
    match plan.statements.len() {
        0 => paint::done("databases and roles were as the manifest says"),
        1 => paint::done("databases and roles: 1 statement"),
        n => paint::done(&format!("databases and roles: {n} statements")),
    }
    for note in &plan.notes {
        paint::note(&note.to_string());
    }
}
