//! What came of the attacks, for people and for programs.

use super::remainder::Remainder;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use std::fmt::Write as _;

/// The attacks of every service on every other, and on what it must leave alone itself.
#[derive(Debug, Clone, Serialize)]
pub struct Matrix {
    /// The system.
    pub system: String,
    /// `server`, `database` or `schema`.
    pub placement: &'static str,
    /// The services, in declared order.
    pub services: Vec<String>,
    /// Everything that was tried.
    pub attacks: Vec<Trial>,
    /// What got through: a wall is open.
    pub succeeded: Vec<Trial>,
    /// What neither got through nor was refused in an expected way: nothing is known.
    pub inconclusive: Vec<Trial>,
    /// What this placement cannot exclude, by the nature of PostgreSQL.
    pub not_excluded: Vec<Remainder>,
}

/// One attack, carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// The attack's name.
    pub attack: &'static str,
    /// What was tried.
    pub about: &'static str,
    /// The service whose credentials were used.
    pub attacker: String,
    /// The role that was logged in.
    pub role: String,
    /// The service that was aimed at; the attacker itself for what it must leave alone.
    pub victim: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of an attack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// It got through.
    Succeeded {
        /// What got through: a statement or a connection.
        evidence: String,
    },
    /// It was refused as it should be.
    Refused {
        /// The SQLSTATEs, or `no-rows` where the wall hides instead.
        by: String,
    },
    /// There is nothing to try it on.
    NotApplicable {
        /// Why.
        reason: String,
    },
    /// It failed, but not by the wall.
    Inconclusive {
        /// What was seen.
        reason: String,
    },
}

impl Matrix {
    pub(super) fn new(
        system: &str,
        placement: &'static str,
        services: Vec<String>,
        attacks: Vec<Trial>,
        not_excluded: Vec<Remainder>,
    ) -> Self {
        let only =
            |wanted: fn(&Outcome) -> bool| attacks.iter().filter(|trial| wanted(&trial.outcome)).cloned().collect();
        Self {
            system: system.to_owned(),
            placement,
            services,
            succeeded: only(|o| matches!(o, Outcome::Succeeded { .. })),
            inconclusive: only(|o| matches!(o, Outcome::Inconclusive { .. })),
            attacks,
            not_excluded,
        }
    }

    /// Whether every attack was refused, each for an expected reason.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.succeeded.is_empty() && self.inconclusive.is_empty()
    }

    /// How many attacks were carried out: all but those that had nothing to aim at.
    #[must_use]
    pub fn tried(&self) -> usize {
        tried(self.attacks.iter())
    }

    /// The table for people, then everything that is wrong, then what the placement cannot exclude.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = format!("{}\n", self.table());
        let (tried, failed) = (self.tried(), self.succeeded.len() + self.inconclusive.len());
        let _ = writeln!(
            text,
            "{} of {tried} attacks refused, {} succeeded, {} inconclusive; placement {}",
            tried - failed,
            self.succeeded.len(),
            self.inconclusive.len(),
            self.placement
        );
        section(&mut text, "succeeded: these walls are open", &self.succeeded);
        section(
            &mut text,
            "inconclusive: neither let through nor refused in an expected way",
            &self.inconclusive,
        );
        if !self.not_excluded.is_empty() {
            let _ = writeln!(text, "\nnot excluded by placement {}:", self.placement);
            for remainder in &self.not_excluded {
                let _ = writeln!(text, "  {}: {}", remainder.what, remainder.why);
            }
        }
        text
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_FULL_CONDENSED)
            .set_content_arrangement(ContentArrangement::Disabled);
        let header = std::iter::once("attacker ▶ victim".to_owned());
        table.set_header(header.chain(self.services.iter().cloned()));
        for attacker in &self.services {
            let cells = self.services.iter().map(|victim| self.cell(attacker, victim));
            table.add_row(std::iter::once(attacker.clone()).chain(cells));
        }
        table
    }

    fn cell(&self, attacker: &str, victim: &str) -> String {
        let of_pair = || {
            self.attacks
                .iter()
                .filter(|t| t.attacker == attacker && t.victim == victim)
        };
        let refused = of_pair()
            .filter(|t| matches!(t.outcome, Outcome::Refused { .. }))
            .count();
        format!("{refused} / {}", tried(of_pair()))
    }
}

fn tried<'a>(trials: impl Iterator<Item = &'a Trial>) -> usize {
    trials
        .filter(|t| !matches!(t.outcome, Outcome::NotApplicable { .. }))
        .count()
}

fn section(text: &mut String, title: &str, trials: &[Trial]) {
    if trials.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}:");
    for trial in trials {
        let seen = match &trial.outcome {
            Outcome::Succeeded { evidence } => evidence,
            Outcome::Inconclusive { reason } | Outcome::NotApplicable { reason } => reason,
            Outcome::Refused { by } => by,
        };
        let _ = writeln!(
            text,
            "  {} ▶ {}  {} ({}), as {}\n      {seen}",
            trial.attacker, trial.victim, trial.attack, trial.about, trial.role
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(attacker: &str, victim: &str, outcome: Outcome) -> Trial {
        Trial {
            attack: "read-tables",
            about: "read its tables",
            attacker: attacker.to_owned(),
            role: format!("shop_{attacker}_app"),
            victim: victim.to_owned(),
            outcome,
        }
    }

    fn matrix() -> Matrix {
        let refused = || Outcome::Refused { by: "42501".to_owned() };
        let trials = vec![
            trial("user", "order", refused()),
            trial(
                "order",
                "user",
                Outcome::Succeeded {
                    evidence: "select 1".to_owned(),
                },
            ),
            trial(
                "order",
                "order",
                Outcome::NotApplicable {
                    reason: "nothing".to_owned(),
                },
            ),
        ];
        let services = vec!["user".to_owned(), "order".to_owned()];
        Matrix::new("shop", "database", services, trials, Vec::new())
    }

    #[test]
    fn a_success_is_listed_and_breaks_the_matrix() {
        let matrix = matrix();
        assert!(!matrix.holds());
        assert_eq!(matrix.tried(), 2);
        let text = matrix.render();
        assert!(
            text.contains("1 of 2 attacks refused, 1 succeeded, 0 inconclusive"),
            "{text}"
        );
        assert!(text.contains("order ▶ user  read-tables"), "{text}");
    }

    #[test]
    fn programs_get_lists() -> Result<(), serde_json::Error> {
        let json = serde_json::to_value(matrix())?;
        assert_eq!(json["attacks"][0]["result"], "refused");
        assert_eq!(json["attacks"][0]["by"], "42501");
        assert_eq!(json["succeeded"][0]["attacker"], "order");
        assert_eq!(json["inconclusive"], serde_json::json!([]));
        Ok(())
    }
}
