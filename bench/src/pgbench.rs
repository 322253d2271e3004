//! pgbench: PostgreSQL's own load generator, which sends prepared statements and reads what they bring back.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// Where it runs.
pub(crate) struct Pgbench {
    pub(crate) program: PathBuf,
    /// The database, as a URL.
    pub(crate) url: String,
    /// A folder for the script.
    pub(crate) folder: PathBuf,
    pub(crate) clients: usize,
}

/// What came of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) transactions: u64,
    /// A second, connecting left out.
    pub(crate) rate: f64,
}

impl Pgbench {
    /// Runs a script for a while. `turn` is 0 for each client at the start; the script may count with it.
    pub(crate) async fn run(&self, script: &str, seconds: u32) -> Result<Run> {
        let file = self.folder.join("pgbench.sql");
        std::fs::write(&file, script)?;
        let output = Command::new(&self.program)
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--define=turn=0"])
            .arg(format!("--client={}", self.clients))
            .arg(format!("--time={seconds}"))
            .arg(format!("--file={}", file.display()))
            .arg(&self.url)
            .output()
            .await
            .context("cannot run pgbench")?;
        let (text, errors) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        if !output.status.success() {
            bail!("pgbench: {errors}");
        }
        let told = |before: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(before)?.split([' ', '/']).next())
                .with_context(|| format!("pgbench did not tell `{before}`: {text}{errors}"))
        };
        Ok(Run {
            transactions: told("number of transactions actually processed: ")?.parse()?,
            rate: told("tps = ")?.parse()?,
        })
    }
}
