//! `freehold projections list`.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::events::lines::{BAD, PLAIN, print, span, table};
use crate::cli::events::{Found, chosen, ground, outcome};
use crate::cli::{Where, paint};
use crate::events::Reached;
use crate::projections::{self, Projection};
use crate::secrets::Login;

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 1 if a projection stands still.

Examples:
  freehold projections list systems/notes
  freehold projections list systems/notes --service notes --json")]
pub(in crate::cli) struct List {
    #[command(flatten)]
    place: Where,
    /// Only projections of this service
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Print for programs
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (folder, system) = match self.place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let services = chosen(&system, self.service.as_deref())?;
        let ground = ground(&folder, &system).await?;
        let reached = Reached::open(&ground, &services, Login::Reader).await?;
        let mut found = Vec::new();
        for database in &reached.databases {
            found.extend(projections::list(database).await?);
        }
        if self.json {
            print(&(serde_json::to_string_pretty(&found)? + "\n"))?;
        } else if found.is_empty() {
            paint::done("no projections");
        } else {
            print(&render(&found))?;
        }
        let still = found.iter().any(Projection::stands_still);
        Ok(outcome(&reached, Found::when(still)))
    }
}

fn render(found: &[Projection]) -> String {
    let rows = found.iter().map(|projection| {
        let style = if projection.stands_still() { BAD } else { PLAIN };
        let cells = vec![
            projection.service.clone(),
            projection.name.clone(),
            projection.timing.clone(),
            projection.state.clone(),
            projection.behind.to_string(),
            rebuild(projection),
            projection.error.clone().unwrap_or_default(),
        ];
        (style, cells)
    });
    table(
        &[
            "service",
            "projection",
            "timing",
            "state",
            "#behind",
            "rebuild",
            "error",
        ],
        rows.collect(),
    )
}

/// `61200 of 200000, 4s`
fn rebuild(projection: &Projection) -> String {
    projection.rebuild.as_ref().map_or_else(String::new, |rebuild| {
        format!("{} of {}, {}", rebuild.position, rebuild.of, span(rebuild.age_s))
    })
}
