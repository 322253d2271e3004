//! A folder of the rig's own: the system's manifests and migrations, its state, logs, and what the workload keeps.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use freehold_manifest::model::System;

use crate::folder::Folder;

/// Passable for others, because PostgreSQL may run as another user; what is secret inside is private by itself.
const MODE: u32 = 0o711;

/// Lines at the end of a log that a failure shows.
const TAIL_LINES: usize = 15;

/// The scratch folder. Dropping it removes it, unless it is to be kept.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    /// Whether there is something in it that outlives us: servers that run, or what somebody wants to look at.
    pub(super) kept: bool,
}

impl Scratch {
    /// Makes the folder, in the machine's folder for temporary files, and writes the system into it.
    ///
    /// The system is written with a private server for each service, so that databases die apart; `freehold` works on
    /// it as on any other.
    pub(super) fn make(folder: &Folder, system: &System) -> Result<Self> {
        let name = format!("freehold-crash-{:08x}", fastrand::Rng::new().u32(..));
        let path = std::env::temp_dir().join(name);
        let at = |path: &Path| format!("cannot write {}", path.display());
        make_folder(&path).with_context(|| at(&path))?;
        let scratch = Self { path, kept: false };
        for folder in [scratch.system(), scratch.logs(), scratch.of_workload()] {
            make_folder(&folder).with_context(|| at(&folder))?;
        }
        let sources = folder.sources.services.values();
        let files = sources.flat_map(|source| std::iter::once(&source.manifest).chain(&source.migrations));
        for file in files {
            let to = scratch.system().join(&file.path);
            let written = to
                .parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| fs::write(&to, &file.text));
            written.with_context(|| at(&to))?;
        }
        let to = scratch.system().join("system.toml");
        fs::write(&to, manifest(system)).with_context(|| at(&to))?;
        Ok(scratch)
    }

    /// The folder itself.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The system's folder.
    pub(super) fn system(&self) -> PathBuf {
        self.path.join("system")
    }

    /// What the workload may keep between its phases: `FREEHOLD_SCRATCH`.
    pub(super) fn of_workload(&self) -> PathBuf {
        self.path.join("workload")
    }

    fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// The log of a process.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(folder = %self.path.display(), %error, "the scratch folder is left behind");
        }
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(MODE).create(path)?;
    // The umask may have taken bits away.
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))
}

/// `system.toml` as the rig runs it.
fn manifest(system: &System) -> String {
    let services: Vec<String> = system.services.iter().map(|s| format!("{:?}", s.name)).collect();
    format!(
        "# Written by freehold verify crash.\nsystem   = {:?}\nservices = [{}]\nport     = {}\n\n\
         [postgres]\nplacement = \"server\"\n",
        system.name,
        services.join(", "),
        system.port,
    )
}

/// Opens a log to write on at its end.
pub(super) fn append(log: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(log)
}

/// The last lines of a log, indented, for an error.
pub(super) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    shown.iter().map(|line| format!("\n  {line}")).collect()
}
