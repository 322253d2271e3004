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
    pub(super) fn run(self) -> Result<ExitCode> {
        let mut command = super::Arguments::command();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "freehold", &mut script);
        super::paint::result(String::from_utf8(script)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
