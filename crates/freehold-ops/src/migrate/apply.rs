//! Applying a service's pending files.

use super::error::{Error, Result};
use super::file::{File, Version};
use super::history::{self, Entry};
use super::run::Run;
use super::session::{Session, Target};
use std::time::Duration;

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// To the last file.
    Latest,
    /// Up to this version and no further.
    Version(Version),
}

/// How long to wait for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// A statement waits for a lock at most this long: everybody who comes after it waits behind it.
    pub lock_timeout: Duration,
    /// A file (or a statement of a file without a transaction) that met a lock is tried so often.
    pub lock_tries: u32,
    /// The pause after the first try; it doubles after each.
    pub back_off: Duration,
    /// The longest pause.
    pub back_off_max: Duration,
    /// A concurrent index build waits for every older transaction, in nobody's way, at most this long.
    pub concurrent_wait: Duration,
    /// A runner waits for another one on the same schema at most this long.
    pub runner_wait: Duration,
}

/// Lock waits of 5 s, 8 times, with pauses from 0.5 s to 10 s: a minute and a half in all. Ten minutes for a concurrent
/// build, one for another runner.
impl Default for Limits {
    fn default() -> Self {
        Self {
            lock_timeout: Duration::from_secs(5),
            lock_tries: 8,
            back_off: Duration::from_millis(500),
            back_off_max: Duration::from_secs(10),
            concurrent_wait: Duration::from_secs(600),
            runner_wait: Duration::from_secs(60),
        }
    }
}

/// What is happening, for whoever shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Another runner is at work on the service; told once.
    Waiting {
        /// The service.
        service: &'a str,
        /// The other runner.
        holder: &'a str,
    },
    /// A file begins.
    Applying {
        /// The service.
        service: &'a str,
        /// The file.
        file: &'a File,
    },
    /// A lock was in the way; the file is tried again.
    Retrying {
        /// The service.
        service: &'a str,
        /// The file.
        file: &'a File,
        /// The tries so far.
        tries: u32,
        /// The pause before the next.
        pause: Duration,
    },
    /// A file is applied and recorded.
    Applied {
        /// The service.
        service: &'a str,
        /// The file.
        file: &'a File,
        /// How long it took.
        duration: Duration,
    },
}

/// What a run did to one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The service.
    pub service: String,
    /// The version it stood at before; `None` if at the beginning.
    pub from: Option<Version>,
    /// The files that were applied, in order; none if there was nothing to do.
    pub applied: Vec<Applied>,
}

/// One applied file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its version.
    pub version: Version,
    /// Its name, without number and `.sql`.
    pub name: String,
    /// How long it took.
    pub duration: Duration,
}

/// Applies the pending ones of `files` (from [`plan`](super::plan())) to a service, in order, up to `to`.
///
/// Two runners may be started at once: one waits for the other, and each file is applied once. Each file is recorded in
/// the transaction that runs it, so that whenever this is interrupted, what is recorded is what was applied; only a
/// file without a transaction may have run, in part or whole, without being recorded. A file that fails leaves the
/// service at the previous version, and those before it applied (`progress` has told of them).
///
/// # Errors
/// [`Error::Changed`], [`Error::Missing`], [`Error::OutOfOrder`], [`Error::Down`] and [`Error::NoVersion`] before
/// anything runs; [`Error::Failed`] and [`Error::Locked`] with the place in the file; [`Error::Busy`],
/// [`Error::NoSchema`], [`Error::Connection`].
pub async fn apply(
    target: &Target,
    files: &[File],
    to: To,
    limits: &Limits,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Report> {
    let session = Session::open(target).await?;
    session.be_alone(limits, progress).await?;
    history::ensure(&session).await?;
    let history = history::read(&session).await?;
    let from = history.last().map(|entry| entry.version);
    let mut report = Report {
        service: target.service.clone(),
        from,
        applied: Vec::new(),
    };
    let mut stands_at = from;
    for file in select(&target.service, &history, files, to)? {
        let service = target.service.as_str();
        progress(Progress::Applying { service, file });
        session.reset().await?;
        let run = Run {
            session: &session,
            file,
            limits,
            stands_at,
        };
        let duration = run.persist(progress).await?;
        progress(Progress::Applied {
            service,
            file,
            duration,
        });
        stands_at = Some(file.version);
        report.applied.push(Applied {
            version: file.version,
            name: file.name.clone(),
            duration,
        });
    }
    Ok(report)
}

/// The files a run would apply.
pub(super) fn select<'f>(service: &str, history: &[Entry], files: &'f [File], to: To) -> Result<Vec<&'f File>> {
    let mut pending = history::pending(service, history, files)?;
    let To::Version(to) = to else {
        return Ok(pending);
    };
    if let Some(current) = history.last().map(|entry| entry.version)
        && to < current
    {
        return Err(Error::Down {
            service: service.to_owned(),
            current,
            to,
        });
    }
    if !files.iter().any(|file| file.version == to) {
        return Err(Error::NoVersion {
            service: service.to_owned(),
            to,
            last: files.last().map_or_else(|| "none".to_owned(), File::file_name),
        });
    }
    pending.retain(|file| file.version <= to);
    Ok(pending)
}
