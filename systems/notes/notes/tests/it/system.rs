//! The notes system in a temporary folder, on ports of its own.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The longest that anything may take which should happen soon, on a machine with busy neighbours.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// The longest a start may take, with a new server.
const START_MAX: Duration = Duration::from_secs(120);

/// How often a wait looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Ports below the ones that systems hand out by themselves.
const PORTS: std::ops::Range<u16> = 18_000..32_000;

/// The services, in the order of their ports.
const SERVICES: [&str; 3] = ["auth", "user", "notes"];

/// The system, open. Dropping it ends everything.
pub(crate) struct Notes {
    pub(crate) http: reqwest::Client,
    up: Child,
    port: u16,
    temp: TempDir,
}

impl Notes {
    pub(crate) async fn open(placement: &str) -> Result<Self> {
        let temp = tempfile::tempdir()?;
        // PostgreSQL may run as another user than we do.
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755))?;
        let port = copy_notes(&temp.path().join("notes"), placement)?;
        let up = Command::new(program("freehold")?)
            .arg("up")
            .arg(temp.path().join("notes"))
            .env("AUTH_MAIL", format!("folder:{}", temp.path().join("mail").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(temp.path().join("log"))?)
            .spawn()?;
        let mut notes = Self {
            http: reqwest::Client::builder().no_proxy().build()?,
            up,
            port,
            temp,
        };
        notes.ready().await?;
        Ok(notes)
    }

    async fn ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        for service in SERVICES {
            let url = self.url(service, "health/ready");
            while !self.http.get(&url).send().await.is_ok_and(|a| a.status().is_success()) {
                if let Some(status) = self.up.try_wait()? {
                    bail!("up has ended, {status}: {}", self.said());
                }
                ensure!(begun.elapsed() < START_MAX, "{service} is not ready: {}", self.said());
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }

    pub(crate) fn url(&self, service: &str, path: &str) -> String {
        let place = SERVICES.iter().position(|s| *s == service);
        let place = place.expect("a service of the notes");
        format!("http://127.0.0.1:{}/{path}", usize::from(self.port) + 1 + place)
    }

    /// What `freehold <words> <folder> <more>` prints; it ends well.
    pub(crate) fn freehold(&self, words: &[&str], more: &[&str]) -> Result<String> {
        let mut command = Command::new(program("freehold")?);
        command.args(words).arg(self.temp.path().join("notes")).args(more);
        let output = command.stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "{words:?} {more:?}: {}\n{said}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }

    /// The mails to an address that were sent so far, oldest first.
    pub(crate) fn mails(&self, address: &str) -> Result<Vec<String>> {
        let Ok(files) = fs::read_dir(self.temp.path().join("mail")) else {
            return Ok(Vec::new());
        };
        let mut mails = Vec::new();
        for file in files {
            let path = file?.path();
            if path.extension().is_some_and(|e| e == "eml") {
                let mail = fs::read_to_string(&path)?;
                if mail.contains(address) {
                    mails.push((fs::metadata(&path)?.modified()?, mail));
                }
            }
        }
        mails.sort();
        Ok(mails.into_iter().map(|(_, mail)| mail).collect())
    }

    pub(crate) async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
        let begun = Instant::now();
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            ensure!(begun.elapsed() < SOON, "not within {SOON:?}: {what}; {}", self.said());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.temp.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.up.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
        }
        let _ = self.up.wait();
        let down = program("freehold").map(|freehold| {
            let mut command = Command::new(freehold);
            command.arg("down").arg(self.temp.path().join("notes"));
            command.args(["--destroy", "--yes"]).stdin(Stdio::null()).output()
        });
        if !matches!(down, Ok(Ok(output)) if output.status.success()) {
            eprintln!("the server of {} is left behind", self.temp.path().display());
        }
    }
}

/// Copies the system without its state, onto free ports; returns the console's.
fn copy_notes(to: &Path, placement: &str) -> Result<u16> {
    let notes = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the system's folder")?;
    for service in SERVICES {
        let (from, to) = (notes.join(service), to.join(service));
        fs::create_dir_all(to.join("migrations"))?;
        for file in ["freehold.toml", "contract.toml"].map(|name| from.join(name)) {
            if file.is_file() {
                fs::copy(&file, to.join(file.file_name().context("a name")?))?;
            }
        }
        for file in fs::read_dir(from.join("migrations"))? {
            let file = file?;
            fs::copy(file.path(), to.join("migrations").join(file.file_name()))?;
        }
    }
    let port = free_ports()?;
    let manifest = fs::read_to_string(notes.join("system.toml"))?;
    for said in ["= 7200 ", "= \"database\""] {
        ensure!(manifest.contains(said), "system.toml does not say {said}");
    }
    let manifest = manifest.replacen("= 7200 ", &format!("= {port} "), 1);
    let manifest = manifest.replacen("= \"database\"", &format!("= \"{placement}\""), 1);
    fs::write(to.join("system.toml"), manifest)?;
    Ok(port)
}

/// A port with free ports behind it, one for each service.
fn free_ports() -> Result<u16> {
    for _ in 0..100 {
        let first = fastrand::u16(PORTS) / 8 * 8;
        let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (first..first + 4).all(free) {
            return Ok(first);
        }
    }
    bail!("no free ports in {PORTS:?}")
}

/// A program of the workspace, beside the service under test.
fn program(name: &str) -> Result<PathBuf> {
    let ours = Path::new(env!("CARGO_BIN_EXE_notes-notes"));
    let program = ours.with_file_name(name);
    ensure!(
        program.is_file(),
        "{} is not built: `cargo build --workspace --bins`",
        program.display()
    );
    Ok(program)
}
