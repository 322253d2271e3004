//! What a system says must hold: the SQL files of its folder `invariants`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use freehold_manifest::model::System;

/// A statement of the system's, and where it stands.
#[derive(Debug, Clone)]
pub(in crate::crash) struct Statement {
    /// The service in whose database it runs.
    pub(in crate::crash) service: String,
    /// Its file's name without `.sql`.
    pub(in crate::crash) name: String,
    /// Its path below the system's folder.
    pub(in crate::crash) file: String,
    pub(in crate::crash) sql: String,
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(in crate::crash) struct Invariants {
    /// `invariants/<service>/<name>.sql`: every row is a violation.
    pub(in crate::crash) violated: Vec<Statement>,
    /// `invariants/outcome/<service>.sql`: the units of work that are finished.
    pub(in crate::crash) outcome: Vec<Statement>,
    /// `invariants/equal/<name>/<service>.sql`: sides of one truth, by its name.
    pub(in crate::crash) equal: BTreeMap<String, Vec<Statement>>,
}

impl Invariants {
    /// Reads the folder; none is as good as an empty one.
    ///
    /// # Errors
    /// When a folder or file names no service of the system, or cannot be read.
    pub(in crate::crash) fn read(folder: &Path, system: &System) -> Result<Self> {
        let mut read = Self::default();
        let root = folder.join("invariants");
        if !root.is_dir() {
            return Ok(read);
        }
        let known = |service: &str, place: &str| match system.service(service) {
            Some(_) => Ok(()),
            None => bail!("{place}: {} has no service {service}", system.name),
        };
        for below in names(&root)? {
            let place = format!("invariants/{below}");
            match below.as_str() {
                "outcome" => {
                    for (service, sql) in statements(&root.join(&below))? {
                        known(&service, &format!("{place}/{service}.sql"))?;
                        read.outcome.push(statement(&place, &service, service.clone(), sql));
                    }
                }
                "equal" => {
                    for name in names(&root.join(&below))? {
                        let place = format!("{place}/{name}");
                        let mut sides = Vec::new();
                        for (service, sql) in statements(&root.join(&below).join(&name))? {
                            known(&service, &format!("{place}/{service}.sql"))?;
                            sides.push(statement(&place, &service, service.clone(), sql));
                        }
                        read.equal.insert(name, sides);
                    }
                }
                service => {
                    known(service, &place)?;
                    for (name, sql) in statements(&root.join(service))? {
                        read.violated.push(statement(&place, service, name, sql));
                    }
                }
            }
        }
        Ok(read)
    }
}

fn statement(place: &str, service: &str, name: String, sql: String) -> Statement {
    Statement {
        service: service.to_owned(),
        file: format!("{place}/{name}.sql"),
        name,
        sql,
    }
}

/// The names in a folder, in order; hidden ones are left out.
fn names(folder: &Path) -> Result<Vec<String>> {
    let at = || format!("cannot read {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(at)? {
        let name = entry.with_context(at)?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The `.sql` files of a folder: name without ending, and text.
fn statements(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut read = Vec::new();
    for file in names(folder)? {
        let Some(name) = file.strip_suffix(".sql") else {
            continue;
        };
        let path = folder.join(&file);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        read.push((name.to_owned(), text));
    }
    Ok(read)
}
