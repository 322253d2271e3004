//! `freehold rebuild`: read a copy anew from its owner's rows.

use std::process::ExitCode;

use anyhow::{Context, Result};
use freehold_manifest::names::Names;
use tokio_postgres::NoTls;

use super::borrowed::Borrowed;
use super::{Where, paint};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The service reads the owner's rows at its next turn, while it goes on serving; rows that
are right already are not touched.

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
            .with_context(|| format!("no service {} in {}", self.service, system.name))?;
        let copies: Vec<&str> = service.copies.iter().map(|c| c.name.as_str()).collect();
        if !copies.contains(&self.copy.as_str()) {
            anyhow::bail!(
                "{} keeps no copy {}: it keeps {}",
                service.name,
                self.copy,
                copies.join(", ")
            );
        }
        let names = Names::of(&system, service);
        let borrowed = Borrowed::open(&folder, &system).await?;
        borrowed
            .with(async |ground| {
                let target = ground.target(service)?;
                let (client, connection) = target.config.connect(NoTls).await?;
                tokio::spawn(connection);
                let owner = freehold::pg::ident::quote(&target.owner);
                client.batch_execute(&format!("set role {owner}")).await?;
                let mark = freehold::pg::place(
                    "update freehold.copy set state = 'empty' where name = $1",
                    &names.freehold,
                );
                client.execute(&*mark, &[&self.copy]).await?;
                paint::done(&format!("{} will read {} anew from its owner", service.name, self.copy));
                Ok(ExitCode::SUCCESS)
            })
            .await
    }
}
