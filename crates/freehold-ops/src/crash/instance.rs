//! One instance of a service: started, killed, frozen, replaced, and started again whenever it ended.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::scratch;

/// The longest wait for an instance to end by itself; it drains requests for 5 s.
const STOP_MAX: Duration = Duration::from_secs(8);

/// The pause before an instance that ended by itself is started again; doubled up to [`AGAIN_MAX`].
const AGAIN_MIN: Duration = Duration::from_millis(200);

/// The longest such pause.
const AGAIN_MAX: Duration = Duration::from_secs(3);

/// Orders that may wait for an instance: one of the rig at a time, and its end.
const ORDERS: usize = 4;

/// What a service takes from our environment of what is ours.
const PASSED_ON: [&str; 4] = [
    "FREEHOLD_LOG",
    "FREEHOLD_LOG_FORMAT",
    "FREEHOLD_POOL",
    "FREEHOLD_PROGRAMS",
];

/// How an instance is started.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    /// This command.
    pub(super) program: PathBuf,
    /// The system's folder.
    pub(super) folder: PathBuf,
    /// The service.
    pub(super) service: String,
    /// What it is told, over an environment without anything of ours.
    pub(super) environment: Vec<(String, String)>,
    /// Where it writes.
    pub(super) log: PathBuf,
}

/// How an instance is. Set by its own task alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Its process runs, ready or not. Next: `Frozen`, `Down`.
    Running,
    /// Its process is stopped by a signal. Next: `Running`.
    Frozen,
    /// It has no process. Next: `Running`, after a pause.
    Down,
}

/// What is done to an instance.
#[derive(Debug, Clone, Copy)]
pub(super) enum Blow {
    /// kill -9, and a start after the pause.
    Kill(Duration),
    /// SIGSTOP for so long.
    Freeze(Duration),
    /// SIGTERM, and a start as soon as it has ended.
    Replace,
}

#[derive(Debug)]
struct Order {
    blow: Blow,
    healed: oneshot::Sender<()>,
}

/// A running instance. Dropping it kills its process.
#[derive(Debug)]
pub(super) struct Instance {
    /// Like `order-1`.
    pub(super) name: String,
    /// Where it listens, on 127.0.0.1.
    pub(super) port: u16,
    orders: mpsc::Sender<Order>,
    state: watch::Receiver<State>,
    unasked: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl Instance {
    /// Starts the instance and keeps it running.
    pub(super) fn start(name: String, port: u16, launch: Launch) -> Self {
        let (orders, taken) = mpsc::channel(ORDERS);
        let (told, state) = watch::channel(State::Down);
        let unasked = Arc::new(AtomicU32::new(0));
        let keeper = Keeper {
            name: name.clone(),
            launch,
            orders: taken,
            state: told,
            unasked: Arc::clone(&unasked),
            healed: None,
        };
        Self {
            name,
            port,
            orders,
            state,
            unasked,
            task: tokio::spawn(keeper.run()),
        }
    }

    /// How it is now.
    pub(super) fn state(&self) -> State {
        *self.state.borrow()
    }

    /// How often it ended without being asked to.
    pub(super) fn unasked(&self) -> u32 {
        self.unasked.load(Ordering::Relaxed)
    }

    /// Deals a blow once it runs, and returns when it runs again. False if that was not so within `at_most`.
    pub(super) async fn strike(&self, blow: Blow, at_most: Duration) -> bool {
        let struck = async {
            self.state.clone().wait_for(|s| *s == State::Running).await.ok()?;
            let (healed, again) = oneshot::channel();
            self.orders.send(Order { blow, healed }).await.ok()?;
            again.await.ok()
        };
        matches!(tokio::time::timeout(at_most, struck).await, Ok(Some(())))
    }

    /// Kills its process for good and waits for its end.
    pub(super) async fn end(self) {
        drop(self.orders);
        let _ = self.task.await;
    }
}

/// How a process's life went on.
enum Next {
    Again(Duration),
    Unasked(String),
    End,
}

/// The task that owns the process.
struct Keeper {
    name: String,
    launch: Launch,
    orders: mpsc::Receiver<Order>,
    state: watch::Sender<State>,
    unasked: Arc<AtomicU32>,
    /// Who waits for it to run again.
    healed: Option<oneshot::Sender<()>>,
}

impl Keeper {
    async fn run(mut self) {
        let mut failures = 0;
        loop {
            let begun = Instant::now();
            let next = match self.launch.spawn() {
                Ok(child) => {
                    self.is(State::Running);
                    self.live(child).await
                }
                Err(error) => Next::Unasked(format!("{error:#}")),
            };
            let pause = match next {
                Next::End => return,
                Next::Again(pause) => pause,
                Next::Unasked(how) => {
                    self.unasked.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(instance = self.name, how, "an instance ended by itself");
                    failures = if begun.elapsed() > AGAIN_MAX { 0 } else { failures + 1 };
                    (AGAIN_MIN * 2_u32.saturating_pow(failures)).min(AGAIN_MAX)
                }
            };
            self.is(State::Down);
            let until = Instant::now() + pause;
            // Orders come only while it runs, so what comes here is a late one or the end.
            while let Ok(order) = tokio::time::timeout_at(until, self.orders.recv()).await {
                match order {
                    Some(late) => self.healed = Some(late.healed),
                    None => return,
                }
            }
        }
    }

