//! `freehold migrate`: apply, list or begin migrations.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use comfy_table::{Table, presets};
use freehold_manifest::model::{Service, System};

use super::borrowed::Borrowed;
use super::{Where, paint};
use crate::folder::Folder;
use crate::ground::{self, Ground};
use crate::migrate::{self, Progress, State, To, Version};

#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  freehold migrate systems/shop
  freehold migrate systems/shop --service order --to 2
  freehold migrate systems/shop --dry-run
  freehold migrate plan systems/shop
  freehold migrate status systems/shop
  freehold migrate new add_gift_notes --service order systems/shop"
)]
pub(super) struct Migrate {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    apply: Apply,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show what the pending migrations lock, and who hears of it
    Plan(super::plan::Plan),
    /// List every migration and whether it was applied
    Status(Status),
    /// Begin a new migration file
    New(New),
}

#[derive(Debug, clap::Args)]
struct Apply {
    #[command(flatten)]
    place: Where,
    /// Only this service
    #[arg(long)]
    service: Option<String>,
    /// Stop at this version
    #[arg(long, requires = "service")]
    to: Option<i32>,
    /// Print the SQL that would run, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
struct Status {
    #[command(flatten)]
    place: Where,
    /// Only this service
    #[arg(long)]
    service: Option<String>,
    /// Print for programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct New {
    /// What it does, like add_gift_notes
    name: String,
    /// The service
    #[arg(long)]
    service: String,
    #[command(flatten)]
    place: Where,
}

impl Migrate {
    pub(super) async fn run(self) -> Result<ExitCode> {
        match self.verb {
            Some(Verb::Status(status)) => status.run().await,
            Some(Verb::Plan(plan)) => plan.run().await,
            Some(Verb::New(new)) => new.run(),
            None => self.apply.run().await,
        }
    }
}

impl Apply {
    async fn run(self) -> Result<ExitCode> {
        let (folder, system) = match self.place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let services = chosen(&system, self.service.as_deref())?;
        let to = self.to.map_or(To::Latest, |version| To::Version(Version(version)));
        let borrowed = match self.dry_run {
            true => Borrowed::open_existing(&folder, &system).await?,
            false => Borrowed::open(&folder, &system).await?,
        };
        let running = borrowed.is_shared();
        borrowed
            .with(async |ground| {
                if self.dry_run {
                    for service in services {
                        let files = migrate::plan(&folder.migrations(&service.name))?;
                        let preview = migrate::dry_run(&ground.target(service)?, &files, to).await?;
                        if preview.files.is_empty() {
                            paint::done(&format!("{}: nothing to apply", service.name));
                        }
                        paint::result(preview)?;
                    }
                    return Ok(ExitCode::SUCCESS);
                }
                ground.provision().await?;
                let Migrated { applied, stopped } = all(ground, &folder, &services, to).await;
                if applied > 0 && running {
                    paint::note("services that run see new tables and columns when they are started again");
                }
                if !stopped.is_empty() {
                    return Ok(ExitCode::from(1));
                }
                if to == To::Latest && self.service.is_none() {
                    report_installed(&ground.install().await?);
                }
                Ok(ExitCode::SUCCESS)
            })
            .await
    }
}

/// What came of migrating several services.
#[derive(Debug, Default)]
pub(super) struct Migrated {
    /// Files that were applied.
    pub(super) applied: usize,
    /// Services that were not migrated to the end.
    pub(super) stopped: Vec<String>,
}

/// Migrates each service; a failure is printed and the others go on.
pub(super) async fn all(ground: &Ground, folder: &Folder, services: &[&Service], to: To) -> Migrated {
    let mut outcome = Migrated::default();
    for service in services {
        let migrated = ground::migrate_service(ground, folder, service, to, &mut tell).await;
        match migrated {
            Ok(report) if report.applied.is_empty() => {
                let at = report
                    .from
                    .map_or("no migration".to_owned(), |v| format!("version {}", v.0));
                paint::done(&format!("{}: at {at}, nothing to apply", service.name));
            }
            Ok(report) => {
                let n = report.applied.len();
                outcome.applied += n;
                let files = if n == 1 {
                    "1 migration".to_owned()
                } else {
                    format!("{n} migrations")
                };
                let at = report.applied.last().map_or(0, |a| a.version.0);
                paint::done(&format!("{}: {files} applied, now at version {at}", service.name));
            }
            Err(error) => {
                outcome.stopped.push(service.name.clone());
                paint::trouble(&format!("{}: not migrated to the end", service.name));
                paint::error(&error);
            }
        }
    }
    if !outcome.stopped.is_empty() {
        paint::note(&remaining(services, &outcome.stopped));
    }
    outcome
}

/// What is left to do after a run that did not end well.
fn remaining(services: &[&Service], stopped: &[String]) -> String {
    let done = services.iter().map(|service| service.name.clone());
    let done: Vec<String> = done.filter(|name| !stopped.contains(name)).collect();
    let done = match done.as_slice() {
        [] => "no service".to_owned(),
        done => done.join(", "),
    };
    format!(
        "migrated to the end: {done}; not: {}. Correct what is said above and run the same command again: what is applied is not \
         applied again, the rest is taken up where it stopped",
        stopped.join(", ")
    )
}

/// Says what the manifest changed.
pub(super) fn report_installed(changed: &[String]) {
    if changed.is_empty() {
        paint::done("triggers, copies and grants were as the manifests say");
    } else {
        paint::done(&format!(
            "triggers, copies and grants installed: {}",
            changed.join(", ")
        ));
    }
}

fn tell(progress: Progress<'_>) {
    match progress {
        Progress::Waiting { service, holder } => {
            paint::note(&format!("{service}: waiting for another migration ({holder})"));
        }
        Progress::Retrying {
            service,
            file,
            tries,
            pause,
        } => paint::note(&format!(
            "{service}: {} met a lock, try {tries}; again in {pause:?}",
            file.file_name()
        )),
        Progress::Applying { .. } | Progress::Applied { .. } => {}
    }
}

impl Status {
    async fn run(self) -> Result<ExitCode> {
        let (folder, system) = match self.place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let services = chosen(&system, self.service.as_deref())?;
        let borrowed = Borrowed::open_existing(&folder, &system).await?;
        let rows = borrowed
            .with(async |ground| {
                let mut rows = Vec::new();
                for service in services {
                    let files = migrate::plan(&folder.migrations(&service.name))?;
                    for row in migrate::status(&ground.target(service)?, &files).await? {
                        rows.push((service.name.clone(), row));
                    }
                }
                Ok(rows)
            })
            .await?;
        if self.json {
            let rows: Vec<_> = rows
                .iter()
                .map(|(service, row)| {
                    let applied_at = row
                        .applied_at
                        .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
                        .map(|d| d.as_secs());
                    serde_json::json!({
                        "service": service,
                        "version": row.version.0,
                        "name": row.name,
                        "state": word(row.state),
                        "applied_at_unix_s": applied_at,
                        "duration_ms": row.duration.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
                    })
                })
                .collect();
            paint::result(serde_json::to_string_pretty(&rows)?)?;
        } else {
            let mut table = Table::new();
            table.load_style(presets::NOTHING);
            table.set_header(["service", "version", "name", "state", "took"]);
            for (service, row) in &rows {
                table.add_row([
                    service.clone(),
                    format!("{:04}", row.version.0),
                    row.name.clone(),
                    word(row.state).to_owned(),
                    row.duration.map_or(String::new(), |d| format!("{} ms", d.as_millis())),
                ]);
            }
            paint::result(table)?;
        }
        let good = rows
            .iter()
            .all(|(_, row)| matches!(row.state, State::Applied | State::Pending));
        Ok(ExitCode::from(u8::from(!good)))
    }
}

impl New {
    fn run(self) -> Result<ExitCode> {
        // The manifest may not be right yet: only the folder matters.
        if Path::new(&self.service).components().count() != 1 || self.service.starts_with('.') {
            bail!("{} is not the name of a service", self.service);
        }
        let folder = self.place.system.join(&self.service);
        if !folder.join("freehold.toml").is_file() {
            bail!(
                "no service {} in {}: there is no {}",
                self.service,
                self.place.system.display(),
                folder.join("freehold.toml").display()
            );
        }
        let path = migrate::create(&folder.join("migrations"), &self.name)?;
        paint::result(path.display())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Applied => "applied",
        State::Pending => "pending",
        State::Changed => "changed since it was applied",
        State::Missing => "applied, but its file is missing",
    }
}

pub(super) fn chosen<'s>(system: &'s System, name: Option<&str>) -> Result<Vec<&'s Service>> {
    let Some(name) = name else {
        return Ok(system.services.iter().collect());
    };
    let service = system.service(name).with_context(|| super::no_service(system, name))?;
    Ok(vec![service])
}
