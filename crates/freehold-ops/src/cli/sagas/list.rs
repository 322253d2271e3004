//! `freehold sagas list`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use super::at;
use crate::cli::events::lines::{BAD, PLAIN, duration, print, span, table};
use crate::cli::events::{Found, chosen, ground, outcome};
use crate::cli::{Where, paint};
use crate::events::Reached;
use crate::sagas::Saga;
use crate::sagas::list::{self, Filter, States};
use crate::secrets::Login;

/// Sagas shown where nothing else is asked for.
const LAST: usize = 100;

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 1 if a listed saga is stuck.

Examples:
  freehold sagas list systems/shop
  freehold sagas list systems/shop --older 5m
  freehold sagas list systems/shop --state completed,compensated --last 10
  freehold sagas list systems/shop --state all --key d0000000-0000-4000-8000-000000000001 --json")]
pub(in crate::cli) struct List {
    #[command(flatten)]
    place: Where,
    /// Only sagas of this service
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// In these states [default: those that have not ended]
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    state: Vec<State>,
    /// Only of this name
    #[arg(long)]
    name: Option<String>,
    /// Only of this key
    #[arg(long)]
    key: Option<String>,
    /// Only those that were started so long ago, or longer
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    older: Option<Duration>,
    /// The newest so many
    #[arg(long, value_name = "N", default_value_t = LAST)]
    last: usize,
    /// Print for programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    Running,
    Compensating,
    Completed,
    Compensated,
    Stuck,
    All,
}

impl List {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (folder, system) = match self.place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let services = chosen(&system, self.service.as_deref())?;
        let ground = ground(&folder, &system).await?;
        let reached = Reached::open(&ground, &services, Login::Reader).await?;
        let filter = Filter {
            states: self.states(),
            name: self.name.clone(),
            key: self.key.clone(),
            older_s: self.older.map(|older| older.as_secs_f64()),
        };
        let mut sagas = Vec::new();
        for database in &reached.databases {
            // One more than is shown tells that there are more.
            sagas.extend(list::list(database, &filter, self.last.saturating_add(1)).await?);
        }
        let is_cut = keep(&mut sagas, self.last);
        if self.json {
            print(&(serde_json::to_string_pretty(&sagas)? + "\n"))?;
        } else if sagas.is_empty() {
            match filter.states {
                States::Unfinished => paint::done("no such saga is unfinished"),
                States::Of(_) | States::All => paint::done("no such saga"),
            }
        } else {
            print(&render(&sagas))?;
        }
        if is_cut {
            paint::note(&format!("there are more than {}: --last shows more", self.last));
        }
        Ok(outcome(&reached, Found::when(sagas.iter().any(Saga::is_stuck))))
    }

    fn states(&self) -> States {
        if self.state.is_empty() {
            return States::Unfinished;
        }
        if self.state.contains(&State::All) {
            return States::All;
        }
        let words = self.state.iter().filter_map(ValueEnum::to_possible_value);
        States::Of(words.map(|word| word.get_name().to_owned()).collect())
    }
}

/// Keeps the newest so many, stuck ones first of all, oldest first; says whether any was left out.
fn keep(sagas: &mut Vec<Saga>, most: usize) -> bool {
    let is_cut = sagas.len() > most;
    sagas.sort_by_key(|saga| (!saga.is_stuck(), std::cmp::Reverse(saga.started_at)));
    sagas.truncate(most);
    sagas.sort_by_key(|saga| saga.started_at);
    is_cut
}

fn render(sagas: &[Saga]) -> String {
    let rows = sagas.iter().map(|saga| {
        let style = if saga.is_stuck() { BAD } else { PLAIN };
        let attempts = saga.at.iter().map(|at| at.attempt).max();
        let cells = vec![
            saga.id.clone(),
            saga.name.clone(),
            saga.key.clone(),
            saga.state.clone(),
            at(saga),
            attempts.map_or_else(String::new, |attempt| attempt.to_string()),
            span(saga.age_s),
            saga.reason.clone().unwrap_or_default(),
        ];
        (style, cells)
    });
    table(
        &["id", "name", "key", "state", "at", "#attempt", "#age", "reason"],
        rows.collect(),
    )
}