    fn is(&mut self, state: State) {
        self.state.send_replace(state);
        if state == State::Running
            && let Some(healed) = self.healed.take()
        {
            let _ = healed.send(());
        }
    }

    async fn live(&mut self, mut child: Child) -> Next {
        // Waiting would close it, and its end asks a service to stop: it would outlive us otherwise.
        let _held = child.stdin.take();
        loop {
            let order = tokio::select! {
                ended = child.wait() => {
                    return Next::Unasked(ended.map_or_else(|e| e.to_string(), |status| status.to_string()));
                }
                order = self.orders.recv() => order,
            };
            let Some(Order { blow, healed }) = order else {
                let _ = child.kill().await;
                return Next::End;
            };
            self.healed = Some(healed);
            match blow {
                Blow::Kill(pause) => {
                    let _ = child.kill().await;
                    return Next::Again(pause);
                }
                Blow::Replace => {
                    if let Some(pid) = pid(&child) {
                        let _ = kill(pid, Signal::SIGTERM);
                    }
                    stopped(&mut child).await;
                    return Next::Again(Duration::ZERO);
                }
                Blow::Freeze(length) => {
                    let frozen = pid(&child).and_then(|pid| Frozen::stop(pid).ok());
                    self.is(State::Frozen);
                    let until = Instant::now() + length;
                    while let Ok(order) = tokio::time::timeout_at(until, self.orders.recv()).await {
                        if order.is_none() {
                            let _ = child.kill().await;
                            return Next::End;
                        }
                    }
                    drop(frozen);
                    self.is(State::Running);
                }
            }
        }
    }
}

impl Launch {
    fn spawn(&self) -> Result<Child> {
        let log = scratch::append(&self.log).with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut command = Command::new(&self.program);
        without_ours(&mut command, &PASSED_ON);
        command
            .arg("serve")
            .arg(&self.folder)
            .arg(&self.service)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))
    }
}

/// Takes out of a command's environment what is ours, but for some: it may be another system's, or a secret.
pub(super) fn without_ours(command: &mut Command, but_for: &[&str]) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = text.starts_with("FREEHOLD_") || text == "PGPASSWORD";
        if ours && !but_for.contains(&&*text) {
            command.env_remove(&name);
        }
    }
}

fn pid(child: &Child) -> Option<Pid> {
    Some(Pid::from_raw(i32::try_from(child.id()?).ok()?))
}

/// Waits for a process that was asked to end, and kills it if it takes too long.
pub(super) async fn stopped(child: &mut Child) {
    if tokio::time::timeout(STOP_MAX, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

/// A process that is stopped by a signal; it goes on when this is dropped.
#[derive(Debug)]
pub(super) struct Frozen(Pid);

impl Frozen {
    /// Stops the process.
    pub(super) fn stop(pid: Pid) -> nix::Result<Self> {
        kill(pid, Signal::SIGSTOP)?;
        Ok(Self(pid))
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGCONT);
    }
}
