//! The crash rig: runs a system's own workload, breaks everything at random meanwhile, and says what was lost, doubled,
//! out of order, stuck or contradictory.
//!
//! [`run`] is all of it, in this order. [`Rig::open`] and [`Rig::raise`] set the system up in a scratch folder: a private
//! database server for each service behind a [`proxy`], two instances of each behind a [`balancer`]. In [`Rig::work`] the
//! workload runs, and faults drawn from a seed ([`fault`]) are dealt as it goes on. When it is over everything has to
//! become quiet: [`Rig::quiet`]. [`Rig::judge`] goes by a [`ledger`] that the system under test cannot reach, by the
//! invariants that the system's folder declares, and by what holds for every system.

// What it stands on
pub mod balancer;
mod instance;
pub mod proxy;
mod scratch;
mod wire;

// What runs
pub mod ledger;
mod rig;
mod workload;

// What is done to it
mod deal;
pub mod fault;
mod work;

// What came of it
mod history;
mod judge;
mod quiet;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use freehold_manifest::model::System;

pub use deal::Dealt;
pub use history::{Happened, History};
pub use judge::{Finding, symptom};
pub use quiet::{QUIET_MAX, Quiet};
pub use report::Report;
pub use rig::{Remains, Rig};
pub use work::{End, Worked};
pub use workload::Fact;

use crate::folder::Folder;
use ledger::Counts;

/// What a run is to be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the faults are drawn from; the workload is told it too.
    pub seed: u64,
    /// How many faults.
    pub faults: usize,
    /// The longest time that the work may take.
    pub limit: Duration,
    /// Units of work: what the workload counts.
    pub work: u64,
    /// A defect that services built for tests show on purpose: `FREEHOLD_PLANT`.
    pub plant: Option<String>,
    /// The `freehold` command, which runs the services.
    pub program: PathBuf,
    /// Whether the scratch folder stays although nothing was found.
    pub remains: Remains,
}

/// What a run tells while it goes on.
#[derive(Debug)]
pub enum Event<'e> {
    /// Something begins.
    Step(&'e str),
    /// How far the work is; told several times a second.
    Progress {
        /// What the workload said so far.
        counts: Counts,
        /// Units of work asked for.
        work: u64,
        /// Faults that are over.
        faults: usize,
        /// Faults that were to be dealt.
        planned: usize,
    },
    /// A fault was dealt and is over.
    Fault(&'e Dealt),
}

/// Who hears of a run.
pub type Tell<'t> = dyn FnMut(Event<'_>) + Send + 't;

/// Runs a system under faults and judges it. `interrupted` ends the run early, in good order.
///
/// # Errors
/// When it could not be run or judged: no workload, no PostgreSQL, a service that never got ready, a workload that ended
/// with an error, an invariant that is no SQL. The scratch folder is then kept, and named in the error. What is found is
/// not an error.
pub async fn run(
    folder: &Folder,
    system: &System,
    plan: Plan,
    tell: &mut Tell<'_>,
    interrupted: impl Future<Output = ()>,
) -> Result<Report> {
    let remains = plan.remains;
    let mut rig = Rig::open(folder, system, plan).await?;
    let scratch = rig.scratch().to_owned();
    let ran = tokio::select! {
        ran = rig.run(tell) => ran.map(Some),
        () = interrupted => Ok(None),
    };
    match ran {
        Ok(Some(mut report)) => {
            let remains = if report.findings.is_empty() {
                remains
            } else {
                Remains::Kept
            };
            report.kept = rig.end(remains).await?;
            Ok(report)
        }
        Ok(None) => {
            rig.end(remains).await?;
            bail!("interrupted before it was done")
        }
        Err(error) => {
            if let Err(also) = rig.end(Remains::Kept).await {
                tracing::warn!(error = %also, "the rig was not taken down to the end");
            }
            Err(error.context(format!(
                "the run could not be finished; what there is of it is in {}",
                scratch.display()
            )))
        }
    }
}

impl Rig {
    async fn run(&mut self, tell: &mut Tell<'_>) -> Result<Report> {
        self.raise(tell).await?;
        let worked = self.work(tell).await?;
        if let Some(world) = &mut self.world {
            world.must_live()?;
        }
        let quiet = self.quiet(QUIET_MAX, tell).await?;
        let mut notes = self.notes(&worked);
        let mut findings = quiet.left.clone();
        if worked.end == End::Silent {
            let detail = "at the time limit it did not end, and said nothing any more: it waited for something";
            findings.push(Finding::new(symptom::STUCK, "work", "workload", detail));
        }
        tell(Event::Step("judging"));
        match self.judge().await {
            Ok(found) => findings.extend(found),
            // What cannot be asked of a system that is stuck must not hide that it is.
            Err(error) if !findings.is_empty() => notes.push(format!("it was not judged to the end: {error:#}")),
            Err(error) => return Err(error),
        }
        let histories = match self.histories(&findings, &worked.faults).await {
            Err(error) if !findings.is_empty() => {
                notes.push(format!("there are no histories: {error:#}"));
                Vec::new()
            }
            told => told?,
        };
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Ok(Report {
            system: self.system.name.clone(),
            seed: self.plan.seed,
            work: self.plan.work,
            ledger: self.ledger.counts(),
            work_ms: ms(worked.took),
            faults_planned: worked.planned,
            quiet_ms: quiet.left.is_empty().then(|| ms(quiet.took)),
            ended_by_themselves: self.unasked(),
            notes,
            findings,
            histories,
            kept: None,
            faults: worked.faults,
        })
    }

    fn notes(&self, worked: &Worked) -> Vec<String> {
        let mut notes = Vec::new();
        if worked.faults.len() < worked.planned {
            notes.push(format!(
                "the work was over before {} of {} faults were dealt: more --work makes room for them",
                worked.planned - worked.faults.len(),
                worked.planned
            ));
        }
        if worked.end != End::Done {
            notes.push(format!(
                "the work was ended at the time limit, {:.0} minutes: more --minutes or less --work lets it end",
                self.plan.limit.as_secs_f64() / 60.0
            ));
        }
        if worked.end == End::Killed {
            notes.push("the workload was killed: it does not end with its standard input".to_owned());
        }
        for dealt in worked.faults.iter().filter(|dealt| dealt.missed.is_some()) {
            let why = dealt.missed.as_deref().unwrap_or_default();
            notes.push(format!("missed: {} {}: {why}", dealt.kind.words(), dealt.target));
        }
        for (instance, times) in self.unasked() {
            notes.push(format!(
                "{instance} ended by itself ({times} ×), as one does that starts while its database does not answer"
            ));
        }
        if self.invariants.outcome.is_empty() {
            notes.push(
                "what was acknowledged was not looked for: there is no invariants/outcome/<service>.sql".to_owned(),
            );
        }
        notes
    }
}
