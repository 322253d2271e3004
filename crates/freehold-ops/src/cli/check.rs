//! `freehold check`: what is wrong with a system's manifests, as a compiler says it.

use std::process::ExitCode;

use anyhow::{Result, bail};
use freehold_manifest::{Diagnostic, Severity, rules};
use serde_json::json;

use super::Where;
use crate::contracts;
use crate::folder::Folder;
use crate::migrate;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  freehold check systems/shop
  freehold check systems/shop --deny-warnings
  freehold check systems/shop --accept
  freehold check --explain two-owners
  freehold check systems/shop --json | jq '.findings[].rule'")]
pub(super) struct Check {
    #[command(flatten)]
    place: Where,
    /// Print for programs
    #[arg(long)]
    json: bool,
    /// End with 1 for warnings too
    #[arg(long)]
    deny_warnings: bool,
    /// Write what each service promises others into its contract.toml
    #[arg(long, conflicts_with_all = ["json", "explain"])]
    accept: bool,
    /// Explain a rule, or list all with `--explain list`
    #[arg(long, value_name = "RULE")]
    explain: Option<String>,
}

impl Check {
    pub(super) fn run(self) -> Result<ExitCode> {
        if let Some(rule) = &self.explain {
            return explain(rule);
        }
        let mut folder = Folder::read(&self.place.system)?;
        if self.accept {
            let accepted = contracts::accept(&folder)?;
            for file in &accepted.written {
                super::paint::done(&format!("{file}: written; commit it"));
            }
            for service in &accepted.refused {
                super::paint::trouble(&format!(
                    "{service}: its contract stays as it was; settle what is found first"
                ));
            }
            if accepted.stands() {
                super::paint::note("every contract states what is published; nothing to write");
            }
            folder = Folder::read(&self.place.system)?;
        }
        let refused = refused(&folder);
        let warned = self.deny_warnings && !folder.checked.diagnostics.is_empty();
        let ok = folder.checked.system.is_some() && refused.is_empty() && !warned;
        if self.json {
            let findings = folder.checked.diagnostics.iter().map(as_json);
            let findings: Vec<_> = findings.chain(refused.iter().map(refusal_as_json)).collect();
            super::paint::result(serde_json::to_string_pretty(
                &json!({ "ok": ok, "findings": findings }),
            )?)?;
        } else {
            print(&folder);
            for refusal in &refused {
                super::paint::trouble(&refusal.to_string());
            }
            if warned {
                super::paint::trouble("a warning stands against it, and --deny-warnings was given");
            }
            if let Some(system) = folder.checked.system.as_ref().filter(|_| ok) {
                let tables: usize = system.services.iter().map(|s| s.owns.len()).sum();
                let stands = match folder.checked.diagnostics.len() {
                    0 => "nothing stands against it".to_owned(),
                    1 => "1 warning".to_owned(),
                    n => format!("{n} warnings"),
                };
                let services = match system.services.len() {
                    1 => "1 service owns".to_owned(),
                    n => format!("{n} services own"),
                };
                super::paint::done(&format!("{}: {services} {tables} tables; {stands}", system.name));
            }
        }
        Ok(ExitCode::from(u8::from(!ok)))
    }
}

/// What `freehold migrate` would refuse of the services' migrations: names, numbers, statements that cannot run there.
fn refused(folder: &Folder) -> Vec<migrate::Error> {
    let services = folder.sources.services.keys();
    services
        .filter_map(|service| migrate::plan(&folder.migrations(service)).err())
        .collect()
}

fn refusal_as_json(refusal: &migrate::Error) -> serde_json::Value {
    json!({
        "rule": null,
        "severity": "error",
        "message": refusal.to_string(),
        "place": null,
        "also": [],
        "help": null,
    })
}

/// Prints every finding to standard error, and how many there are.
pub(super) fn print(folder: &Folder) {
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let findings = &folder.checked.diagnostics;
    for finding in findings {
        super::paint::text(format_args!("{}\n", finding.render(&folder.sources, colour)));
    }
    let errors = findings.iter().filter(|f| f.severity == Severity::Error).count();
    if errors > 0 {
        let rule = findings
            .iter()
            .find(|f| f.severity == Severity::Error)
            .map_or("", |f| f.rule);
        let errors = if errors == 1 {
            "1 error".to_owned()
        } else {
            format!("{errors} errors")
        };
        super::paint::text(format_args!(
            "{errors} in {}; more about one: freehold check --explain {rule}",
            folder.path.display()
        ));
    }
}

fn explain(rule: &str) -> Result<ExitCode> {
    if rule == "list" {
        let width = rules::all().iter().map(|r| r.name.len()).max().unwrap_or(0);
        for rule in rules::all() {
            super::paint::result(format_args!("{:width$}  {}", rule.name, rule.summary))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let Some(found) = rules::find(rule) else {
        match rules::nearest(rule) {
            Some(near) => bail!("there is no rule {rule}: did you mean {near}? `--explain list` lists all"),
            None => bail!("there is no rule {rule}: `--explain list` lists all"),
        }
    };
    super::paint::result(found.page)?;
    Ok(ExitCode::SUCCESS)
}

fn as_json(finding: &Diagnostic) -> serde_json::Value {
    let place = |p: &freehold_manifest::Place| json!({ "file": p.file, "line": p.line, "column": p.column, "start": p.span.start, "end": p.span.end, "label": p.label });
    json!({
        "rule": finding.rule,
        "severity": match finding.severity { Severity::Error => "error", Severity::Warning => "warning" },
        "message": finding.message,
        "place": finding.place.as_ref().map(place),
        "also": finding.also.iter().map(place).collect::<Vec<_>>(),
        "help": finding.help,
    })
}
