//! What has been applied and what would be, without changing anything.

use super::apply::{To, select};
use super::error::Result;
use super::file::{File, Mode, Version};
use super::history;
use super::session::{Session, Target};
use std::fmt;
use std::time::{Duration, SystemTime};

/// What a run would do to one service. Its text (`Display`) is the SQL of the files, each under a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The service.
    pub service: String,
    /// The files that would be applied, in order.
    pub files: Vec<File>,
}

/// Says what [`apply`](super::apply()) would do, and does nothing.
///
/// # Errors
/// As [`apply`](super::apply()), as far as they can be known beforehand: whether PostgreSQL accepts a file is not.
pub async fn dry_run(target: &Target, files: &[File], to: To) -> Result<Preview> {
    let session = Session::open(target).await?;
    let history = history::read(&session).await?;
    let files = select(&target.service, &history, files, to)?;
    Ok(Preview {
        service: target.service.clone(),
        files: files.into_iter().cloned().collect(),
    })
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            let how = match file.mode {
                Mode::Transaction => "in one transaction",
                Mode::NoTransaction => "statement by statement, without a transaction",
            };
            let (service, name) = (&self.service, file.file_name());
            writeln!(f, "-- {service}: {name}, {how}\n{}\n", file.text.trim_end())?;
        }
        Ok(())
    }
}

/// One migration and its state in one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its version.
    pub version: Version,
    /// Its name, without number and `.sql`.
    pub name: String,
    /// Its state.
    pub state: State,
    /// When it was applied; `None` if it was not.
    pub applied_at: Option<SystemTime>,
    /// How long it took; `None` if it was not applied.
    pub duration: Option<Duration>,
}

/// Where a migration stands in one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The runner recorded it, and the file is what it was.
    Applied,
    /// The next run applies it.
    Pending,
    /// It was applied, and the file has been edited since: the next run refuses, until it is restored.
    Changed,
    /// It was applied, and there is no such file any more: the next run refuses, until it is restored.
    Missing,
}

/// Lists every migration of a service, applied or in `files`, by version.
///
/// # Errors
/// [`Error::Connection`](super::Error::Connection) and [`Error::NoSchema`](super::Error::NoSchema).
pub async fn status(target: &Target, files: &[File]) -> Result<Vec<Row>> {
    let session = Session::open(target).await?;
    let history = history::read(&session).await?;
    let mut rows: Vec<Row> = history
        .iter()
        .map(|entry| Row {
            version: entry.version,
            name: entry.name.clone(),
            state: match files.iter().find(|file| file.version == entry.version) {
                None => State::Missing,
                Some(file) if file.checksum != entry.checksum => State::Changed,
                Some(_) => State::Applied,
            },
            applied_at: Some(entry.applied_at),
            duration: Some(entry.duration),
        })
        .collect();
    for file in files {
        if !history.iter().any(|entry| entry.version == file.version) {
            rows.push(Row {
                version: file.version,
                name: file.name.clone(),
                state: State::Pending,
                applied_at: None,
                duration: None,
            });
        }
    }
    rows.sort_by_key(|row| row.version);
    Ok(rows)
}
