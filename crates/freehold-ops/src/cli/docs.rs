//! `freehold docs`: a system's documents, generated or compared.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::{Where, paint};
use crate::docs;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  freehold docs systems/shop
  freehold docs systems/shop --check
  freehold docs systems/shop --out docs/shop")]
pub(super) struct Docs {
    #[command(flatten)]
    place: Where,
    /// The folder to write into; `docs` in the system's folder unless given
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Write nothing; end with 1 if what is there is not what would be written
    #[arg(long)]
    check: bool,
}

impl Docs {
    pub(super) fn run(self) -> Result<ExitCode> {
        let (folder, system) = match self.place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let pages = docs::pages(&system, &folder.checked.contracts);
        let out = self.out.clone().unwrap_or_else(|| folder.path.join("docs"));
        if !self.check {
            for file in docs::write(&out, &pages)? {
                paint::done(&format!("{} written", file.display()));
            }
            paint::done(&format!(
                "{}: {} documents in {}",
                system.name,
                pages.len(),
                out.display()
            ));
            return Ok(ExitCode::SUCCESS);
        }
        let stale = docs::stale(&out, &pages)?;
        for file in &stale {
            paint::trouble(&format!(
                "{} is not what the manifests and migrations say",
                file.display()
            ));
        }
        if stale.is_empty() {
            paint::done(&format!("{}: its documents are up to date", system.name));
            return Ok(ExitCode::SUCCESS);
        }
        let given = self
            .out
            .map_or(String::new(), |out| format!(" --out {}", out.display()));
        paint::note(&format!(
            "write them anew: freehold docs {}{given}",
            folder.path.display()
        ));
        Ok(ExitCode::from(1))
    }
}
