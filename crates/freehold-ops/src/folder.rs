//! A system's folder on disk: its texts, read once, and the place of its state.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use freehold_manifest::{Checked, ServiceSource, SourceFile, Sources};

/// What a service promised others, beside its manifest.
pub(crate) const CONTRACT: &str = "contract.toml";

/// A system's folder.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// Its texts.
    pub sources: Sources,
    /// What they say.
    pub checked: Checked,
}

impl Folder {
    /// Reads `system.toml` and every service it lists.
    ///
    /// # Errors
    /// When there is no `system.toml`, or a file cannot be read as UTF-8. What is wrong inside is in `checked`.
    pub fn read(path: &Path) -> Result<Self> {
        if !path.join("system.toml").is_file() {
            return Err(no_system(path));
        }
        let system = text(path, Path::new("system.toml"))?;
        let mut services = BTreeMap::new();
        for name in freehold_manifest::service_names(&system).unwrap_or_default() {
            if let Some(source) = service(path, &name)? {
                services.insert(name, source);
            }
        }
        let sources = Sources { system, services };
        let checked = freehold_manifest::read(&sources);
        Ok(Self {
            path: path.to_owned(),
            sources,
            checked,
        })
    }

    /// Where the system's private server, secrets and lock are kept.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.path.join(".freehold")
    }

    /// Where a service's migrations are.
    #[must_use]
    pub fn migrations(&self, service: &str) -> PathBuf {
        self.path.join(service).join("migrations")
    }
}

/// Why there is no system here, and where one may be.
pub(crate) fn no_system(path: &Path) -> anyhow::Error {
    let shown = path.display();
    if !path.exists() {
        return anyhow!("there is no folder {shown}");
    }
    let absolute = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let around = absolute.ancestors().skip(1).find(|p| p.join("system.toml").is_file());
    match around {
        Some(folder) if absolute.is_file() => anyhow!("{shown} is a file: give the folder, {}", folder.display()),
        Some(folder) => anyhow!(
            "no system.toml in {shown}: the system around it is {}",
            folder.display()
        ),
        None if path.is_file() => anyhow!("{shown} is a file: give the folder of a system, one with a system.toml"),
        None => {
            anyhow!("no system.toml in {shown}: give the folder of a system, like `freehold check systems/shop`")
        }
    }
}

fn service(system: &Path, name: &str) -> Result<Option<ServiceSource>> {
    let manifest = Path::new(name).join("freehold.toml");
    if !system.join(&manifest).is_file() {
        return Ok(None);
    }
    let folder = system.join(name).join("migrations");
    let mut files = Vec::new();
    if folder.is_dir() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let file = entry?.file_name().to_string_lossy().into_owned();
            if file.ends_with(".sql") {
                files.push(file);
            }
        }
    }
    files.sort();
    let migrations = files
        .iter()
        .map(|file| text(system, &Path::new(name).join("migrations").join(file)))
        .collect::<Result<_>>()?;
    let contract = Path::new(name).join(CONTRACT);
    Ok(Some(ServiceSource {
        manifest: text(system, &manifest)?,
        migrations,
        contract: match system.join(&contract).is_file() {
            true => Some(text(system, &contract)?),
            false => None,
        },
    }))
}

fn text(system: &Path, file: &Path) -> Result<SourceFile> {
    let path = system.join(file);
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..valid].iter().filter(|b| **b == b'\n').count();
        anyhow!("{}:{line} is not UTF-8 text: save the file as UTF-8", path.display())
    })?;
    Ok(SourceFile {
        path: file.display().to_string(),
        text,
    })
}
