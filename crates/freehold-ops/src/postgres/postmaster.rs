//! The first process of a running server, as its `postmaster.pid` names it.
//!
//! The file alone proves nothing: it stays after a crash, its process id may since have been given to another process,
//! and it is copied along with a project. So the process is asked as well: a postmaster works in its data folder.

use super::error::{Error, Result};
use super::files::{at, read_text, remove_file};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Backends of a killed postmaster notice by themselves within this time, unless they are in a long statement.
const ORPHANS_PATIENCE: Duration = Duration::from_secs(1);
/// After that they are told to quit, and must be gone within this time.
const ORPHANS_WAIT: Duration = Duration::from_secs(10);
/// How often a wait looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running server's first process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Postmaster {
    pub(super) pid: i32,
    pub(super) phase: Phase,
    /// TCP port; 0 until the file is whole.
    pub(super) port: u16,
    /// The folder of its socket; empty until the file is whole.
    pub(super) socket_folder: PathBuf,
}

/// What a server says of itself. It writes the phase; we only read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Starting or recovering: next is `Ready`, or its end.
    Starting,
    /// It takes connections.
    Ready,
    /// It is going down.
    Stopping,
}

/// What stands in the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// No server runs.
    Nothing,
    /// The file is left over, and its process id belongs to a process that is none of ours (or to a dead one nobody
    /// has reaped): PostgreSQL would refuse to start.
    Stranger(i32),
    /// Ours, running.
    Running(Postmaster),
}

/// Looks whether a server runs on `data`.
pub(super) fn look(data: &Path) -> Result<Found> {
    let Some(text) = read_text(&data.join("postmaster.pid"))? else {
        return Ok(Found::Nothing);
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let line = |number: usize| lines.get(number - 1).copied().unwrap_or_default();
    // A standalone backend writes its id negative.
    let Some(pid) = line(1).parse::<i32>().ok().map(i32::abs).filter(|p| *p > 0) else {
        return Ok(Found::Nothing);
    };
    if matches!(kill(Pid::from_raw(pid), None), Err(Errno::ESRCH | Errno::EPERM)) {
        return Ok(Found::Nothing);
    }
    if !is_postmaster_of(pid, data, line(2)) {
        return Ok(Found::Stranger(pid));
    }
    Ok(Found::Running(Postmaster {
        pid,
        phase: match line(8) {
            "ready" | "standby" => Phase::Ready,
            "stopping" => Phase::Stopping,
            _ => Phase::Starting,
        },
        port: line(4).parse().unwrap_or_default(),
        socket_folder: line(5).into(),
    }))
}

/// Whether the living process `pid` is the postmaster of `data`.
fn is_postmaster_of(pid: i32, data: &Path, noted: &str) -> bool {
    if Path::new("/proc/self").exists() {
        match works_in(&Path::new("/proc").join(pid.to_string()), data) {
            Ok(works_there) => return works_there,
            // Dead, and not reaped by its parent.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return false,
            Err(_) => {}
        }
    }
    let is_postgres = std::process::Command::new("ps")
        .args(["-o", "comm=", "-p", &pid.to_string()])
        .output()
        .is_ok_and(|answer| String::from_utf8_lossy(&answer.stdout).contains("postgres"));
    is_postgres && data.canonicalize().is_ok_and(|data| data == Path::new(noted))
}

/// Whether the process of this `/proc` folder has `data` as its working folder, by whatever path.
fn works_in(process: &Path, data: &Path) -> io::Result<bool> {
    let (theirs, ours) = (fs::metadata(process.join("cwd"))?, fs::metadata(data)?);
    Ok((theirs.dev(), theirs.ino()) == (ours.dev(), ours.ino()))
}

/// Makes sure that nothing of a former server still touches `data`, and that its left-over file does not stop the next.
/// To be called when [`look`] found no running server.
pub(super) async fn clear_remains(data: &Path) -> Result<()> {
    let since = tokio::time::Instant::now();
    loop {
        let orphans = orphans(data);
        if orphans.is_empty() {
            break;
        }
        if since.elapsed() > ORPHANS_WAIT {
            return Err(Error::StopSlow {
                data: data.to_owned(),
                pid: orphans[0],
                seconds: ORPHANS_WAIT.as_secs(),
            });
        }
        if since.elapsed() > ORPHANS_PATIENCE {
            for pid in orphans {
                // It may be gone by now.
                let _ = kill(Pid::from_raw(pid), Signal::SIGQUIT);
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    if let Found::Stranger(pid) = look(data)? {
        tracing::info!(
            pid,
            "removed the postmaster.pid of a server that is no more; its process id belongs to another process"
        );
        remove_file(&data.join("postmaster.pid"))?;
    }
    Ok(())
}

/// Processes of PostgreSQL that work in `data`; none where `/proc` does not tell, for there PostgreSQL's own check of
/// its shared memory has to do.
fn orphans(data: &Path) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let process = entry.ok()?.path();
            let pid = process.file_name()?.to_str()?.parse().ok()?;
            let name = fs::read_to_string(process.join("comm")).ok()?;
            (name.trim() == "postgres" && works_in(&process, data).ok()?).then_some(pid)
        })
        .collect()
}

/// Sends a signal to the postmaster; one that has gone is fine.
pub(super) fn signal(data: &Path, pid: i32, signal: Signal) -> Result<()> {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(e) => Err(at(data)(e.into())),
    }
}
