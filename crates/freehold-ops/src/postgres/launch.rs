//! Starting the postmaster, and finding out why it did not start.

use super::binaries::Binaries;
use super::error::{Error, Result};
use super::files::{self, at, read_text, tells_of_full_disk};
use super::place::{self, Place};
use super::postmaster::{self, Found, LOOK_EVERY, Phase, Postmaster};
use super::runner::{Runner, user_name};
use super::settings;
use nix::sys::signal::Signal;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// Recovery after a crash replays at most `max_wal_size` of log, which a slow disk does within this time.
const READY_WAIT: Duration = Duration::from_secs(120);
/// How often we look at the log while it lasts: with a full disk PostgreSQL may spin instead of giving up.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// A server that cannot start is told to quit, and after this time killed.
const QUIT_WAIT: Duration = Duration::from_secs(3);
/// While a start lasts, a line says so this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// Starts in a row: the port may be snatched between our look and PostgreSQL's.
const TRIES_MAX: u32 = 4;
/// Ports are drawn from here: below the ranges from which systems give out the ports of outgoing connections.
const PORTS: std::ops::Range<u16> = 21_000..29_000;
/// Draws before the system is asked for any free port.
const DRAWS_MAX: u32 = 50;

/// Starts the server of `place`, or adopts the one that runs, and returns when it takes connections.
pub(super) async fn run(dir: &Path, place: &Place, binaries: &Binaries, password: &str) -> Result<Postmaster> {
    let data = place.data();
    let mut tries = 0;
    loop {
        if let Found::Running(found) = postmaster::look(&data)? {
            tracing::debug!(pid = found.pid, "a server of ours is running already");
            if let Some(ready) = wait_ready(place).await? {
                return Ok(ready);
            }
        }
        postmaster::clear_remains(&data).await?;
        super::cluster::ensure(place, binaries, password).await?;
        configure(dir, place)?;
        tries += 1;
        match launch(place, binaries).await? {
            Launched::Ready => match postmaster::look(&data)? {
                Found::Running(ready) => return Ok(ready),
                _ if tries < TRIES_MAX => {}
                _ => return Err(failure(place)),
            },
            Launched::PortTaken if tries < TRIES_MAX => files::remove_file(&dir.join("port"))?,
            Launched::MemoryInUse if tries < TRIES_MAX => {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            _ => return Err(failure(place)),
        }
    }
}

/// How a start ended.
enum Launched {
    Ready,
    /// Another process took the port.
    PortTaken,
    /// Processes of the former server still hold its shared memory.
    MemoryInUse,
    Failed,
}

/// Waits until the running server is ready; `None` if it goes away instead.
async fn wait_ready(place: &Place) -> Result<Option<Postmaster>> {
    let since = Instant::now();
    while since.elapsed() < READY_WAIT {
        match postmaster::look(&place.data())? {
            Found::Running(found) if found.phase == Phase::Ready => return Ok(Some(found)),
            Found::Running(_) => tokio::time::sleep(LOOK_EVERY).await,
            _ => return Ok(None),
        }
    }
    Err(slow(place))
}

/// Writes what the next start needs: settings, port, folders of log and socket.
fn configure(dir: &Path, place: &Place) -> Result<()> {
    let log = place.log();
    if !log.exists() {
        fs::DirBuilder::new().mode(0o700).create(&log).map_err(at(&log))?;
    }
    place.runner.own(&log)?;
    settings::prune(&log);
    files::remove_file(&log.join("start.log"))?;
    let runtime = place::prepare_runtime(dir, &place.runner)?;
    let port = choose_port(dir)?;
    let text = settings::render(port, &runtime, &log);
    files::write_whole(&place.data().join(settings::FILE), &text, 0o600, &place.runner)
}

/// The remembered port if it is free, else a new one, remembered.
pub(super) fn choose_port(dir: &Path) -> Result<u16> {
    let path = dir.join("port");
    let known: Option<u16> = read_text(&path)?.and_then(|text| text.parse().ok());
    if let Some(port) = known {
        if is_free(port) {
            return Ok(port);
        }
        tracing::info!(port, "the server's port is taken; choosing another");
    }
    let mut port = (0..DRAWS_MAX).map(|_| fastrand::u16(PORTS)).find(|port| is_free(*port));
    if port.is_none() {
        let any = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        port = Some(any.map_err(at(&path))?.port());
    }
    let port = port.unwrap_or_default();
    files::write_whole(&path, &port.to_string(), 0o644, &Runner::Caller)?;
    Ok(port)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// Runs `pg_ctl start`, which detaches the server from our terminal, so that Ctrl-C reaches us alone.
async fn launch(place: &Place, binaries: &Binaries) -> Result<Launched> {
    let program = binaries.program("pg_ctl");
    let start_log = place.log().join("start.log");
    let data = place.data();
    let mut command = place.runner.command(&program, &data);
    command
        .args(["start", "--silent", "--wait"])
        .args(["--timeout", &READY_WAIT.as_secs().to_string()])
        .arg("--pgdata")
        .arg(&data)
        .arg("--log")
        .arg(&start_log);
    let running = command.output();
    tokio::pin!(running);
    let since = Instant::now();
    let mut told_at = since;
    let answer = loop {
        match tokio::time::timeout(WATCH_EVERY, &mut running).await {
            Ok(answer) => break answer.map_err(|e| not_run(place, program, e))?,
            Err(_) if tells_of_full_disk(&settings::tail(&place.log())) => {
                abandon(&data).await?;
                return Ok(Launched::Failed);
            }
            Err(_) if told_at.elapsed() >= PROGRESS_EVERY => {
                told_at = Instant::now();
                tracing::info!(
                    waited_s = since.elapsed().as_secs(),
                    "PostgreSQL is still starting, as it does after a crash"
                );
            }
            Err(_) => {}
        }
    };
    if answer.status.success() {
        return Ok(Launched::Ready);
    }
    if let Found::Running(_) = postmaster::look(&data)?
        && since.elapsed() >= READY_WAIT
    {
        return Err(slow(place));
    }
    let said = settings::tail(&place.log());
    Ok(
        if said.contains("could not create any TCP/IP sockets") || said.contains("Address already in use") {
            Launched::PortTaken
        } else if said.contains("shared memory block") {
            Launched::MemoryInUse
        } else {
            Launched::Failed
        },
    )
}

/// The program is known to run, so a refusal means that its user cannot get to the data: somebody has closed a folder
/// above them since they were created.
fn not_run(place: &Place, program: PathBuf, source: io::Error) -> Error {
    if source.kind() != io::ErrorKind::PermissionDenied {
        return Error::Run { program, source };
    }
    let user = user_name(place.runner.uid());
    Error::NotPermitted {
        path: place.data(),
        reason: format!("{user}, as whom PostgreSQL runs, cannot get there"),
        remedy: "let it pass through the folders above (chmod o+x)".to_owned(),
    }
}

/// Ends a server that cannot start: nothing was committed by it, so nothing is lost.
async fn abandon(data: &Path) -> Result<()> {
    let since = Instant::now();
    let mut signal = Signal::SIGQUIT;
    while let Found::Running(running) = postmaster::look(data)? {
        postmaster::signal(data, running.pid, signal)?;
        tokio::time::sleep(LOOK_EVERY).await;
        if since.elapsed() > QUIT_WAIT {
            signal = Signal::SIGKILL;
        }
    }
    Ok(())
}

/// Why the server did not start, as its log tells.
fn failure(place: &Place) -> Error {
    let (data, log) = (place.data(), place.log());
    let tail = settings::tail(&log);
    if tells_of_full_disk(&tail) || is_full(&data) {
        Error::DiskFull { path: data, tail }
    } else {
        Error::Start { data, log, tail }
    }
}

/// Whether the disk has no room even for the log line that would say so.
fn is_full(path: &Path) -> bool {
    /// A start needs a few pages for its pid file, log and settings.
    const FREE_BYTES_MIN: u64 = 64 * 1024;
    nix::sys::statvfs::statvfs(path).is_ok_and(|disk| disk.blocks_available() * disk.fragment_size() < FREE_BYTES_MIN)
}

fn slow(place: &Place) -> Error {
    let log = place.log();
    Error::StartSlow {
        data: place.data(),
        tail: settings::tail(&log),
        log,
        seconds: READY_WAIT.as_secs(),
    }
}
