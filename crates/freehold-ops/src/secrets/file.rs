//! The file of one service's secrets: read, and written whole or not at all.

use super::{Error, Login, Secret};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The folder of secrets in the state folder.
const FOLDER: &str = "secrets";
/// Only the user who runs the commands.
const FILE_MODE: u32 = 0o600;
/// Only the user who runs the commands.
const FOLDER_MODE: u32 = 0o700;
/// The bits of group and others.
const OTHERS: u32 = 0o077;

/// The file of `service` in state folder `dir` (`.freehold`).
#[must_use]
pub fn path_of(dir: &Path, service: &str) -> PathBuf {
    dir.join(FOLDER).join(format!("{service}.json"))
}

/// What the file says. No `Debug`: it holds clear secrets.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    migrator: Option<String>,
    app: Option<String>,
    reader: Option<String>,
    pub(super) key: Option<String>,
    #[serde(default)]
    pub(super) feed: StoredFeed,
    /// Entries of others, kept as they are.
    #[serde(flatten)]
    other: BTreeMap<String, serde_json::Value>,
}

/// The tokens in the file.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredFeed {
    /// By calling service.
    #[serde(default)]
    pub(super) accepts: BTreeMap<String, String>,
    /// By producer.
    #[serde(default)]
    pub(super) presents: BTreeMap<String, String>,
}

impl Stored {
    pub(super) fn password(&self, login: Login) -> Option<String> {
        match login {
            Login::Migrator => self.migrator.clone(),
            Login::App => self.app.clone(),
            Login::Reader => self.reader.clone(),
        }
        .filter(|password| !password.is_empty())
    }

    pub(super) fn fill(&mut self) -> Result<(), Error> {
        if self.key.as_ref().is_none_or(String::is_empty) {
            self.key = Some(Secret::generate()?.expose().to_owned());
        }
        for login in Login::ALL {
            if self.password(login).is_some() {
                continue;
            }
            let made = Some(Secret::generate()?.expose().to_owned());
            match login {
                Login::Migrator => self.migrator = made,
                Login::App => self.app = made,
                Login::Reader => self.reader = made,
            }
        }
        Ok(())
    }
}

/// The content of the file; `None` if there is none.
pub(super) fn read(path: &Path) -> Result<Option<Stored>, Error> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    // Of the opened file, so that nobody swaps it between the look and the reading.
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(Error::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let text = io::read_to_string(file).map_err(failed)?;
    serde_json::from_str(&text).map(Some).map_err(|wrong| Error::Damaged {
        path: path.to_owned(),
        line: wrong.line(),
    })
}

/// Writes the file anew. After a crash it has its former or its new content, never a part.
pub(super) fn write(path: &Path, stored: &Stored) -> Result<(), Error> {
    let failed = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    let text = serde_json::to_string_pretty(stored)
        .map_err(io::Error::other)
        .map_err(failed)?;
    replace(path, &text).map_err(failed)
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    let fresh = path.with_extension(format!("json.{}", std::process::id()));
    // A remnant of a crashed process of the same id would keep its own mode.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(&fresh)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written?;
    File::open(folder)?.sync_all()
}
