//! `freehold completions`: a script for the shell.

use std::process::ExitCode;

use anyhow::Result;
use clap::CommandFactory;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  freehold completions bash > ~/.local/share/bash-completion/completions/freehold")]
pub(super) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    #[expect(clippy::unnecessary_wraps, reason = "all verbs answer alike")]
    pub(super) fn run(self) -> Result<ExitCode> {
        let mut command = super::Arguments::command();
        clap_complete::generate(self.shell, &mut command, "freehold", &mut std::io::stdout());
        Ok(ExitCode::SUCCESS)
    }
}
