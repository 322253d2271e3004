//! `freehold rebuild`: read a copy anew from its owner's rows.

use std::process::ExitCode;

use anyhow::{Context, Result};
use freehold_manifest::model::Service;
use freehold_manifest::names::Names;
use tokio_postgres::NoTls;

use super::borrowed::Borrowed;
use super::{Where, paint};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A running service reads the owner's rows within seconds, one that does not run when it
starts. It goes on serving, and rows that are right already are not touched.

Example:
  freehold rebuild --service order --copy products systems/shop"
)]
pub(super) struct Rebuild {
    #[command(flatten)]
    place: Where,
    /// The service that holds the copy
    #[arg(long)]
    service: String,
    /// The copy
    #[arg(long)]
    copy: String,
}

impl Rebuild {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (folder, system) = match self.place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let service = system
            .service(&self.service)
            .with_context(|| super::no_service(&system, &self.service))?;
        let copy = service
            .copies
            .iter()
            .find(|copy| copy.name == self.copy)
            .with_context(|| no_copy(service, &self.copy))?;
        let names = Names::of(&system, service);
        let borrowed = Borrowed::open_existing(&folder, &system).await?;
        let running = borrowed.is_shared();
        borrowed
            .with(async |ground| {
                let target = ground.target(service)?;
                let (client, connection) = target.config.connect(NoTls).await.with_context(|| {
                    format!(
                        "cannot enter the database of {}: has `freehold up` made it?",
                        service.name
                    )
                })?;
                tokio::spawn(connection);
                let owner = freehold::pg::ident::quote(&target.owner);
                client.batch_execute(&format!("set role {owner}")).await?;
                // Without its cursor a copy is filled anew; its state stays as it is, so that reads and writes go on.
                let mark = freehold::pg::place(
                    "delete from freehold.cursor
                     where subscription = 'copies'
                       and topic = $1",
                    &names.freehold,
                );
                client
                    .execute(&*mark, &[&copy.of.to_string()])
                    .await
                    .with_context(|| format!("{} keeps no copies yet: run `freehold migrate`", service.name))?;
                let when = if running { "now" } else { "when it starts" };
                paint::done(&format!(
                    "{} reads {} anew from {} {when}",
                    service.name, copy.name, copy.of.service
                ));
                Ok(ExitCode::SUCCESS)
            })
            .await
    }
}

fn no_copy(service: &Service, name: &str) -> String {
    let kept: Vec<&str> = service.copies.iter().map(|copy| copy.name.as_str()).collect();
    match kept.is_empty() {
        true => format!("{} keeps no copies", service.name),
        false => format!("{} keeps no copy {name}: it keeps {}", service.name, kept.join(", ")),
    }
}
