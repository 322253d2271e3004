//! `freehold down`: stop a private server that was left running; with `--destroy`, remove it and its data.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use super::{Where, paint};
use crate::folder;
use crate::postgres::{Lock, Server, Stop};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  freehold down systems/shop
  freehold down systems/shop --destroy")]
pub(super) struct Down {
    #[command(flatten)]
    place: Where,
    /// Remove the private server with all its data, after asking
    #[arg(long)]
    destroy: bool,
    /// Do not ask
    #[arg(long, requires = "destroy")]
    yes: bool,
}

impl Down {
    pub(super) async fn run(self) -> Result<ExitCode> {
        // Not read through the manifest: a system whose manifest is broken can still be taken down.
        let state = self.place.system.join(".freehold");
        let servers = state.join("postgres");
        if !servers.is_dir() {
            if !self.place.system.join("system.toml").is_file() {
                return Err(folder::no_system(&self.place.system));
            }
            paint::note(&format!("{} has no private server", self.place.system.display()));
            return Ok(ExitCode::SUCCESS);
        }
        let _lock = Lock::take(&state)?;
        if self.destroy && !self.yes && !confirmed(&self.place.system)? {
            paint::note("nothing was removed");
            return Ok(ExitCode::from(1));
        }
        for entry in std::fs::read_dir(&servers).with_context(|| format!("cannot read {}", servers.display()))? {
            let dir = entry?.path();
            if !dir.is_dir() {
                continue;
            }
            let server = match Server::open(&dir).await {
                Ok(server) => server,
                // Of another version, without its programs or its password: what does not run can be removed all the same.
                Err(_) if self.destroy && !dir.join("data").join("postmaster.pid").exists() => continue,
                Err(error) => return Err(error.into()),
            };
            if self.destroy {
                server.destroy().await?;
            } else {
                server.stop(Stop::Fast).await?;
            }
        }
        if self.destroy {
            std::fs::remove_dir_all(&state).with_context(|| format!("cannot remove {}", state.display()))?;
            paint::done("the private server and its data are gone");
        } else {
            paint::done("the private server is stopped; its data are kept");
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn confirmed(system: &Path) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("--destroy asks before it removes data, and there is no terminal: add --yes");
    }
    eprint!("Remove every database of {} for good? Type yes: ", system.display());
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
