//! A copy of the shop in a temporary folder, on ports of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};

/// The program under test.
pub(super) const FREEHOLD: &str = env!("CARGO_BIN_EXE_freehold");

/// The services, in the order of their ports.
pub(super) const SERVICES: [&str; 3] = ["user", "product", "order"];

/// Ports below the ones that systems hand out by themselves.
const PORTS: std::ops::Range<u16> = 18_000..32_000;

/// A system's folder. Dropping it stops its private servers and removes everything.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// The console's port; the services' follow.
    pub(super) port: u16,
    temp: tempfile::TempDir,
}

impl Folder {
    /// Copies the shop without its state, and without its behaviour: what is tested here are its tables and copies, by
    /// manifests that change from one start to the next. A service's own program has its manifest built in.
    pub(super) fn of_the_shop() -> Result<Self> {
        let temp = tempfile::tempdir()?;
        // PostgreSQL may run as another user than we do.
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755))?;
        let path = temp.path().join("shop");
        fs::create_dir(&path)?;
        let shop = workspace().join("systems/shop");
        fs::copy(shop.join("system.toml"), path.join("system.toml"))?;
        for service in SERVICES {
            let (from, to) = (shop.join(service), path.join(service));
            fs::create_dir_all(to.join("migrations"))?;
            let manifest = fs::read_to_string(from.join("freehold.toml"))?;
            fs::write(to.join("freehold.toml"), without_behaviour(&manifest))?;
            for file in fs::read_dir(from.join("migrations"))? {
                let file = file?;
                fs::copy(file.path(), to.join("migrations").join(file.file_name()))?;
            }
        }
        let port = free_ports()?;
        let folder = Self { path, port, temp };
        folder.edit("system.toml", &[("= 7100 ", &format!("= {port} "))])?;
        Ok(folder)
    }

    /// Replaces texts in a file; each must be there.
    pub(super) fn edit(&self, file: &str, changes: &[(&str, &str)]) -> Result<()> {
        let path = self.path.join(file);
        let mut text = fs::read_to_string(&path)?;
        for (from, to) in changes {
            ensure!(text.contains(from), "{file} has no {from:?}");
            text = text.replacen(from, to, 1);
        }
        fs::write(&path, text).with_context(|| path.display().to_string())
    }

    /// Sets `[postgres] placement`.
    pub(super) fn place(&self, placement: &str) -> Result<()> {
        self.edit("system.toml", &[("= \"database\"", &format!("= \"{placement}\""))])
    }

    /// The port of a service.
    pub(super) fn port_of(&self, service: &str) -> u16 {
        let place = SERVICES
            .iter()
            .position(|s| *s == service)
            .expect("a service of the shop");
        self.port + 1 + u16::try_from(place).expect("there are three")
    }

    /// Where what the command writes to stderr is kept.
    pub(super) fn log(&self) -> PathBuf {
        self.temp.path().join("stderr")
    }

    /// Runs the command on this folder until it ends: `freehold <words> <folder> <more>`.
    pub(super) fn freehold(&self, word: &str, more: &[&str]) -> Result<Said> {
        let output = Command::new(FREEHOLD)
            .arg(word)
            .arg(&self.path)
            .args(more)
            .stdin(Stdio::null())
            .output()?;
        Ok(Said::from(output))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Ok(said) = self.freehold("down", &["--destroy", "--yes"])
            && said.code != 0
        {
            eprintln!(
                "the servers of {} are left behind: {}",
                self.path.display(),
                said.stderr
            );
        }
    }
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A manifest of tables and copies alone: no program, and nothing that one would do.
fn without_behaviour(manifest: &str) -> String {
    let mut section = "";
    let mut kept = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let key = line.split('=').next().unwrap_or_default().trim();
        let behaves = ["program", "subscribes", "publishes", "sagas", "sends"].contains(&key);
        if ["[commands]", "[payloads]"].contains(&section) || (section.is_empty() && behaves) {
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// The workspace's root.
pub(super) fn workspace() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is in crates/");
    crates.parent().expect("crates/ is in the workspace").to_owned()
}

/// A port with free ports behind it, one for each service and two to spare.
fn free_ports() -> Result<u16> {
    for _ in 0..100 {
        let first = fastrand::u16(PORTS) / 8 * 8;
        let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (first..first + 6).all(free) {
            return Ok(first);
        }
    }
    anyhow::bail!("no free ports in {PORTS:?}")
}
