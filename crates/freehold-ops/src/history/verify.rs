//! One service after the other, each in one snapshot.

use std::path::Path;

use anyhow::{Context, Result};
use freehold::install;
use freehold::pg::catalog::{self, Catalog};
use freehold::pg::ident;
use freehold_manifest::model::{Mode, Service};
use freehold_manifest::names::Names;

use super::log::{self, Head};
use super::report::{Finding, Report, Verdict, What};
use super::rows::{self, Entries};
use super::walls;
use super::witness::{self, Claims};
use crate::events::Database;
use crate::ground::Ground;
use crate::secrets::Login;

/// How far a log was walked.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The service.
    pub service: &'a str,
    /// Positions walked.
    pub done: i64,
    /// The last position.
    pub of: i64,
}

/// What the snapshot of a service is read under: whole, for as long as it takes, and with texts that no setting changes.
const SETTINGS: &str = "begin isolation level repeatable read read only;
set local statement_timeout = 0;
set local idle_in_transaction_session_timeout = 0;
set local search_path = pg_catalog;
set local work_mem = '64MB';
set local jit = off;";

/// Verifies every service of a system against all who have seen its log, and lets them see where it stands now.
///
/// A service whose history was altered is not seen anew. `state` is the system's `.freehold`, which holds witnesses too.
///
/// # Errors
/// When a service's database cannot be read, or its log's head cannot be written down.
pub async fn verify(ground: &Ground, state: &Path, told: &mut (dyn FnMut(Progress<'_>) + Send)) -> Result<Report> {
    let mut databases = Vec::new();
    for service in &ground.system.services {
        databases.push(Database::enter(ground, service, Login::Reader).await?);
    }
    // Before any snapshot: what was seen is in the log by then.
    let claims = witness::claims(&databases, state).await?;
    let (report, heads) = judge(ground, &databases, &claims, told).await?;
    let holding = |service: &str| report.services.iter().any(|v| v.service == service && v.holds());
    let heads: Vec<_> = heads.into_iter().filter(|(service, _)| holding(service)).collect();
    witness::record(ground, state, &heads).await?;
    Ok(report)
}

/// As [`verify`], against these claims and nobody else's; nobody is told.
///
/// # Errors
/// When a service's database cannot be read.
pub async fn verify_against(ground: &Ground, claims: &Claims) -> Result<Report> {
    let mut databases = Vec::new();
    for service in &ground.system.services {
        databases.push(Database::enter(ground, service, Login::Reader).await?);
    }
    Ok(judge(ground, &databases, claims, &mut |_| {}).await?.0)
}

async fn judge(
    ground: &Ground,
    databases: &[Database],
    claims: &Claims,
    told: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<(Report, Vec<(String, Head)>)> {
    let mut report = Report {
        system: ground.system.name.clone(),
        services: Vec::new(),
    };
    let mut heads = Vec::new();
    for (service, database) in ground.system.services.iter().zip(databases) {
        let names = Names::of(&ground.system, service);
        let shapes = catalog::load(&database.client, &names.schema)
            .await
            .with_context(|| format!("cannot read the tables of {}", service.name))?;
        let begin = format!("{SETTINGS} {}", install::shown_locally());
        database
            .client
            .batch_execute(&begin)
            .await
            .map_err(|e| database.told(e))?;
        let of = Judged {
            service,
            names: &names,
            shapes: &shapes,
            database,
        };
        let (verdict, head) = of.judge(claims, told).await?;
        database
            .client
            .batch_execute("rollback")
            .await
            .map_err(|e| database.told(e))?;
        report.services.push(verdict);
        heads.push((service.name.clone(), head));
    }
    Ok((report, heads))
}

/// A service under judgement.
pub(super) struct Judged<'a> {
    pub(super) service: &'a Service,
    pub(super) names: &'a Names,
    pub(super) shapes: &'a Catalog,
    pub(super) database: &'a Database,
}

impl Judged<'_> {
    async fn judge(&self, claims: &Claims, told: &mut (dyn FnMut(Progress<'_>) + Send)) -> Result<(Verdict, Head)> {
        let mut findings = claims.unreadable(&self.service.name);
        let head = log::walk(self.database, &mut findings, told).await?;
        let claims = claims.about(&self.service.name);
        let witnessed = log::compare(self.database, &head, claims, &mut findings).await?;
        let mut witnesses: Vec<String> = claims.iter().map(|claim| claim.by.clone()).collect();
        witnesses.sort_unstable();
        witnesses.dedup();
        let mut tables = Vec::new();
        let mut entries = rows::entries(self.database).await?;
        for table in self.service.owns.iter().filter(|t| t.mode == Mode::AppendOnly) {
            let of = entries.remove(&table.name).unwrap_or_default();
            match self.shapes.tables.get(&table.name) {
                None => findings.push(gone(&table.name, &of, "the table")),
                Some(shape) if shape.key.is_empty() => findings.push(gone(&table.name, &of, "its primary key")),
                Some(_) if !self.may_read(&table.name).await? => {
                    findings.push(gone(&table.name, &of, "the right to read it"));
                }
                Some(shape) => tables.push(rows::compare(self.database, shape, &of, &mut findings).await?),
            }
        }
        findings.extend(entries.iter().map(|(table, of)| released(table, of)));
        walls::look(self, &mut findings).await?;
        let verdict = Verdict {
            service: self.service.name.clone(),
            position: head.position,
            witnessed,
            witnesses,
            tables,
            findings,
        };
        Ok((verdict, head))
    }

    /// Who makes a table anew leaves its rights behind.
    async fn may_read(&self, table: &str) -> Result<bool> {
        let name = ident::qualified(&self.names.schema, table);
        let row = self
            .database
            .row("select has_table_privilege($1::text, 'select')", &[&name])
            .await?;
        Ok(row.get(0))
    }
}

fn gone(table: &str, entries: &Entries, what: &str) -> Finding {
    let detail = format!("{what} is gone, and with it the proof of {} rows", entries.count());
    Finding::of_table(What::TableGone, table, detail)
}

fn released(table: &str, entries: &Entries) -> Finding {
    let detail = format!(
        "{} of its rows are in the log, and the manifest does not call it append-only any more",
        entries.count()
    );
    Finding::of_table(What::TableReleased, table, detail)
}
