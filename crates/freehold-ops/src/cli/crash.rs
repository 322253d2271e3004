//! `freehold verify crash`: a system's own workload under faults, and what it did not survive.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::interrupts::Interrupts;
use super::{Where, paint};
use crate::crash::{self, Event, Plan, Remains, Report};

/// How often a line of progress is printed where no terminal rewrites it.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How often it is rewritten on a terminal.
const REWRITE_EVERY: Duration = Duration::from_millis(250);

/// The most seeds of one call; each takes its minutes.
const SEEDS_MAX: u64 = 1_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  freehold verify crash systems/shop
  freehold verify crash systems/shop --seed 7 --faults 50 --work 10000
  freehold verify crash systems/shop --seeds 3 --json | jq '.[].findings'

The system runs in a folder of its own with private databases, beside whatever runs already. What puts it to work is the
program that `[workload]` in system.toml names; what must hold besides are the SQL files in its folder invariants/.")]
pub(super) struct Crash {
    #[command(flatten)]
    place: Where,
    /// Draws the same faults again; without it a new seed is drawn and printed
    #[arg(long)]
    seed: Option<u64>,
    /// Faults of a run
    #[arg(long, default_value_t = 20)]
    faults: usize,
    /// The longest time that the work of a run may take
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1440))]
    minutes: u64,
    /// Runs, each with the next seed
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=SEEDS_MAX))]
    seeds: u64,
    /// Units of work of a run: what the workload counts
    #[arg(long, default_value_t = 1000)]
    work: u64,
    /// Print for programs
    #[arg(long)]
    json: bool,
    /// Keep the folder with databases, logs and ledger also if nothing was found
    #[arg(long)]
    keep: bool,
    /// A defect that the services show on purpose. One that is installed into databases stands in our own environment:
    /// it is we who install
    #[cfg(feature = "plant")]
    #[arg(long, value_name = "DEFECT", hide = true, env = "FREEHOLD_PLANT")]
    plant: Option<String>,
}

impl Crash {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (folder, system) = match self.place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let first = self.seed.unwrap_or_else(|| fastrand::u64(..u64::from(u32::MAX)));
        let mut interrupts = Interrupts::listen()?;
        let mut reports = Vec::new();
        for seed in (0..self.seeds).map(|n| first.wrapping_add(n)) {
            paint::note(&format!(
                "seed {seed}: {} units of work, {} faults; again with --seed {seed}",
                self.work, self.faults
            ));
            let mut teller = Teller::new();
            let mut tell = |event: Event<'_>| teller.tell(event);
            let report = crash::run(&folder, &system, self.plan(seed)?, &mut tell, interrupts.next()).await;
            teller.clear();
            let report = report?;
            if !self.json {
                paint::result(&report)?;
            }
            reports.push(report);
        }
        if self.json {
            paint::result(serde_json::to_string_pretty(&reports)?)?;
        } else if reports.len() > 1 {
            paint::result(summary(&reports))?;
        }
        let found = reports.iter().any(|report| !report.findings.is_empty());
        Ok(ExitCode::from(u8::from(found)))
    }

    fn plan(&self, seed: u64) -> Result<Plan> {
        Ok(Plan {
            seed,
            faults: self.faults,
            limit: Duration::from_secs(60 * self.minutes),
            work: self.work,
            #[cfg(feature = "plant")]
            plant: self.plant.clone(),
            #[cfg(not(feature = "plant"))]
            plant: None,
            program: std::env::current_exe().context("cannot find this program's own file")?,
            remains: match self.keep {
                true => Remains::Kept,
                false => Remains::Removed,
            },
        })
    }
}

/// All runs in a line.
fn summary(reports: &[Report]) -> String {
    let red: Vec<String> = reports
        .iter()
        .filter(|report| !report.findings.is_empty())
        .map(|report| report.seed.to_string())
        .collect();
    match red.is_empty() {
        true => format!("{} runs, nothing found", reports.len()),
        false => format!(
            "{} runs; something was found with seeds {}",
            reports.len(),
            red.join(", ")
        ),
    }
}

/// Says how a run goes on: one line on a terminal, a line now and then elsewhere.
struct Teller {
    terminal: bool,
    begun: Instant,
    told: Option<Instant>,
    last_fault: String,
}

impl Teller {
    fn new() -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
            begun: Instant::now(),
            told: None,
            last_fault: String::new(),
        }
    }

    fn tell(&mut self, event: Event<'_>) {
        match event {
            Event::Step(step) => {
                self.clear();
                paint::note(&format!("{:5.1} s  {step}", self.begun.elapsed().as_secs_f64()));
            }
            Event::Fault(dealt) => self.last_fault = format!("; {} {}", dealt.kind.words(), dealt.target),
            Event::Progress {
                counts,
                work,
                faults,
                planned,
            } => {
                let every = if self.terminal { REWRITE_EVERY } else { TELL_EVERY };
                if self.told.is_some_and(|told| told.elapsed() < every) {
                    return;
                }
                self.told = Some(Instant::now());
                let line = format!(
                    "{:5.1} s  {} of {work} done, {} accepted, {} refused, {faults} of {planned} faults{}",
                    self.begun.elapsed().as_secs_f64(),
                    counts.progress,
                    counts.accepted,
                    counts.refused,
                    self.last_fault
                );
                if self.terminal {
                    let _ = write!(io::stderr(), "\r\x1b[2K  {line}");
                } else {
                    paint::note(&line);
                }
            }
        }
    }

    /// Takes the rewritten line away.
    fn clear(&self) {
        if self.terminal {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}
