//! What a system of services declares: read, checked and explained.
//!
//! PURE: text in, a model or diagnostics out; no async, no IO, no database.
//!
//! ```
//! use freehold_manifest::{SourceFile, Sources, read};
//!
//! let system = SourceFile { path: "system.toml".into(), text: "system = \"Shop\"\nservices = []".into() };
//! let sources = Sources { system, ..Sources::default() };
//! let checked = read(&sources);
//! assert!(checked.system.is_none());
//! assert!(checked.diagnostics[0].render(&sources, false).contains("system.toml:1:10"));
//! ```

// In: the texts, and what SQL says about shape.
mod declared;
mod lint;
pub mod locks;
mod parse;
mod schema;
mod source;
// Judged: one file per rule over the whole declaration, and beside what was promised before.
pub mod contract;
mod landscape;
mod nearest;
pub mod rules;
// Out: the model, or findings for people.
mod diagnostic;
pub mod history;
pub mod model;
pub mod names;
mod render;
mod resolve;
mod secret;

use contract::Contract;
use model::System;

pub use diagnostic::{Diagnostic, Place, Severity};
pub use source::{ServiceSource, SourceFile, Sources};

/// What reading a system gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The system; some exactly if no finding is an error.
    pub system: Option<System>,
    /// Everything found, in the order of files and places.
    pub diagnostics: Vec<Diagnostic>,
    /// What each service promises others now, in declared order.
    pub contracts: Vec<Contract>,
}

/// The services `system.toml` lists: the folders to load before [`read`].
///
/// Each once, in order, and only such as can be a folder's name: lowercase letters, digits and `_`.
///
/// # Errors
/// What is wrong with `system.toml`, if it gives no service at all. Other mistakes are left to [`read`].
pub fn service_names(system: &SourceFile) -> Result<Vec<String>, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let declared = parse::system(system, &mut found);
    let names: Vec<String> = declared
        .services
        .iter()
        .flat_map(declared::Listed::values)
        .filter(|name| parse::is_identifier(name))
        .collect();
    if names.is_empty() { Err(found) } else { Ok(names) }
}

/// Reads and checks a whole system.
///
/// Reports as much as it can in one run; what follows from a mistake already reported is left out. No input makes it panic.
#[must_use]
pub fn read(sources: &Sources) -> Checked {
    let mut found = Vec::new();
    let system = parse::system(&sources.system, &mut found);
    let names: Vec<String> = match &system.services {
        Some(services) => services.values(),
        None => sources.services.keys().cloned().collect(),
    };
    let mut contracts = parse::contracts(&names, sources, &mut found);
    let migrations: Vec<schema::Migrations<'_>> = names
        .iter()
        .map(|name| schema::Migrations {
            files: sources
                .services
                .get(name)
                .map(|s| s.migrations.as_slice())
                .unwrap_or_default(),
            accepted: contracts.get(name).map_or(0, |contract| contract.migration),
        })
        .collect();
    let (schemas, mut unread) = schema::read_all(&migrations);
    found.append(&mut unread);
    let services = names
        .iter()
        .zip(schemas)
        .map(|(name, schema)| match sources.services.get(name) {
            Some(source) => {
                let mut service = parse::service(name, source, schema, &mut found);
                service.contract = contracts.remove(name);
                service
            }
            None => parse::absent_service(name, &sources.system),
        })
        .collect();
    let landscape = landscape::Landscape { system, services };
    rules::check(&landscape, sources, &mut found);
    sort(&mut found, sources);
    let system = if found.iter().any(|finding| finding.severity == Severity::Error) {
        None
    } else {
        resolve::system(&landscape)
    };
    Checked {
        system,
        diagnostics: found,
        contracts: landscape.services.iter().map(contract::of_service).collect(),
    }
}

/// Reads one service's manifest by itself: what a program that runs the service is built with.
///
/// Only what the text alone shows is checked; `freehold check` has looked at the whole system before. The port is 0 unless
/// the manifest names one.
///
/// # Errors
/// Everything found wrong with the text.
pub fn read_service(manifest: &SourceFile) -> Result<model::Service, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let source = ServiceSource {
        manifest: manifest.clone(),
        ..ServiceSource::default()
    };
    let Some(name) = parse::service_name(manifest, &mut found) else {
        return Err(found);
    };
    let service = parse::service(&name, &source, schema::Schema::unknown(), &mut found);
    match resolve::alone(&service) {
        Some(service) if found.iter().all(|finding| finding.severity != Severity::Error) => Ok(service),
        _ => Err(found),
    }
}

/// By file (`system.toml` first, then by service, manifest before migrations), then by place; findings without a place lead.
fn sort(found: &mut [Diagnostic], sources: &Sources) {
    let files: std::collections::HashMap<&str, usize> = std::iter::once(&sources.system)
        .chain(sources.services.values().flat_map(ServiceSource::files))
        .enumerate()
        .map(|(index, file)| (file.path.as_str(), index))
        .collect();
    found.sort_by_key(|finding| {
        finding.place.as_ref().map(|place| {
            (
                files.get(place.file.as_str()).copied(),
                place.span.start,
                place.span.end,
            )
        })
    });
}
