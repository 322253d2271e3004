//! `freehold up`: a whole system, until Ctrl-C or until a given command has ended.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use comfy_table::{Table, presets};
use tokio::process::Command;

use super::interrupts::Interrupts;
use super::{Where, paint};
use crate::folder::Folder;
use crate::ground::{self, Ground};
use crate::history::witness;
use crate::migrate::To;
use crate::postgres::{Lock, Stop};
use crate::program;
use crate::secrets::Login;
use crate::supervise::{self, Event, Supervisor};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  freehold up systems/shop
  freehold up systems/shop --seed target/release/shop-seed
  freehold up systems/shop -- target/release/shop-tour

A command given with --seed or after -- finds in its environment, for each service:
  FREEHOLD_<SERVICE>_URL            where it answers
  FREEHOLD_<SERVICE>_DATABASE_URL   its application role's database URL")]
pub(super) struct Up {
    #[command(flatten)]
    place: Where,
    /// A program that fills in sample data once every service is ready; the system goes on
    #[arg(long, value_name = "PROGRAM")]
    seed: Option<String>,
    /// A command to run once every service is ready; the system stops when it ends, with its exit code
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Up {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let begun = Instant::now();
        let (folder, system) = match self.place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        super::check::print(&folder);
        let _lock = Lock::take(&folder.state())?;
        let mut ground = Ground::open(&folder, &system).await?;
        let mut interrupts = Interrupts::listen()?;
        let prepared = tokio::select! {
            prepared = prepare(&folder, &mut ground) => prepared,
            () = interrupts.next() => Ok(Prepared::Interrupted),
        };
        let outcome = match prepared {
            Ok(Prepared::Ready) => self.serve(&folder, &ground, &mut interrupts, begun).await,
            Ok(Prepared::NotMigrated) => Ok(ExitCode::from(1)),
            Ok(Prepared::Interrupted) => {
                paint::note("stopping");
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => Err(error),
        };
        let mut stopped = Ok(());
        for (server, _) in &ground.servers {
            stopped = server.stop(Stop::Fast).await.and(stopped);
        }
        match (&outcome, stopped) {
            // Why it stopped comes first.
            (Err(_), Err(also)) => paint::trouble(&also.to_string()),
            (Err(_), Ok(())) => {}
            (Ok(_), stopped) => {
                stopped?;
                paint::done("stopped; the data are kept");
            }
        }
        outcome
    }

    /// The services run, until the system is to stop; then they end their open requests.
    async fn serve(
        &self,
        folder: &Folder,
        ground: &Ground,
        interrupts: &mut Interrupts,
        begun: Instant,
    ) -> Result<ExitCode> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut supervisor = Supervisor::start(ground, program, folder.path.clone())?;
        let state = folder.state();
        let witness = witness::keep(ground, &state);
        let outcome = tokio::select! {
            outcome = self.work(&mut supervisor, ground, begun) => outcome,
            () = interrupts.next() => {
                paint::note("stopping");
                Ok(ExitCode::SUCCESS)
            }
            () = witness => Ok(ExitCode::SUCCESS),
        };
        tokio::select! {
            () = supervisor.stop() => {}
            () = interrupts.next() => paint::note("open requests are cut"),
        }
        outcome
    }

    async fn work(&self, supervisor: &mut Supervisor<'_>, ground: &Ground, begun: Instant) -> Result<ExitCode> {
        supervisor.wait_ready().await?;
        show(ground, begun);
        if let Some(seed) = &self.seed {
            let status = command(ground, std::slice::from_ref(seed))?.status().await;
            match status {
                Ok(status) if status.success() => {}
                Ok(status) => paint::trouble(&format!("{seed} ended with {status}; the system goes on without")),
                Err(error) => paint::trouble(&format!("cannot run {seed}: {error}")),
            }
        }
        if self.command.is_empty() {
            paint::note("Ctrl-C stops everything");
            supervisor.watch(&mut tell).await?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut child = command(ground, &self.command)?
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", self.command[0]))?;
        let mut tell = tell;
        tokio::select! {
            status = child.wait() => {
                let code = status?.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1);
                Ok(ExitCode::from(code))
            }
            watched = supervisor.watch(&mut tell) => watched.map(|()| ExitCode::SUCCESS),
        }
    }
}

/// How the way to a system that can serve ended.
enum Prepared {
    /// Next: the services are started.
    Ready,
    /// A migration failed, which was told.
    NotMigrated,
    Interrupted,
}

/// Everything between an empty folder and databases that are ready.
async fn prepare(folder: &Folder, ground: &mut Ground) -> Result<Prepared> {
    // Now, rather than after the databases are made.
    program::must_exist(folder, &ground.system)?;
    supervise::ports_are_free(&ground.system)?;
    if !ground.servers.is_empty() {
        ground.start().await?;
        paint::done("PostgreSQL is ready");
    }
    super::provision::report(&ground.provision().await?);
    let services: Vec<_> = ground.system.services.iter().collect();
    if !super::migrate::all(ground, folder, &services, To::Latest)
        .await
        .stopped
        .is_empty()
    {
        paint::note("the other services' databases are migrated; nothing was started");
        return Ok(Prepared::NotMigrated);
    }
    super::migrate::report_installed(&ground.install().await?);
    Ok(Prepared::Ready)
}

fn tell(event: Event) {
    match event {
        Event::Ended { service, how } => {
            paint::trouble(&format!("service {service} ended ({how}) and is started again"));
        }
        Event::ServerRestarted => paint::trouble("PostgreSQL ended and was started again"),
        Event::ServerNotStarted { services, why } => paint::trouble(&format!(
            "PostgreSQL of {} ended and is started once more: {why}",
            services.join(", ")
        )),
    }
}

/// Where everything answers.
fn show(ground: &Ground, begun: Instant) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for service in &ground.system.services {
        table.add_row([
            format!("  {}", service.name),
            format!("http://127.0.0.1:{}", service.port),
            service.summary.clone(),
        ]);
    }
    paint::done(&format!(
        "{} is up after {:.1} s",
        ground.system.name,
        begun.elapsed().as_secs_f64()
    ));
    paint::text(table);
}

/// A command of the operator's, told where everything is.
fn command(ground: &Ground, words: &[String]) -> Result<Command> {
    let mut command = Command::new(Path::new(&words[0]));
    command.args(&words[1..]);
    for service in &ground.system.services {
        let name = service.name.to_uppercase();
        let database = ground::url_of(&ground.login(service, Login::App)?);
        command.env(
            format!("FREEHOLD_{name}_URL"),
            format!("http://127.0.0.1:{}", service.port),
        );
        command.env(format!("FREEHOLD_{name}_DATABASE_URL"), database);
    }
    Ok(command)
}
