//! Where the runs of a test make their scratch folders, so that nothing outlives it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

/// A folder for temporary files, to be given to runs as `TMPDIR`. Dropping it removes what they kept, databases included.
pub(super) struct Scratches {
    temp: tempfile::TempDir,
}

impl Scratches {
    pub(super) fn new() -> Result<Self> {
        let temp = tempfile::tempdir()?;
        // PostgreSQL may run as another user than we do.
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755))?;
        Ok(Self { temp })
    }

    pub(super) fn path(&self) -> &Path {
        self.temp.path()
    }

    /// The scratch folders that there are.
    pub(super) fn left(&self) -> Result<Vec<PathBuf>> {
        let left = fs::read_dir(self.path())?.map(|entry| Ok(entry?.path()));
        left.collect()
    }
}

impl Drop for Scratches {
    fn drop(&mut self) {
        for left in self.left().unwrap_or_default() {
            let _ = Command::new(env!("CARGO_BIN_EXE_freehold"))
                .arg("down")
                .arg(left.join("system"))
                .args(["--destroy", "--yes"])
                .output();
        }
    }
}
