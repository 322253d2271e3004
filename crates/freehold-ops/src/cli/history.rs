//! `freehold verify history`: prints what was found.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::borrowed::Borrowed;
use super::{Where, paint};
use crate::history::{self, Progress};

/// Between two words of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every row of an append-only table, and every version in a history, is compared with its digest in
the log; the log with its own chain; the chain with those who have seen it. A log without a
finding is written down in .freehold/witness and in the databases of the other services.

Examples:
  freehold verify history systems/shop
  freehold verify history systems/shop --json | jq '.services[].findings[]'

Exit codes: 0 nothing was altered, 1 something was, 2 it could not be told."
)]
pub(super) struct History {
    #[command(flatten)]
    place: Where,
    /// Print for programs
    #[arg(long)]
    json: bool,
}

impl History {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (folder, system) = match self.place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let state = folder.state();
        let borrowed = Borrowed::open_existing(&folder, &system).await?;
        let report = borrowed
            .with(async |ground| {
                let mut told = Instant::now();
                let mut tell = |progress: Progress<'_>| {
                    if std::io::stderr().is_terminal() && told.elapsed() >= PROGRESS_EVERY {
                        told = Instant::now();
                        let Progress { service, done, of } = progress;
                        paint::note(&format!("{service}: {done} of {of} messages"));
                    }
                };
                history::verify(ground, &state, &mut tell).await
            })
            .await?;
        if self.json {
            paint::result(serde_json::to_string_pretty(&report)?)?;
        } else {
            paint::result(report.render())?;
        }
        Ok(ExitCode::from(u8::from(!report.holds())))
    }
}
