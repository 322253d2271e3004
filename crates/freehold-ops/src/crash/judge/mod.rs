//! What must hold after everything: one check, one file.

mod chain;
mod copies;
mod equal;
mod invariants;
mod order;
mod outcome;
mod parked;
mod sagas;
mod violated;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use freehold_manifest::model::{Service, System};
use freehold_manifest::names::Names;
use serde::Serialize;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, SimpleQueryRow};

pub(super) use invariants::Invariants;

use super::ledger::Ledger;
use super::rig::Rig;
use super::workload::Fact;
use crate::secrets::Login;

/// Findings of one check that are kept; the rest is counted in one more.
const FINDINGS_MAX: usize = 100;

/// The longest that one statement of a judgement may take.
const STATEMENT_MAX: &str = "120s";

/// What is wrong, in a word.
pub mod symptom {
    /// What was acknowledged, or said, is not there.
    pub const LOST: &str = "lost";
    /// What was to happen once is there twice.
    pub const DOUBLED: &str = "doubled";
    /// What came later stands before what came earlier.
    pub const OUT_OF_ORDER: &str = "out of order";
    /// What was begun does not end.
    pub const STUCK: &str = "stuck";
    /// Two that must say the same do not.
    pub const DISAGREE: &str = "disagree";
    /// It is there, and nobody asked for it.
    pub const UNEXPECTED: &str = "unexpected";
    /// An invariant that names no symptom of its own does not hold.
    pub const VIOLATED: &str = "violated";
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is wrong in a word: one of [`symptom`], or an invariant's own.
    pub symptom: String,
    /// Which check found it.
    pub check: String,
    /// Where.
    pub services: Vec<String>,
    /// What it is about, if it is about one thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The rest, for people.
    pub detail: String,
}

impl Finding {
    pub(super) fn new(symptom: &str, check: &str, service: &str, detail: impl Into<String>) -> Self {
        Self {
            symptom: symptom.to_owned(),
            check: check.to_owned(),
            services: vec![service.to_owned()],
            key: None,
            detail: detail.into(),
        }
    }

    pub(super) fn about(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// A service's database as the judge sees it.
pub(super) struct Court {
    pub(super) service: Service,
    /// Sees everything.
    pub(super) admin: Client,
    /// As which the system's own statements run.
    pub(super) reader: Client,
}

/// Everything there is to judge by.
pub(super) struct Case<'r> {
    pub(super) system: &'r System,
    pub(super) ledger: &'r Ledger,
    pub(super) facts: &'r [Fact],
    pub(super) invariants: &'r Invariants,
    pub(super) courts: BTreeMap<String, Court>,
}

impl Case<'_> {
    /// A service's database.
    pub(super) fn court(&self, service: &str) -> Result<&Court> {
        self.courts
            .get(service)
            .with_context(|| format!("no service {service} in {}", self.system.name))
    }
}

impl Rig {
    /// Asks the workload what the outside world knows, and looks for everything that must not be.
    ///
    /// # Errors
    /// When the workload's `settle` fails, a database cannot be read, or a statement of the system's own fails; not when
    /// it finds something.
    pub async fn judge(&self) -> Result<Vec<Finding>> {
        let facts = self.workload.settle().await?;
        let mut courts = BTreeMap::new();
        for (place, service) in self.system.services.iter().enumerate() {
            let names = Names::of(&self.system, service);
            let court = Court {
                service: service.clone(),
                admin: open(&self.server(place).admin_config(&names.database)).await?,
                reader: open(&self.ground.login(service, Login::Reader)?).await?,
            };
            courts.insert(service.name.clone(), court);
        }
        let case = Case {
            system: &self.system,
            ledger: &self.ledger,
            facts: &facts,
            invariants: &self.invariants,
            courts,
        };
        let mut found = Vec::new();
        for court in case.courts.values() {
            found.extend(some(chain::check(court).await?));
            found.extend(some(order::check(court).await?));
            found.extend(some(parked::check(court).await?));
            found.extend(some(sagas::check(court).await?));
        }
        found.extend(some(copies::check(&case).await?));
        found.extend(some(outcome::check(&case).await?));
        found.extend(some(violated::check(&case).await?));
        found.extend(some(equal::check(&case).await?));
        Ok(found)
    }
}

/// The first findings of a check, and one that counts the rest.
fn some(mut found: Vec<Finding>) -> Vec<Finding> {
    if let Some(rest) = found.len().checked_sub(FINDINGS_MAX).filter(|rest| *rest > 0) {
        let last = found[FINDINGS_MAX].clone();
        found.truncate(FINDINGS_MAX);
        found.push(Finding {
            key: None,
            detail: format!("and {rest} more"),
            ..last
        });
    }
    found
}

/// A connection of the judge's: it may take its time, and changes nothing.
pub(super) async fn open(config: &Config) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    client
        .batch_execute(&format!(
            "set default_transaction_read_only = on; set statement_timeout = '{STATEMENT_MAX}'"
        ))
        .await?;
    Ok(client)
}

/// Whether the library has this table in this version.
pub(super) async fn has(client: &Client, table: &str) -> Result<bool> {
    let row = client
        .query_one("select to_regclass($1) is not null", &[&table])
        .await?;
    Ok(row.get(0))
}

/// The rows of a system's own statement, all values as text.
async fn rows(court: &Court, file: &str, sql: &str) -> Result<Vec<SimpleQueryRow>> {
    let told = court.reader.simple_query(sql).await.map_err(|error| {
        let said = error
            .as_db_error()
            .map_or_else(|| error.to_string(), |said| said.message().to_owned());
        anyhow::anyhow!("{file} fails: {said}")
    })?;
    let rows = told.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_findings_the_first_are_shown_and_the_rest_is_counted() {
        let found: Vec<Finding> = (0..FINDINGS_MAX + 7)
            .map(|n| Finding::new(symptom::LOST, "outcome", "order", "is not there").about(n.to_string()))
            .collect();
        let shown = some(found);
        assert_eq!(shown.len(), FINDINGS_MAX + 1);
        assert_eq!(shown[FINDINGS_MAX].detail, "and 7 more");
        assert_eq!(some(shown[..3].to_vec()).len(), 3);
    }
}
