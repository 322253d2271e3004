//! Small files, written whole or not at all.

use super::error::{Error, Result};
use super::postmaster::LOOK_EVERY;
use super::runner::Runner;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// An `initdb` whose parent was killed goes on writing for a moment, until it misses what was removed.
const REMOVE_WAIT: Duration = Duration::from_secs(10);

/// Whether the output of PostgreSQL's programs speaks of a full disk: the C library's words, or PostgreSQL's own when
/// the disk fills in the middle of a block.
pub(super) fn tells_of_full_disk(output: &str) -> bool {
    ["No space left on device", "Check free disk space", "wrote only "]
        .iter()
        .any(|words| output.contains(words))
}

/// Turns an error of the system into ours, with the path it is about.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::DiskFull {
            path,
            tail: String::new(),
        },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Error::NotPermitted {
            path,
            reason: source.to_string(),
            remedy: "run as the user this folder belongs to, or change its owner".to_owned(),
        },
        _ => Error::File { path, source },
    }
}

/// Creates a folder and those above it with `mode`; one that exists stays as it is.
pub(super) fn create_folder(path: &Path, mode: u32) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(at(path))
}

/// Writes a file whole: a crash leaves the former content or the new one. It belongs to `runner`.
pub(super) fn write_whole(path: &Path, text: &str, mode: u32, runner: &Runner) -> Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    remove_file(&fresh)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&fresh)
        .map_err(at(&fresh))?;
    file.write_all(text.as_bytes()).map_err(at(&fresh))?;
    // The umask may have taken bits away.
    file.set_permissions(Permissions::from_mode(mode)).map_err(at(&fresh))?;
    file.sync_all().map_err(at(&fresh))?;
    runner.own(&fresh)?;
    fs::rename(&fresh, path).map_err(at(path))?;
    sync_parent(path)
}

/// Makes a rename in the folder of `path` outlive a power cut.
pub(super) fn sync_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else {
        return Ok(());
    };
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(at(parent))
}

/// The trimmed text of a file, or `None` if there is no such file.
pub(super) fn read_text(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(at(path)(e)),
    }
}

/// Removes a file; none is as good.
pub(super) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(at(path)(e)),
        _ => Ok(()),
    }
}

/// Removes a folder and all in it, off the async threads; none is as good.
pub(super) async fn remove_folder(path: &Path) -> Result<()> {
    let until = Instant::now() + REMOVE_WAIT;
    loop {
        let owned = path.to_owned();
        let removed = tokio::task::spawn_blocking(move || fs::remove_dir_all(owned)).await;
        match removed.map_err(io::Error::other).and_then(|done| done) {
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty && Instant::now() < until => {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(at(path)(e)),
            _ => return Ok(()),
        }
    }
}

/// `bytes` random bytes of the system, in hexadecimal.
pub(super) fn random_hex(bytes: usize) -> Result<String> {
    let source = Path::new("/dev/urandom");
    let mut drawn = vec![0; bytes];
    File::open(source)
        .and_then(|mut file| file.read_exact(&mut drawn))
        .map_err(at(source))?;
    Ok(hex::encode(drawn))
}
