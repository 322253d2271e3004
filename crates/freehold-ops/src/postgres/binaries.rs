//! The programs of PostgreSQL on this machine.

use super::error::{Error, Result};
use super::runner::Runner;
use std::path::{Path, PathBuf};

/// The oldest major version that will do: the library's SQL and `create schema` rights of version 15 are relied upon.
pub const MAJOR_MIN: u32 = 15;
/// The environment variable that names the programs' folder.
const DEMAND: &str = "FREEHOLD_PG_BIN";
/// What a server needs; the client programs are not among them.
const PROGRAMS: [&str; 3] = ["initdb", "postgres", "pg_ctl"];

/// The server programs of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The folder they stand in.
    pub folder: PathBuf,
    /// Major version: 15, 16 …
    pub major: u32,
    /// The whole version as `postgres --version` prints it.
    pub version: String,
}

/// Where to look for the programs: an explicit list, so that a test can look nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// The one folder to use and no other, if the user named one.
    pub demanded: Option<PathBuf>,
    /// The folders to look in, best first.
    pub folders: Vec<PathBuf>,
}

impl Search {
    /// Every place this machine may have them: `FREEHOLD_PG_BIN` alone if it is set, else `PATH`, then the folders of
    /// Debian, of Red Hat, of Homebrew and of Postgres.app, newest version first.
    #[must_use]
    pub fn of_machine() -> Self {
        let demanded = std::env::var_os(DEMAND)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from);
        let mut folders: Vec<PathBuf> = std::env::var_os("PATH")
            .map(|path| std::env::split_paths(&path).collect())
            .unwrap_or_default();
        folders.extend(versions("/usr/lib/postgresql", "", "bin"));
        folders.extend(versions("/usr", "pgsql-", "bin"));
        for brew in ["/opt/homebrew/opt", "/usr/local/opt"] {
            folders.extend(versions(brew, "postgresql@", "bin"));
        }
        folders.push("/opt/homebrew/bin".into());
        folders.extend(versions("/Applications/Postgres.app/Contents/Versions", "", "bin"));
        folders.retain(|folder| folder.is_absolute());
        Self { demanded, folders }
    }

    /// Finds every installation, best first, each folder once.
    ///
    /// # Errors
    /// [`Error::NoBinaries`] if there is none, [`Error::DemandedBinaries`] if the folder named by the user has none,
    /// [`Error::OldBinaries`] if all are older than [`MAJOR_MIN`].
    pub async fn run(&self) -> Result<Vec<Binaries>> {
        if let Some(folder) = &self.demanded
            && let Some(program) = missing(folder)
        {
            return Err(Error::DemandedBinaries {
                folder: folder.clone(),
                program,
            });
        }
        let mut found: Vec<Binaries> = Vec::new();
        let mut seen = Vec::new();
        for folder in self
            .demanded
            .as_ref()
            .map_or(&self.folders[..], |folder| std::slice::from_ref(folder))
        {
            // /bin and /usr/bin are often one folder.
            let Ok(real) = folder.canonicalize() else {
                continue;
            };
            if seen.contains(&real) || missing(folder).is_some() {
                continue;
            }
            seen.push(real);
            found.extend(probe(folder).await?);
        }
        let oldest = found.first().cloned();
        found.retain(|binaries| binaries.major >= MAJOR_MIN);
        match (found.is_empty(), oldest) {
            (false, _) => Ok(found),
            (true, Some(old)) => Err(Error::OldBinaries {
                folder: old.folder,
                found: old.version,
                least: MAJOR_MIN,
                install: install_command(),
            }),
            (true, None) => Err(Error::NoBinaries {
                searched: self.describe(),
                install: install_command(),
            }),
        }
    }

    fn describe(&self) -> String {
        let names: Vec<_> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
        if names.is_empty() {
            "no folder at all".to_owned()
        } else {
            names.join(", ")
        }
    }
}

impl Binaries {
    /// The path of one program.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The first program `folder` lacks.
fn missing(folder: &Path) -> Option<&'static str> {
    PROGRAMS.into_iter().find(|program| !folder.join(program).is_file())
}

/// Asks `postgres --version`; programs that do not run or do not answer like PostgreSQL are passed over.
async fn probe(folder: &Path) -> Result<Option<Binaries>> {
    let program = folder.join("postgres");
    let mut command = Runner::Caller.command(&program, Path::new("/"));
    command.arg("--version");
    let answer = match command.output().await {
        Ok(answer) if answer.status.success() => String::from_utf8_lossy(&answer.stdout).into_owned(),
        answer => {
            tracing::debug!(program = %program.display(), ?answer, "passed over a postgres that does not run");
            return Ok(None);
        }
    };
    Ok(parse_version(&answer).map(|(major, version)| Binaries {
        folder: folder.to_owned(),
        major,
        version,
    }))
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` is 15 and `15.18`; betas are `19beta1`.
fn parse_version(answer: &str) -> Option<(u32, String)> {
    let version = answer.split_once("(PostgreSQL)")?.1.split_whitespace().next()?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((digits.parse().ok()?, version.to_owned()))
}

/// `<parent>/<prefix><version>/<below>`, newest version first.
fn versions(parent: &str, prefix: &str, below: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut found: Vec<(f64, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let version: f64 = name.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join(below)))
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().map(|(_, path)| path).collect()
}

/// The command that installs PostgreSQL on this machine.
fn install_command() -> String {
    if cfg!(target_os = "macos") {
        return "brew install postgresql@17".to_owned();
    }
    install_for(&std::fs::read_to_string("/etc/os-release").unwrap_or_default()).to_owned()
}

/// The command for the distribution that this `os-release` describes.
fn install_for(os_release: &str) -> &'static str {
    let ids: Vec<&str> = os_release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches('"').split_whitespace())
        .collect();
    let any = |names: &[&str]| ids.iter().any(|id| names.contains(id));
    if any(&["debian", "ubuntu"]) {
        "sudo apt-get install postgresql"
    } else if any(&["fedora", "rhel", "centos"]) {
        "sudo dnf install postgresql-server"
    } else if any(&["arch"]) {
        "sudo pacman -S postgresql"
    } else if any(&["alpine"]) {
        "sudo apk add postgresql"
    } else if any(&["suse", "opensuse"]) {
        "sudo zypper install postgresql-server"
    } else {
        "the package manager of this machine: PostgreSQL 15 or newer, with its server"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_postgres_prints() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(parse_version(debian), Some((15, "15.18".to_owned())));
        assert_eq!(
            parse_version("postgres (PostgreSQL) 19beta1"),
            Some((19, "19beta1".to_owned()))
        );
        assert_eq!(parse_version("mysqld 8"), None);
    }

    #[test]
    fn the_install_line_fits_the_distribution() {
        assert_eq!(
            install_for("NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"),
            "sudo apt-get install postgresql"
        );
        assert_eq!(install_for("ID=fedora\n"), "sudo dnf install postgresql-server");
    }
}
