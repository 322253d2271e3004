//! What a run came to, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::path::PathBuf;

use comfy_table::{Table, presets};
use serde::Serialize;

use super::deal::Dealt;
use super::history::History;
use super::judge::Finding;
use super::ledger::Counts;

/// Findings of one symptom and check that are printed for people.
const SHOWN: usize = 5;

/// Events of a history that are printed for people: the last ones.
const EVENTS_SHOWN: usize = 60;

/// What one run came to.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The system.
    pub system: String,
    /// What repeats the run's faults.
    pub seed: u64,
    /// Units of work asked for.
    pub work: u64,
    /// What the workload said.
    pub ledger: Counts,
    /// How long the work took, in milliseconds.
    pub work_ms: u64,
    /// Faults that were to be dealt.
    pub faults_planned: usize,
    /// Faults that were, and those that missed.
    pub faults: Vec<Dealt>,
    /// How long it took until everything was quiet; none if it never was.
    pub quiet_ms: Option<u64>,
    /// Instances that ended without being asked to, and how often.
    pub ended_by_themselves: Vec<(String, u32)>,
    /// What to know of this run besides.
    pub notes: Vec<String>,
    /// What must not be.
    pub findings: Vec<Finding>,
    /// What happened to the first keys of them.
    pub histories: Vec<History>,
    /// Where everything is, if it was kept.
    pub kept: Option<PathBuf>,
}

impl Report {
    /// Faults that hit something.
    fn hits(&self) -> impl Iterator<Item = &Dealt> {
        self.faults.iter().filter(|dealt| dealt.missed.is_none())
    }

    fn by_kind(&self) -> String {
        let mut kinds: BTreeMap<_, usize> = BTreeMap::new();
        for dealt in self.hits() {
            *kinds.entry(dealt.kind).or_default() += 1;
        }
        let told: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {}", name(*kind))).collect();
        told.join(", ")
    }

    fn by_symptom(&self) -> String {
        let mut symptoms: BTreeMap<&str, usize> = BTreeMap::new();
        for finding in &self.findings {
            *symptoms.entry(&finding.symptom).or_default() += 1;
        }
        let told: Vec<String> = symptoms.iter().map(|(symptom, n)| format!("{n} {symptom}")).collect();
        match told.is_empty() {
            true => "nothing".to_owned(),
            false => told.join(", "),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let Counts {
            sent,
            accepted,
            refused,
            progress,
        } = self.ledger;
        let per_second = progress as f64 / (self.work_ms.max(1) as f64 / 1000.0);
        let rows = [
            ("seed", self.seed.to_string()),
            (
                "work",
                format!(
                    "{progress} of {} in {:.1} s, {per_second:.0}/s: {sent} sent, {accepted} accepted, {refused} refused",
                    self.work,
                    self.work_ms as f64 / 1000.0
                ),
            ),
            (
                "faults",
                format!("{} of {}: {}", self.hits().count(), self.faults_planned, self.by_kind()),
            ),
            (
                "quiet",
                match self.quiet_ms {
                    Some(ms) => format!("after {:.1} s", ms as f64 / 1000.0),
                    None => "never, as long as it was waited for".to_owned(),
                },
            ),
            ("found", self.by_symptom()),
        ];
        for (what, told) in rows {
            table.add_row([format!("  {what}"), told]);
        }
        table
    }
}

/// The name of a kind, as JSON has it.
fn name(kind: super::fault::Kind) -> String {
    serde_json::to_value(kind)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: BTreeMap<(&str, &str), Vec<&Finding>> = BTreeMap::new();
        for finding in &self.findings {
            groups
                .entry((&finding.symptom, &finding.check))
                .or_default()
                .push(finding);
        }
        for ((symptom, check), found) in &groups {
            writeln!(f, "{} ({check}, {})", symptom.to_uppercase(), found.len())?;
            for finding in found.iter().take(SHOWN) {
                let mut line = format!("  {}: ", finding.services.join(", "));
                if let Some(key) = &finding.key {
                    write!(line, "{key}: ")?;
                }
                writeln!(f, "{line}{}", finding.detail)?;
            }
            if found.len() > SHOWN {
                writeln!(f, "  … {} more; --json has them", found.len() - SHOWN)?;
            }
        }
        for history in &self.histories {
            writeln!(f, "\nHistory of {}", history.key)?;
            let unshown = history.events.len().saturating_sub(EVENTS_SHOWN);
            if unshown > 0 {
                writeln!(f, "  … {unshown} earlier ones; --json has them")?;
            }
            for event in &history.events[unshown..] {
                writeln!(f, "  {:>9.3} s  {:<10} {}", event.at_s, event.who, event.what)?;
            }
        }
        if !self.findings.is_empty() {
            writeln!(f)?;
        }
        for line in self.table().lines() {
            writeln!(f, "{}", line.trim_end())?;
        }
        for note in &self.notes {
            writeln!(f, "  · {note}")?;
        }
        if let Some(kept) = &self.kept {
            writeln!(
                f,
                "  · kept in {}: logs/, ledger.jsonl, and system/ with its data",
                kept.display()
            )?;
        }
        Ok(())
    }
}
