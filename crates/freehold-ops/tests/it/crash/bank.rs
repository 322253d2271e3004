//! A copy of the bank in a temporary folder, and runs of the rig on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use freehold_ops::crash::{Plan, Remains, Rig};
use freehold_ops::folder::Folder;

use super::scratches::Scratches;

/// The program under test.
const FREEHOLD: &str = env!("CARGO_BIN_EXE_freehold");

/// Where the bank's workload is.
const PROGRAMS: &str = "FREEHOLD_PROGRAMS";

/// The bank. Dropping it removes it, and what runs kept of it.
pub(super) struct Bank {
    temp: tempfile::TempDir,
    scratches: Scratches,
}

impl Bank {
    pub(super) fn new() -> Result<Self> {
        let bank = Self {
            temp: tempfile::tempdir()?,
            scratches: Scratches::new()?,
        };
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bank");
        copy(&from, &bank.path())?;
        Ok(bank)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.temp.path().join("bank")
    }

    /// Where its runs make their scratch folders.
    pub(super) fn scratches(&self) -> &Scratches {
        &self.scratches
    }

    /// Writes a file into it.
    pub(super) fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().context("a file in a folder")?)?;
        fs::write(&path, text).with_context(|| path.display().to_string())
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(FREEHOLD);
        command
            .args(["verify", "crash"])
            .arg(self.path())
            .args(words)
            .env(PROGRAMS, programs()?)
            .env("TMPDIR", self.scratches.path())
            .env("FREEHOLD_LOG", "warn,deadpool.postgres=error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(command)
    }

    /// Runs `freehold verify crash` on it.
    pub(super) fn verify(&self, words: &[&str]) -> Result<Said> {
        Ok(Said::from(self.command(words)?.output()?))
    }

    /// Runs it with a defect that the library shows on purpose.
    #[cfg(feature = "plant")]
    pub(super) fn verify_planted(&self, plant: &str, words: &[&str]) -> Result<Said> {
        Ok(Said::from(self.command(words)?.env("FREEHOLD_PLANT", plant).output()?))
    }

    /// Begins `freehold verify crash` on it.
    pub(super) fn begin(&self, words: &[&str]) -> Result<Child> {
        Ok(self.command(words)?.spawn()?)
    }

    /// A rig on it, in this process, without faults.
    pub(super) async fn rig(&self, work: u64, limit: Duration) -> Result<Rig> {
        let folder = Folder::read(&self.path())?;
        let mut system = folder
            .checked
            .system
            .clone()
            .context("the bank's manifests can be used")?;
        // Whole paths, for this process's environment names no folder of programs.
        let whole = |name: &String| Ok::<_, anyhow::Error>(programs()?.join(name).display().to_string());
        system.workload = system.workload.as_ref().map(whole).transpose()?;
        for service in &mut system.services {
            service.program = service.program.as_ref().map(whole).transpose()?;
        }
        let plan = Plan {
            seed: 1,
            faults: 0,
            limit,
            work,
            plant: None,
            program: FREEHOLD.into(),
            remains: Remains::Removed,
        };
        Rig::open(&folder, &system, plan).await
    }
}

/// The folder of the examples' programs, which are built with the tests.
fn programs() -> Result<PathBuf> {
    let folder = Path::new(FREEHOLD)
        .parent()
        .context("a program in a folder")?
        .join("examples");
    ensure!(
        folder.join("bank").is_file(),
        "{} has no program bank: build it with `cargo build -p freehold-ops --examples`",
        folder.display()
    );
    Ok(folder)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &to)?,
            false => {
                fs::copy(entry.path(), to)?;
            }
        }
    }
    Ok(())
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
