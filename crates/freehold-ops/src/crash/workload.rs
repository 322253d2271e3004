//! The system's own program that puts it to work: `world`, `run` and `settle`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::instance::{stopped, without_ours};
use super::scratch;

/// The longest that `world` may take until it is ready.
const WORLD_READY_MAX: Duration = Duration::from_secs(30);

/// The longest that `settle` may take: it prints what it knows, and waits for nothing.
const SETTLE_MAX: Duration = Duration::from_secs(120);

/// The program, and what it is told.
#[derive(Debug, Clone)]
pub(super) struct Workload {
    /// The executable.
    pub(super) program: PathBuf,
    /// Variables for every phase.
    pub(super) environment: Vec<(String, String)>,
    /// Where it writes what is for people.
    pub(super) log: PathBuf,
}

/// A line of `world`.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum WorldLine {
    Env {
        env: String,
        value: String,
    },
    Ready {
        #[expect(dead_code, reason = "its presence is what it says")]
        ready: bool,
    },
}

/// Something the outside world knows: a line of `settle`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// Which comparison it belongs to: the folder `invariants/equal/<fact>`.
    pub fact: String,
    /// What it is about.
    pub key: String,
    /// What is known: a text, a number, true, false or null.
    pub value: Value,
}

/// The world around the system, as long as this is kept.
#[derive(Debug)]
pub(super) struct World {
    child: Child,
    stdin: Option<ChildStdin>,
    log: PathBuf,
    /// What it gives to the services and the other phases.
    pub(super) environment: Vec<(String, String)>,
}

impl World {
    /// Fails if it ended with an error.
    pub(super) fn must_live(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) if !status.success() => bail!(
                "the workload's world ended with {status}; the end of what it said:{}",
                scratch::tail(&self.log)
            ),
            _ => Ok(()),
        }
    }

    /// Asks it to end, and waits for it.
    pub(super) async fn end(mut self) {
        self.stdin = None;
        stopped(&mut self.child).await;
    }
}

impl Workload {
    fn start(&self, phase: &str) -> Result<Running> {
        let log = scratch::append(&self.log).with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut command = Command::new(&self.program);
        without_ours(&mut command, &[]);
        let mut child = command
            .arg(phase)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run the workload {}", self.program.display()))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("a child's output is a pipe")?;
        Ok(Running {
            phase: phase.to_owned(),
            log: self.log.clone(),
            child,
            stdin,
            lines: BufReader::new(stdout).lines(),
        })
    }

    /// Starts the world around the system and waits until it is ready.
    pub(super) async fn world(&self) -> Result<World> {
        let mut running = self.start("world")?;
        let mut environment = Vec::new();
        let ready = async {
            while let Some(line) = running.line::<WorldLine>().await? {
                match line {
                    WorldLine::Env { env, value } => environment.push((env, value)),
                    WorldLine::Ready { .. } => return Ok(()),
                }
            }
            running.ended().await?;
            bail!("the workload's world ended without a line {{\"ready\":true}}")
        };
        tokio::time::timeout(WORLD_READY_MAX, ready)
            .await
            .unwrap_or_else(|_| bail!("the workload's world was not ready within {WORLD_READY_MAX:?}"))?;
        let Running {
            child,
            stdin,
            log,
            mut lines,
            ..
        } = running;
        // What it still prints must not stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(World {
            child,
            stdin,
            log,
            environment,
        })
    }

    /// Starts the work.
    pub(super) fn run(&self) -> Result<Running> {
        self.start("run")
    }

    /// What the outside world knows once everything is quiet.
    pub(super) async fn settle(&self) -> Result<Vec<Fact>> {
        let mut running = self.start("settle")?;
        let told = async {
            let mut facts = Vec::new();
            while let Some(fact) = running.line::<Fact>().await? {
                facts.push(fact);
            }
            running.ended().await?;
            Ok(facts)
        };
        tokio::time::timeout(SETTLE_MAX, told)
            .await
            .unwrap_or_else(|_| bail!("the workload's settle did not end within {SETTLE_MAX:?}"))
    }
}

/// A phase that runs. Dropping it kills its process.
#[derive(Debug)]
pub(super) struct Running {
    phase: String,
    log: PathBuf,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// The next line; none when it ended its output. Loses nothing when dropped.
    pub(super) async fn line<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let Some(text) = self.lines.next_line().await? else {
            return Ok(None);
        };
        let read = serde_json::from_str(&text).with_context(|| {
            format!(
                "the workload's {} printed a line that is not of its protocol: {text:?}; what is for people goes to \
                 standard error",
                self.phase
            )
        })?;
        Ok(Some(read))
    }

    /// Waits for its end, which must be a success.
    pub(super) async fn ended(&mut self) -> Result<()> {
        self.stdin = None;
        let status = self.child.wait().await?;
        if !status.success() {
            bail!(
                "the workload's {} ended with {status}; the end of what it said:{}",
                self.phase,
                scratch::tail(&self.log)
            );
        }
        Ok(())
    }

    /// Asks it to finish what was begun, and to end.
    pub(super) fn ask_to_end(&mut self) {
        self.stdin = None;
    }

    /// Ends it at once.
    pub(super) async fn kill(mut self) {
        let _ = self.child.kill().await;
    }
}

/// Finds the workload's program: in the folders of `FREEHOLD_PROGRAMS`, beside this command, or in those of `PATH`.
pub(super) fn find(name: &str) -> Result<PathBuf> {
    let listed = |variable| std::env::split_paths(&std::env::var_os(variable).unwrap_or_default()).collect::<Vec<_>>();
    let own = std::env::current_exe().ok();
    let beside = own.and_then(|own| Some(own.parent()?.to_owned()));
    let folders = listed("FREEHOLD_PROGRAMS")
        .into_iter()
        .chain(beside)
        .chain(listed("PATH"));
    let found = folders.map(|folder| folder.join(name)).find(|file| is_program(file));
    found.with_context(|| {
        format!(
            "the program {name} of [workload] in system.toml is not in FREEHOLD_PROGRAMS, beside this command or in PATH: \
             build it, or name its folder in FREEHOLD_PROGRAMS"
        )
    })
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
