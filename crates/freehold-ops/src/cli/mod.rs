//! The command line: one file per subcommand, which prints and decides nothing.
//!
//! Exit codes: 0 good, 1 something was found, 2 it could not run.

mod borrowed;
mod check;
mod completions;
mod crash;
mod docs;
mod down;
mod events;
mod history;
mod interrupts;
mod migrate;
mod paint;
mod plan;
mod projections;
mod provision;
mod rebuild;
mod sagas;
mod serve;
mod up;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::folder::Folder;
use freehold_manifest::model::System;

/// What is logged unless `FREEHOLD_LOG` says otherwise. The pool tells of each of its connections that a lost server
/// breaks; that it is lost is told once, by whoever misses it.
const LOG_DEFAULT: &str = "warn,freehold=info,deadpool.postgres=error";

/// Every service owns its data.
#[derive(Debug, Parser)]
#[command(
    name = "freehold",
    version,
    about = "Every service owns its data: databases, roles, migrations, events and copies for systems of services",
    after_help = "Examples:
  freehold up systems/shop            run a whole system until Ctrl-C
  freehold check systems/shop         read the manifests and say what is wrong
  freehold verify isolation           attack every service's data with the others' credentials

Exit codes: 0 good, 1 something was found, 2 it could not run."
)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a whole system: server, databases, migrations, one process per service
    Up(up::Up),
    /// Stop a private server that was left running, or remove it with all its data
    Down(down::Down),
    /// Read the manifests and migrations and say what is wrong, before anything runs
    Check(check::Check),
    /// Bring databases, roles and grants to the manifest
    Provision(provision::Provision),
    /// Apply the services' migrations
    Migrate(migrate::Migrate),
    /// Write a system's documents: who owns what, events, diagrams
    Docs(docs::Docs),
    /// Run one service
    Serve(serve::Serve),
    /// Attack what must hold and report what gave way
    #[command(subcommand)]
    Verify(verify::Verify),
    /// Read a copy anew from its owner's rows
    Rebuild(rebuild::Rebuild),
    /// Look at messages, and at those that could not be handled
    #[command(subcommand)]
    Events(events::Events),
    /// Look at sagas, and help those that are stuck
    #[command(subcommand)]
    Sagas(sagas::Sagas),
    /// Look at projections, and fold one anew
    #[command(subcommand)]
    Projections(projections::Projections),
    /// Print a completion script for your shell
    Completions(completions::Completions),
}

/// Which system a command works on.
#[derive(Debug, clap::Args)]
struct Where {
    /// The system's folder
    #[arg(default_value = ".", value_name = "SYSTEM")]
    system: PathBuf,
}

impl Where {
    /// Reads the system; prints what is wrong with it and ends with 1 if it cannot be used.
    fn read(&self) -> Result<Result<(Folder, System), ExitCode>> {
        let folder = Folder::read(&self.system)?;
        match folder.checked.system.clone() {
            Some(system) => Ok(Ok((folder, system))),
            None => {
                check::print(&folder);
                Ok(Err(ExitCode::from(1)))
            }
        }
    }
}

/// Runs a command and turns its outcome into an exit code.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    log_to_stderr();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            paint::error(&anyhow::Error::new(error).context("cannot start"));
            return ExitCode::from(2);
        }
    };
    let outcome = runtime.block_on(async {
        match arguments.verb {
            Verb::Up(verb) => verb.run().await,
            Verb::Down(verb) => verb.run().await,
            Verb::Check(verb) => verb.run(),
            Verb::Provision(verb) => verb.run().await,
            Verb::Migrate(verb) => verb.run().await,
            Verb::Docs(verb) => verb.run(),
            Verb::Serve(verb) => verb.run().await,
            Verb::Verify(verb) => verb.run().await,
            Verb::Rebuild(verb) => verb.run().await,
            Verb::Events(verb) => verb.run().await,
            Verb::Sagas(verb) => verb.run().await,
            Verb::Projections(verb) => verb.run().await,
            Verb::Completions(verb) => verb.run(),
        }
    });
    // Tasks that wait for a terminal or a child do not keep a finished command alive.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => {
            paint::error(&error);
            ExitCode::from(2)
        }
    }
}

/// `FREEHOLD_LOG` chooses what is logged (as `RUST_LOG` does elsewhere), `FREEHOLD_LOG_FORMAT=json` how.
fn log_to_stderr() {
    let asked = std::env::var("FREEHOLD_LOG").unwrap_or_default();
    let asked = Some(asked.as_str()).filter(|asked| !asked.is_empty());
    let filter = EnvFilter::try_new(asked.unwrap_or(LOG_DEFAULT)).unwrap_or_else(|error| {
        paint::note(&format!(
            "FREEHOLD_LOG is not understood ({error}): logging {LOG_DEFAULT}"
        ));
        EnvFilter::new(LOG_DEFAULT)
    });
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A log that nobody reads any more (`2>&1 | head`) must not end a service.
        .log_internal_errors(false);
    let json = std::env::var("FREEHOLD_LOG_FORMAT").is_ok_and(|format| format == "json");
    let _ = if json {
        builder.json().try_init()
    } else {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
        let colour = !plain && std::io::IsTerminal::is_terminal(&std::io::stderr());
        builder.with_ansi(colour).with_target(false).try_init()
    };
}

/// What to say of a service that is not in the system.
fn no_service(system: &System, name: &str) -> String {
    let known: Vec<&str> = system.services.iter().map(|s| s.name.as_str()).collect();
    format!("no service {name} in {}: it has {}", system.name, known.join(", "))
}
