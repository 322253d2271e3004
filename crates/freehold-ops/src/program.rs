//! The programs of services with behaviour of their own: where they are found, and how `freehold serve` becomes one.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use freehold_manifest::model::{Service, System};
use nix::errno::Errno;

use crate::folder::Folder;

/// The folders to look in first, separated as in `PATH`.
const FOLDERS: &str = "FREEHOLD_PROGRAMS";

/// The variable that holds the one database a program may open.
const DATABASE: &str = "FREEHOLD_DATABASE_URL";

/// The endings of variables of ours that hold the secret of some service or of the administrator.
const SECRETS: [&str; 3] = ["_PASSWORD", "_TOKEN", "_DATABASE_URL"];

/// Looks for every program that the system names.
///
/// # Errors
/// As [`find`], for the first service whose program is missing.
pub fn must_exist(folder: &Folder, system: &System) -> Result<()> {
    for service in &system.services {
        find(folder, service)?;
    }
    Ok(())
}

/// The program of a service; none if its manifest names none.
///
/// Looked for in the folders of `FREEHOLD_PROGRAMS`, then beside the `freehold` that runs (in the folder it was started
/// from, and where a link there leads), then in `PATH`.
///
/// # Errors
/// When it is in none of them, naming the service, the program, the folders and what to do; when all that bears its name
/// is not executable.
pub fn find(folder: &Folder, service: &Service) -> Result<Option<PathBuf>> {
    let Some(name) = &service.program else {
        return Ok(None);
    };
    let places = [
        (FOLDERS, folders_of(FOLDERS)),
        ("beside freehold", beside_us()),
        ("PATH", folders_of("PATH")),
    ];
    let files = || places.iter().flat_map(|(_, folders)| folders).map(|f| f.join(name));
    if let Some(program) = files().find(|file| is_executable(file)) {
        return Ok(Some(program));
    }
    let service = &service.name;
    if let Some(file) = files().find(|file| file.is_file()) {
        bail!(
            "{}, the program of service {service}, is not executable: run `chmod +x` on it, or build it anew",
            file.display()
        );
    }
    let searched = places.iter().filter(|(_, folders)| !folders.is_empty());
    let looked_in: Vec<String> = searched
        .map(|(place, folders)| {
            let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
            format!("{} ({place})", folders.join(", "))
        })
        .collect();
    bail!(
        "cannot find {name}, the program of service {service}, in {}: {}name its folder in {FOLDERS}",
        looked_in.join(", "),
        how_to_build(folder, service)
    )
}

/// How to build the program, if the service's folder is a crate.
fn how_to_build(folder: &Folder, service: &str) -> String {
    let cargo = folder.path.join(service).join("Cargo.toml");
    if cargo.is_file() {
        format!("build it, with `cargo build --manifest-path {}`, and ", cargo.display())
    } else {
        String::new()
    }
}

/// The folders that a variable of the environment lists.
fn folders_of(variable: &str) -> Vec<PathBuf> {
    let listed = env::var_os(variable).unwrap_or_default();
    let folders = env::split_paths(&listed);
    folders.filter(|folder| !folder.as_os_str().is_empty()).collect()
}

/// The folder from which this command was started, and the one where its file is.
fn beside_us() -> Vec<PathBuf> {
    let started = env::args_os().next().map(PathBuf::from).and_then(|command| {
        if command.components().count() > 1 {
            return Some(command);
        }
        // A bare name: the shell took the first of `PATH`.
        let mut files = folders_of("PATH").into_iter().map(|folder| folder.join(&command));
        files.find(|file| is_executable(file))
    });
    let mut folders: Vec<PathBuf> = Vec::new();
    for file in started.into_iter().chain(env::current_exe().ok()) {
        if let Some(folder) = file.parent()
            && !folders.iter().any(|known| known == folder)
        {
            folders.push(folder.to_owned());
        }
    }
    folders
}

fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Turns this process into `program`, which keeps the process id, what is open as standard input, output and error, and
/// the environment; `more` is added to it. Returns only if that fails, and then nothing has changed.
///
/// What else this environment may hold for the operator stays behind: passwords, tokens and databases of all services,
/// and the administrator's password. `FREEHOLD_DATABASE_URL`, `FREEHOLD_ACCEPTS` and `FREEHOLD_PEERS` are the program's.
///
/// # Errors
/// When the file cannot be executed: not a program, of another machine, or its interpreter is missing.
pub fn become_program(program: &Path, more: &[(String, String)]) -> Result<Infallible> {
    let mut environment: BTreeMap<OsString, OsString> =
        env::vars_os().filter(|(name, _)| !is_operators_secret(name)).collect();
    environment.extend(more.iter().map(|(name, value)| (name.into(), value.into())));
    let variables = environment.iter().map(|(name, value)| {
        let pair = [name.as_bytes(), b"=", value.as_bytes()].concat();
        CString::new(pair).with_context(|| format!("{} holds a NUL byte", name.display()))
    });
    let variables: Vec<CString> = variables.collect::<Result<_>>()?;
    let path = CString::new(program.as_os_str().as_bytes()).context("the program's path holds a NUL byte")?;
    // Not the standard library's `exec`: on Linux that hands a file which is no program to the shell.
    let Err(errno) = nix::unistd::execve(&path, &[&path], &variables);
    let remedy = match errno {
        Errno::ENOEXEC => "; it is not a program for this machine: build it anew",
        Errno::ENOENT => "; the interpreter or loader that it asks for is not there",
        Errno::EACCES => "; run `chmod +x` on it, and look whether its folder lets programs run",
        _ => "",
    };
    Err(anyhow!("cannot run {}: {}{remedy}", program.display(), errno.desc()))
}

/// Whether a variable holds a secret of the operator's, like `FREEHOLD_ORDER_APP_PASSWORD` or `PGPASSWORD`.
fn is_operators_secret(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let ours = name.starts_with("FREEHOLD_") && name != DATABASE;
    name == "PGPASSWORD" || ours && SECRETS.iter().any(|end| name.ends_with(end))
}
