//! `freehold events`: what was said, who has heard it, and what could not be handled.

pub(super) mod lines;
mod parked;
mod redrive;
mod show;
mod skip;
mod tail;

pub(super) use show::indented;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;
use freehold_manifest::model::{Service, System};

use super::borrowed::Borrowed;
use super::paint;
use crate::events::Reached;
use crate::folder::Folder;
use crate::ground::Ground;

#[derive(Debug, Subcommand)]
pub(super) enum Events {
    /// Print the newest messages of the services, and follow them
    Tail(tail::Tail),
    /// Print all there is to know of one message
    Show(show::Show),
    /// List the keys whose messages could not be handled
    Parked(parked::Parked),
    /// Have parked keys tried again
    Redrive(redrive::Redrive),
    /// Let the first message of a parked key go
    Skip(skip::Skip),
}

impl Events {
    pub(super) async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Tail(verb) => verb.run().await,
            Self::Show(verb) => verb.run().await,
            Self::Parked(verb) => verb.run().await,
            Self::Redrive(verb) => verb.run().await,
            Self::Skip(verb) => verb.run().await,
        }
    }
}

/// The ground as it is: nothing is started for a look.
pub(super) async fn ground(folder: &Folder, system: &System) -> Result<Ground> {
    Borrowed::must_exist(folder, system)?;
    Ground::open(folder, system).await
}

/// The service of that name.
pub(super) fn service<'s>(system: &'s System, name: &str) -> Result<&'s Service> {
    system.service(name).with_context(|| super::no_service(system, name))
}

/// All services, or the one that was asked for.
pub(super) fn chosen<'s>(system: &'s System, name: Option<&str>) -> Result<Vec<&'s Service>> {
    match name {
        None => Ok(system.services.iter().collect()),
        Some(name) => Ok(vec![service(system, name)?]),
    }
}

/// Exit code of a look: 2 if a database could not be read, for then the answer is not whole; 1 if something was found.
pub(super) fn outcome(reached: &Reached, found: Found) -> ExitCode {
    for (service, error) in &reached.missing {
        paint::trouble(&format!("{service} is left out"));
        paint::error(error);
    }
    match (reached.missing.is_empty(), found) {
        (false, _) => ExitCode::from(2),
        (true, Found::Something) => ExitCode::from(1),
        (true, Found::Nothing) => ExitCode::SUCCESS,
    }
}

/// Whether something needs an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Something,
    Nothing,
}

impl Found {
    pub(super) fn when(condition: bool) -> Self {
        match condition {
            true => Self::Something,
            false => Self::Nothing,
        }
    }
}

/// Who runs this command, for the record.
pub(super) fn operator() -> String {
    let uid = nix::unistd::Uid::current();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    user.map_or_else(|| format!("uid {uid}"), |user| user.name)
}
