//! `freehold sagas retry`, `skip` and `mark-done`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use freehold::saga::engine::Operator;

use super::at;
use super::show::timeline;
use crate::cli::events::lines::{duration, plain, print};
use crate::cli::events::{chosen, ground, indented, operator, service};
use crate::cli::{Where, paint};
use crate::events::{Database, Reached};
use crate::ground::Ground;
use crate::sagas::act::{self, Acted, Order, Outcome};
use crate::sagas::{Saga, list};
use crate::secrets::Login;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The service itself does the work, and the saga's story keeps who asked for it and why. If it does not
run, it does the work when it starts. Only for a saga that has not ended.

  retry      the step is tried again now; one that was refused is asked anew, as another command
  skip       the saga goes on as if the step had never been: it is not compensated either
  mark-done  the saga goes on: you have done the step, or undone it, by hand

Exit code 1 if there is no such saga, it has ended, it is not stuck, or it is stuck again.

Examples:
  freehold sagas retry systems/shop d0000000-0000-4000-8000-000000000001
  freehold sagas mark-done systems/shop 0199c1f3-7a52-7c8e-9d0a-5b7f3a1c2e4d --reason 'the parcel was booked by phone'"
)]
pub(in crate::cli) struct Act {
    /// The system's folder
    system: PathBuf,
    /// The saga's id, or its key
    #[arg(value_name = "ID|KEY")]
    saga: String,
    /// Why, for those who come later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How long to wait for what comes of it
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    wait: Duration,
    /// Print for programs
    #[arg(long)]
    json: bool,
}

impl Act {
    pub(super) async fn run(self, action: Operator) -> Result<ExitCode> {
        let place = Where { system: self.system };
        let (folder, system) = match place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let ground = ground(&folder, &system).await?;
        let Some(saga) = only(&ground, &self.saga).await? else {
            return Ok(ExitCode::from(1));
        };
        // An action meant for one step must not hit the next.
        if !saga.is_stuck() {
            paint::trouble(&format!(
                "{} of {} is not stuck but {}, at {}: what it waits for may still come, and nothing was done",
                saga.name,
                plain(&saga.key),
                saga.state,
                at(&saga)
            ));
            return Ok(ExitCode::from(1));
        }
        let of = service(&system, &saga.service)?;
        let mut database = Database::enter(&ground, of, Login::App).await?;
        let order = Order {
            action,
            reason: self.reason,
            by: operator(),
        };
        let asked = act::ask(&mut database, &saga, &order).await?;
        let acted = act::await_outcome(&database, asked, self.wait).await?;
        if self.json {
            print(&(serde_json::to_string_pretty(&acted)? + "\n"))?;
        } else {
            tell(&acted)?;
        }
        Ok(ExitCode::from(u8::from(acted.outcome == Outcome::Stuck)))
    }
}

/// The one saga of an id or key that has not ended; says so where there is none.
async fn only(ground: &Ground, id_or_key: &str) -> Result<Option<Saga>> {
    let services = chosen(&ground.system, None)?;
    let reached = Reached::open(ground, &services, Login::Reader).await?;
    let mut found = Vec::new();
    for database in &reached.databases {
        found.extend(list::find(database, id_or_key).await?);
    }
    if let Some((service, error)) = reached.missing.into_iter().next() {
        return Err(error).with_context(|| format!("it is not known whether {service} has the saga"));
    }
    let unfinished: Vec<&Saga> = found.iter().filter(|saga| !saga.has_ended()).collect();
    match (unfinished.as_slice(), found.last()) {
        ([saga], _) => Ok(Some((*saga).clone())),
        ([], None) => {
            paint::trouble(&format!("no saga has the id or key {}", plain(id_or_key)));
            Ok(None)
        }
        ([], Some(ended)) => {
            paint::trouble(&format!(
                "{} of {} is {}: it has ended, and nothing can be done about it",
                ended.name,
                plain(&ended.key),
                ended.state
            ));
            Ok(None)
        }
        (several, _) => {
            let ids: Vec<String> = several
                .iter()
                .map(|saga| format!("{} {}", saga.name, saga.id))
                .collect();
            paint::trouble(&format!(
                "several are unfinished: give the id of one, of {}",
                ids.join(", ")
            ));
            Ok(None)
        }
    }
}

fn tell(acted: &Acted) -> Result<()> {
    if !acted.story.is_empty() {
        print(&indented(&timeline(&acted.story)))?;
    }
    let saga = &acted.saga;
    let name = format!("{} of {}", saga.name, plain(&saga.key));
    let reason = plain(saga.reason.as_deref().unwrap_or("no reason"));
    match acted.outcome {
        Outcome::Ended => paint::done(&format!("{name} is {}", saga.state)),
        Outcome::Stuck => paint::trouble(&format!("{name} is stuck: {reason}")),
        Outcome::GoesOn => paint::done(&format!("{name} goes on: {}, at {}", saga.state, at(saga))),
        Outcome::PutOff => paint::trouble(&format!(
            "{} could not do it yet, and tries again by itself: its log says why",
            saga.service
        )),
        Outcome::UnderWay => paint::note(&format!(
            "{} has not got to it yet: `freehold sagas show` tells the rest",
            saga.service
        )),
        Outcome::WhenItStarts => paint::note(&format!("it is done when {} starts: it does not run", saga.service)),
    }
    Ok(())
}
