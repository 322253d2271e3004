//! Where a server's things are: beside the state folder's other files, or elsewhere if PostgreSQL cannot get there.

use super::binaries::Binaries;
use super::error::{Error, Result};
use super::files::{at, create_folder, read_text, remove_file, write_whole};
use super::runner::{Runner, state_folder_mode, user_name};
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The folder for data that cannot be kept in the project, because the user PostgreSQL runs as cannot get there.
const ELSEWHERE: &str = "/var/lib/freehold";
/// A unix socket's path must stay below this many bytes on Linux (104 on macOS); its file name takes 16 of them.
const SOCKET_PATH_MAX: usize = 104;

/// The folder that holds `data` and `log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The folder.
    pub(super) root: PathBuf,
    /// Who runs PostgreSQL there.
    pub(super) runner: Runner,
}

impl Place {
    /// Finds the place of the server of state folder `dir`, which exists, or chooses one. Creates nothing but folders
    /// and the pointer file `place`.
    pub(super) async fn find(dir: &Path, binaries: &Binaries) -> Result<Self> {
        let pointer = dir.join("place");
        let known = match read_text(&pointer)? {
            Some(text) if is_ours(Path::new(&text), dir)? => PathBuf::from(text),
            _ => dir.to_owned(),
        };
        if known.join("data").exists() {
            let runner = Runner::owning(&known.join("data"))?;
            return Ok(Self { root: known, runner });
        }
        let runner = Runner::choose()?;
        if known == dir && !can_enter(&runner, dir, binaries).await? {
            let root = Path::new(ELSEWHERE).join(short_hash(dir));
            create_folder(&root, 0o755)?;
            write_whole(&root.join("of"), &dir.display().to_string(), 0o644, &Runner::Caller)?;
            write_whole(&pointer, &root.display().to_string(), 0o644, &Runner::Caller)?;
            tracing::info!(
                place = %root.display(),
                "{} cannot enter {}, so the data are kept in {}",
                user_name(runner.uid()), dir.display(), root.display()
            );
            return Ok(Self { root, runner });
        }
        Ok(Self { root: known, runner })
    }

    /// The data folder.
    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The log folder.
    pub(super) fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// Whether the data are kept away from the state folder.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.root.starts_with(ELSEWHERE)
    }
}

/// Whether the place a pointer names is that of `dir`: a copied project must not share its original's server, while
/// a moved one keeps its own.
fn is_ours(root: &Path, dir: &Path) -> Result<bool> {
    let note = root.join("of");
    let Some(of) = read_text(&note)? else {
        return Ok(false);
    };
    if Path::new(&of) == dir {
        return Ok(true);
    }
    if Path::new(&of).join("place").exists() {
        return Ok(false);
    }
    write_whole(&note, &dir.display().to_string(), 0o644, &Runner::Caller)?;
    Ok(true)
}

/// Tries: mode bits alone would not know of access lists and of file systems that map users.
async fn can_enter(runner: &Runner, dir: &Path, binaries: &Binaries) -> Result<bool> {
    let Runner::Other { name, .. } = runner else {
        return Ok(true);
    };
    let program = binaries.program("pg_ctl");
    let tried = async |folder: &Path| runner.command(&program, folder).arg("--version").output().await;
    match tried(Path::new("/")).await {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            return Err(Error::NotPermitted {
                path: program,
                reason: format!("user {name}, as whom PostgreSQL runs, cannot run it"),
                remedy: "install PostgreSQL where every user can run it".to_owned(),
            });
        }
        Err(source) => return Err(Error::Run { program, source }),
    }
    if tried(dir).await.is_err() {
        return Ok(false);
    }
    // A mapped file system may let it in and yet refuse to give it anything.
    let probe = dir.join("owner.probe");
    fs::write(&probe, "").map_err(at(&probe))?;
    let owned = runner.own(&probe).is_ok();
    fs::remove_file(&probe).map_err(at(&probe))?;
    Ok(owned)
}

/// Prepares the short folder of the socket: private to us, or passable for all if PostgreSQL runs as another user
/// than its caller. It is always `/tmp`: a session's own runtime folder vanishes at logout, under a running server.
///
/// To be called when no server runs: sockets and their lock files that stand there are remains, and go.
///
/// # Errors
/// [`Error::RuntimeFolder`] if somebody else made the folder first.
pub(super) fn prepare_runtime(dir: &Path, runner: &Runner) -> Result<PathBuf> {
    let path = runtime(dir);
    match fs::DirBuilder::new().mode(0o700).create(&path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(at(&path)(e)),
        _ => {}
    }
    let found = fs::symlink_metadata(&path).map_err(at(&path))?;
    // Ours from before a crash, or already handed over.
    let own = nix::unistd::geteuid().as_raw();
    if !found.is_dir() || (found.uid() != own && found.uid() != runner.uid()) {
        return Err(Error::RuntimeFolder {
            path,
            owner: user_name(found.uid()),
        });
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(state_folder_mode())).map_err(at(&path))?;
    runner.own(&path)?;
    for entry in fs::read_dir(&path).map_err(at(&path))? {
        let left = entry.map_err(at(&path))?;
        // A lock file names its process too, and PostgreSQL would believe it.
        if left.file_name().as_encoded_bytes().starts_with(b".s.PGSQL.") {
            remove_file(&left.path())?;
        }
    }
    Ok(path)
}

/// The folder of the socket.
pub(super) fn runtime(dir: &Path) -> PathBuf {
    let path = Path::new("/tmp").join(format!("freehold-{}", short_hash(dir)));
    debug_assert!(path.as_os_str().len() + "/.s.PGSQL.65535".len() < SOCKET_PATH_MAX);
    path
}

/// Twelve hexadecimal digits that stand for a path.
fn short_hash(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    hex::encode(&digest[..6])
}
