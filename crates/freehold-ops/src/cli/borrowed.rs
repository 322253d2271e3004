//! The ground of a system for the length of one command: started if nobody runs it, and left as it was found.

use anyhow::{Result, anyhow, bail};
use freehold_manifest::model::System;

use super::interrupts::Interrupts;
use crate::folder::Folder;
use crate::ground::Ground;
use crate::postgres::{Error, Lock, Stop};

/// A ground whose servers run.
#[derive(Debug)]
pub(super) struct Borrowed {
    pub(super) ground: Ground,
    /// Held when no `up` runs; then the servers that were started here are stopped again.
    alone: Option<Lock>,
    started: Vec<usize>,
}

impl Borrowed {
    /// As [`Borrowed::open`], for what makes sense only on databases that are there already.
    pub(super) async fn open_existing(folder: &Folder, system: &System) -> Result<Self> {
        Self::must_exist(folder, system)?;
        Self::open(folder, system).await
    }

    /// Says what to do first where nothing was ever set up.
    pub(super) fn must_exist(folder: &Folder, system: &System) -> Result<()> {
        let foreign = system.postgres.url.is_some();
        if !foreign && !folder.state().join("postgres").is_dir() {
            bail!(
                "{} has no databases yet: run `freehold up`, or `freehold provision` and `freehold migrate`, first",
                system.name
            );
        }
        Ok(())
    }

    /// Opens the ground, and starts its servers unless a running `up` has done so.
    pub(super) async fn open(folder: &Folder, system: &System) -> Result<Self> {
        let alone = match Lock::take(&folder.state()) {
            Ok(lock) => Some(lock),
            Err(Error::AnotherUp { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let mut ground = Ground::open(folder, system).await?;
        let mut started = Vec::new();
        if alone.is_some() {
            started = (0..ground.servers.len())
                .filter(|place| !ground.servers[*place].0.is_alive())
                .collect();
            ground.start().await?;
        }
        Ok(Self { ground, alone, started })
    }

    /// Whether a running `up` has it too.
    pub(super) fn is_shared(&self) -> bool {
        self.alone.is_none()
    }

    /// Stops what [`Borrowed::open`] started.
    pub(super) async fn give_back(self) -> Result<()> {
        for place in self.started {
            self.ground.servers[place].0.stop(Stop::Fast).await?;
        }
        drop(self.alone);
        Ok(())
    }

    /// Runs `work`, then gives the ground back whatever came of it, a Ctrl-C included.
    pub(super) async fn with<T>(self, work: impl AsyncFnOnce(&Ground) -> Result<T>) -> Result<T> {
        let mut interrupts = Interrupts::listen()?;
        let outcome = tokio::select! {
            outcome = work(&self.ground) => outcome,
            () = interrupts.next() => Err(anyhow!("interrupted before it was done")),
        };
        let given_back = self.give_back().await;
        let done = outcome?;
        given_back?;
        Ok(done)
    }
}
