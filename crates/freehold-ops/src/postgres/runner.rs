//! Who runs PostgreSQL: ourselves, or when we are root an unprivileged user, because PostgreSQL refuses root.

use super::error::{Error, Result};
use super::files::at;
use nix::unistd::{Uid, User, geteuid};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use tokio::process::Command;

/// Users a root caller hands PostgreSQL to, in order of preference.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// The user PostgreSQL runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Runner {
    /// The user who called us, who is not root.
    Caller,
    /// Another user; we are root.
    Other {
        /// Its name.
        name: String,
        /// Its user id.
        uid: u32,
        /// Its group id.
        gid: u32,
    },
}

impl Runner {
    /// The user for data that do not exist yet.
    pub(super) fn choose() -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::Caller);
        }
        for name in UNPRIVILEGED {
            if let Ok(Some(user)) = User::from_name(name) {
                return Ok(Self::of(user));
            }
        }
        Err(Error::NotPermitted {
            path: "/etc/passwd".into(),
            reason: "PostgreSQL refuses to run as root, and there is no user postgres or nobody".to_owned(),
            remedy: "create one with `useradd --system postgres`, or run as an ordinary user".to_owned(),
        })
    }

    /// The user for data that exist: PostgreSQL insists on their owner.
    pub(super) fn owning(data: &Path) -> Result<Self> {
        let owner = fs::metadata(data).map_err(at(data))?.uid();
        let refused = |reason: String, remedy: &str| Error::NotPermitted {
            path: data.to_owned(),
            reason,
            remedy: remedy.to_owned(),
        };
        let user = User::from_uid(Uid::from_raw(owner)).ok().flatten();
        let name = user.as_ref().map_or_else(|| owner.to_string(), |u| u.name.clone());
        if !geteuid().is_root() {
            return if owner == geteuid().as_raw() {
                Ok(Self::Caller)
            } else {
                Err(refused(
                    format!("the data belong to {name}"),
                    "run as that user, or as root",
                ))
            };
        }
        match user {
            _ if owner == 0 => Err(refused(
                "the data belong to root, as whom PostgreSQL refuses to run".to_owned(),
                "give them to an unprivileged user with `chown -R postgres`",
            )),
            Some(user) => Ok(Self::of(user)),
            None => Ok(Self::Other {
                name,
                uid: owner,
                gid: owner,
            }),
        }
    }

    fn of(user: User) -> Self {
        Self::Other {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            name: user.name,
        }
    }

    /// Its user id.
    pub(super) fn uid(&self) -> u32 {
        match self {
            Self::Caller => geteuid().as_raw(),
            Self::Other { uid, .. } => *uid,
        }
    }

    /// A command that runs as this user, in `folder`, without the caller's PostgreSQL settings and in plain English.
    pub(super) fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(std::process::Stdio::null());
        for (key, _) in std::env::vars_os() {
            if key.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(key);
            }
        }
        // Messages are read by us (a full disk, a taken port), so they must not be translated.
        command.env("LC_ALL", "C");
        if let Self::Other { uid, gid, .. } = self {
            command.gid(*gid).uid(*uid);
        }
        command
    }

    /// Gives a file or folder to this user.
    pub(super) fn own(&self, path: &Path) -> Result<()> {
        match self {
            Self::Caller => Ok(()),
            Self::Other { uid, gid, .. } => chown(path, Some(*uid), Some(*gid)).map_err(at(path)),
        }
    }
}

/// The name of a user for a message, or its number.
pub(super) fn user_name(uid: u32) -> String {
    User::from_uid(Uid::from_raw(uid))
        .ok()
        .flatten()
        .map_or_else(|| format!("user {uid}"), |user| format!("user {}", user.name))
}

/// The mode of a new state folder: closed to others, but passable when PostgreSQL will run as another user.
pub(super) fn state_folder_mode() -> u32 {
    if geteuid().is_root() { 0o711 } else { 0o700 }
}
