//! `freehold migrate plan`: what pending migrations will lock, and who hears of it.

use std::process::ExitCode;

use anyhow::Result;
use comfy_table::{Table, presets};
use freehold_manifest::locks::{Statement, TableLock, Work};
use freehold_manifest::model::System;
use serde_json::{Value, json};

use super::borrowed::Borrowed;
use super::{Where, paint};
use crate::folder::Folder;
use crate::migrate::{self, File, Mode, Outlook, To};

/// Letters of a statement that are shown.
const STATEMENT_MAX: usize = 56;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  freehold migrate plan systems/shop
  freehold migrate plan systems/shop --service order --json")]
pub(super) struct Plan {
    #[command(flatten)]
    place: Where,
    /// Only this service
    #[arg(long)]
    service: Option<String>,
    /// Print for programs
    #[arg(long)]
    json: bool,
}

impl Plan {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (folder, system) = match self.place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let pending = pending(&folder, &system, self.service.as_deref()).await?;
        let mut outlooks = Vec::new();
        for (service, files) in &pending {
            if let Some(source) = folder.sources.services.get(service) {
                outlooks.extend(migrate::outlook(service, source, files));
            }
        }
        if self.json {
            let files: Vec<Value> = outlooks.iter().map(|outlook| as_json(&system, outlook)).collect();
            paint::result(serde_json::to_string_pretty(&json!({ "pending": files }))?)?;
            return Ok(ExitCode::SUCCESS);
        }
        for outlook in &outlooks {
            show(&system, outlook)?;
        }
        paint::done(&said(&outlooks));
        Ok(ExitCode::SUCCESS)
    }
}

/// The pending files of each service; all of them where nothing was ever set up.
async fn pending(folder: &Folder, system: &System, service: Option<&str>) -> Result<Vec<(String, Vec<File>)>> {
    let services = super::migrate::chosen(system, service)?;
    if Borrowed::must_exist(folder, system).is_err() {
        paint::note(&format!(
            "{} has no databases yet: all its migrations are pending",
            system.name
        ));
        let all = services.iter().map(|service| {
            let files = migrate::plan(&folder.migrations(&service.name))?;
            Ok((service.name.clone(), files))
        });
        return all.collect();
    }
    let borrowed = Borrowed::open(folder, system).await?;
    borrowed
        .with(async |ground| {
            let mut pending = Vec::new();
            for service in services {
                let files = migrate::plan(&folder.migrations(&service.name))?;
                let preview = migrate::dry_run(&ground.target(service)?, &files, To::Latest).await?;
                pending.push((service.name.clone(), preview.files));
            }
            Ok(pending)
        })
        .await
}

fn show(system: &System, outlook: &Outlook) -> Result<()> {
    let how = match outlook.mode {
        Mode::Transaction => "in one transaction: what it locks stays locked to its end",
        Mode::NoTransaction => "statement by statement",
    };
    paint::result(format_args!("{}: {}, {how}", outlook.service, outlook.file))?;
    let Some(statements) = &outlook.statements else {
        return Ok(paint::result("  not read: what it locks cannot be told\n")?);
    };
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["line", "statement", "table", "lock", "stops", "meanwhile", "heard by"]);
    for statement in statements {
        for row in rows(system, outlook, statement) {
            table.add_row(row);
        }
    }
    paint::result(format_args!("{table}\n"))?;
    Ok(())
}

/// One row per lock of a statement; the statement itself stands in the first.
fn rows(system: &System, outlook: &Outlook, statement: &Statement) -> Vec<[String; 7]> {
    let short: String = statement.text.chars().take(STATEMENT_MAX).collect();
    let head = |first: bool| match first {
        true => [statement.line.to_string(), short.clone()],
        false => [String::new(), String::new()],
    };
    if statement.locks.is_empty() {
        let [line, text] = head(true);
        return vec![[
            line,
            text,
            "".into(),
            "none".into(),
            "nobody".into(),
            "".into(),
            "".into(),
        ]];
    }
    let each = statement.locks.iter().enumerate().map(|(index, lock)| {
        let [line, text] = head(index == 0);
        let (name, stops) = lock
            .lock
            .map_or(("new here", "nobody"), |lock| (lock.name(), lock.stops()));
        let heard = migrate::hearing(system, &outlook.service, &lock.table).join(", ");
        [
            line,
            text,
            lock.table.clone(),
            name.to_owned(),
            stops.to_owned(),
            lock.work.word().to_owned(),
            heard,
        ]
    });
    each.collect()
}

/// How much is pending, and which statements keep everybody waiting.
fn said(outlooks: &[Outlook]) -> String {
    if outlooks.is_empty() {
        return "nothing is pending".to_owned();
    }
    let statements = outlooks
        .iter()
        .flat_map(|outlook| outlook.statements.iter().flatten().map(move |s| (outlook, s)));
    let long = |lock: &TableLock| lock.lock.is_some_and(|lock| lock.stops() != "nobody") && lock.work > Work::Rows;
    let slow: Vec<String> = statements
        .filter(|(_, statement)| statement.locks.iter().any(long))
        .map(|(outlook, statement)| format!("{}/{}:{}", outlook.service, outlook.file, statement.line))
        .collect();
    let files = match outlooks.len() {
        1 => "1 migration is pending".to_owned(),
        n => format!("{n} migrations are pending"),
    };
    match slow.as_slice() {
        [] => format!("{files}; no statement holds a lock for as long as a table is large"),
        slow => format!(
            "{files}; these hold a lock for as long as the table is large: {}",
            slow.join(", ")
        ),
    }
}

fn as_json(system: &System, outlook: &Outlook) -> Value {
    let lock = |lock: &TableLock| {
        json!({
            "table": lock.table,
            "lock": lock.lock.map(|lock| lock.name()),
            "stops": lock.lock.map_or("nobody", |lock| lock.stops()),
            "work": lock.work.word(),
            "rewrites": lock.work == Work::Rewrite,
            "heard_by": migrate::hearing(system, &outlook.service, &lock.table),
        })
    };
    let statement = |statement: &Statement| {
        json!({
            "line": statement.line,
            "statement": statement.text,
            "locks": statement.locks.iter().map(lock).collect::<Vec<_>>(),
        })
    };
    let statements = outlook.statements.as_ref();
    json!({
        "service": outlook.service,
        "file": outlook.file,
        "transaction": outlook.mode == Mode::Transaction,
        "statements": statements.map(|all| all.iter().map(statement).collect::<Vec<_>>()),
    })
}
