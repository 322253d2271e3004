//! `freehold serve`: one service, anywhere.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use freehold::Settings;
use freehold_manifest::model::{Service, System};
use freehold_manifest::names::Names;

use super::borrowed::Borrowed;
use crate::folder::Folder;
use crate::ground::Ground;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The environment says where its database is. Without FREEHOLD_DATABASE_URL all that the environment
does not say is taken from the system's own .freehold/ folder, which `freehold up` makes:
  FREEHOLD_DATABASE_URL   the application role's URL
  FREEHOLD_LISTEN         address and port, default 127.0.0.1 and the manifest's port
  FREEHOLD_ACCEPTS        who may read the feed: service=token,…
  FREEHOLD_PEERS          whose feeds to read: service=token@url,…
  FREEHOLD_POOL           connections to the database
  FREEHOLD_INSTANCE       a lasting name among the service's instances, default a new one
  FREEHOLD_LOG            what to log, like freehold=debug

Example: a second instance of a service beside a running `up`
  FREEHOLD_LISTEN=127.0.0.1:7203 freehold serve systems/shop order"
)]
pub(super) struct Serve {
    /// The system's folder
    system: PathBuf,
    /// The service
    service: String,
}

impl Serve {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let place = super::Where { system: self.system };
        let (folder, system) = match place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let service = system
            .service(&self.service)
            .with_context(|| super::no_service(&system, &self.service))?;
        let settings = match std::env::var_os("FREEHOLD_DATABASE_URL") {
            Some(_) => elsewhere(&system, service)?,
            None => local(&folder, &system, service).await?,
        };
        freehold::Service::new(service.clone(), settings).run().await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Settings from the environment; names that follow from the manifest need not be repeated there.
fn elsewhere(system: &System, service: &Service) -> Result<Settings> {
    let names = Names::of(system, service);
    Ok(Settings::read(|name| {
        std::env::var(name).ok().or_else(|| match name {
            "FREEHOLD_SYSTEM" => Some(system.name.clone()),
            "FREEHOLD_SCHEMA" => Some(names.schema.clone()),
            "FREEHOLD_LIBRARY_SCHEMA" => Some(names.freehold.clone()),
            _ => None,
        })
    })?)
}

/// Settings from the system's own state folder, where the environment is silent.
async fn local(folder: &Folder, system: &System, service: &Service) -> Result<Settings> {
    Borrowed::must_exist(folder, system)?;
    let ground = Ground::open(folder, system).await?;
    let held = |names: &[String]| names.contains(&service.name);
    if ground
        .servers
        .iter()
        .any(|(server, names)| held(names) && !server.is_alive())
    {
        bail!(
            "the private server of {} does not run: `freehold up` starts it, or FREEHOLD_DATABASE_URL names another",
            service.name
        );
    }
    let known = ground.environment(service)?;
    let settings = Settings::read(|name| {
        std::env::var(name)
            .ok()
            .or_else(|| known.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()))
    })?;
    Ok(settings)
}
