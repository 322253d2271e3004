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
use crate::program;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A service whose manifest names a program is run by it: this process becomes the program.

The environment says where its database is. Without FREEHOLD_DATABASE_URL all that the environment
does not say is taken from the system's own .freehold/ folder, which `freehold up` makes:
  FREEHOLD_DATABASE_URL   the application role's URL
  FREEHOLD_LISTEN         address and port, default 127.0.0.1 and the manifest's port
  FREEHOLD_ACCEPTS        who may read the feed: service=token,…
  FREEHOLD_PEERS          whose feeds to read: service=token@url,…
  FREEHOLD_POOL           connections to the database
  FREEHOLD_INSTANCE       a lasting name among the service's instances, default a new one
  FREEHOLD_LOG            what to log, like freehold=debug
  FREEHOLD_PROGRAMS       folders of the services' programs, before that of this command and PATH

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
        let program = program::find(&folder, service)?;
        let mut known = match std::env::var_os("FREEHOLD_DATABASE_URL") {
            Some(_) => elsewhere(&system, service),
            None => local(&folder, &system, service).await?,
        };
        known.push(("FREEHOLD_LISTEN".to_owned(), format!("127.0.0.1:{}", service.port)));
        // What the environment says stands.
        known.retain(|(name, _)| std::env::var(name).is_err());
        let settings = Settings::read(|name| {
            let known = || known.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
            std::env::var(name).ok().or_else(known)
        })?;
        if let Some(program) = program {
            let Err(error) = program::become_program(&program, &known);
            return Err(error.context(format!("service {} does not start", service.name)));
        }
        freehold::Service::new(service.clone(), settings).run().await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What follows from the manifest, for a service whose database the environment names.
fn elsewhere(system: &System, service: &Service) -> Vec<(String, String)> {
    let names = Names::of(system, service);
    let known = [
        ("FREEHOLD_SYSTEM", system.name.clone()),
        ("FREEHOLD_SCHEMA", names.schema),
        ("FREEHOLD_LIBRARY_SCHEMA", names.freehold),
        ("FREEHOLD_ACCEPTS", String::new()),
        ("FREEHOLD_PEERS", String::new()),
    ];
    known.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// What the system's own state folder says.
async fn local(folder: &Folder, system: &System, service: &Service) -> Result<Vec<(String, String)>> {
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
    ground.environment(service)
}
