//! `contract.toml` of each service: written when what it states is accepted.

use anyhow::{Context, Result};
use freehold_manifest::{Diagnostic, Severity};

use crate::folder::{CONTRACT, Folder};

/// The rule whose findings must be settled before a migration counts as accepted.
const UNSAFE_MIGRATION: &str = "unsafe-migration";

/// What came of accepting.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Files that were written, as shown to people.
    pub written: Vec<String>,
    /// Services whose contract was left as it is, because of something that no acceptance mends.
    pub refused: Vec<String>,
}

impl Accepted {
    /// Whether everything was accepted before.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.written.is_empty() && self.refused.is_empty()
    }
}

/// Writes what each service promises now into its `contract.toml`, where that changes the file.
///
/// Nothing is written while an error stands that accepting does not mend: a consumer that would break, above all. A
/// service that promises nothing and never did gets no file. One with an unsafe migration that is new is left out:
/// what is accepted is not looked at again.
///
/// # Errors
/// A file that cannot be written.
pub fn accept(folder: &Folder) -> Result<Accepted> {
    let found = &folder.checked.diagnostics;
    let stops = |finding: &&Diagnostic| finding.severity == Severity::Error && !finding.acceptable;
    let mut accepted = Accepted::default();
    if found.iter().any(|finding| stops(&finding)) {
        accepted.refused = folder.sources.services.keys().cloned().collect();
        return Ok(accepted);
    }
    for contract in &folder.checked.contracts {
        let Some(source) = folder.sources.services.get(&contract.service) else {
            continue;
        };
        let text = contract.to_toml();
        let known = source.contract.as_ref();
        if known.is_some_and(|known| known.text == text) || (known.is_none() && contract.is_empty()) {
            continue;
        }
        let migrations = format!("{}/migrations/", contract.service);
        let unsafe_one = found.iter().find(|finding| {
            let place = finding.place.as_ref();
            finding.rule == UNSAFE_MIGRATION && place.is_some_and(|place| place.file.starts_with(&migrations))
        });
        // The first contract of a service begins where the service is.
        if known.is_some() && unsafe_one.is_some() {
            accepted.refused.push(contract.service.clone());
            continue;
        }
        let path = folder.path.join(&contract.service).join(CONTRACT);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        accepted.written.push(path.display().to_string());
    }
    Ok(accepted)
}
