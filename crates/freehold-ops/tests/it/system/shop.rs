//! The shop, running: `freehold up` as a child, its processes, its end.

use std::collections::HashMap;
use std::fs::{self, File};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::folder::{FREEHOLD, Folder, SERVICES};
use super::sql::Sql;
use super::wait_until;

/// The longest a start may take, with a new server and busy neighbours.
pub(super) const START_MAX: Duration = Duration::from_secs(90);

/// The longest an orderly end may take: services drain for 5 s, then the server stops.
pub(super) const STOP_MAX: Duration = Duration::from_secs(30);

/// Bytes of the log that a failed test shows.
const LOG_TAIL: usize = 6_000;

/// A shop and its `up`, if one runs. Dropping it ends everything.
pub(super) struct Shop {
    pub(super) folder: Folder,
    pub(super) http: reqwest::Client,
    up: Option<Child>,
    more: Vec<Child>,
    failed: bool,
    /// Connections of the administrator by service; they die with their server and are made anew.
    pub(super) opened: Mutex<HashMap<String, Arc<Sql>>>,
}

impl Shop {
    /// A folder of the shop, nothing started.
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            folder: Folder::of_the_shop()?,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(35))
                .build()?,
            up: None,
            more: Vec::new(),
            failed: true,
            opened: Mutex::default(),
        })
    }

    /// A shop that is up.
    pub(super) async fn open() -> Result<Self> {
        let mut shop = Self::new()?;
        shop.start().await?;
        Ok(shop)
    }

    /// Starts `up` and returns when every service is ready.
    pub(super) async fn start(&mut self) -> Result<Duration> {
        ensure!(self.up.is_none(), "it is up already");
        let log = File::options().create(true).append(true).open(self.folder.log())?;
        let child = Command::new(FREEHOLD)
            .arg("up")
            .arg(&self.folder.path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        self.up = Some(child);
        self.ready().await
    }

    /// Waits until every service says that it is ready.
    pub(super) async fn ready(&mut self) -> Result<Duration> {
        let begun = std::time::Instant::now();
        let mut ended = None;
        for service in SERVICES {
            let url = format!("{}/health/ready", self.url(service));
            wait_until(&format!("{service} is ready"), START_MAX, async || {
                if let Some(up) = &mut self.up
                    && let Ok(Some(status)) = up.try_wait()
                {
                    ended = Some(status);
                    return Ok(());
                }
                match self.http.get(&url).send().await {
                    Ok(answer) if answer.status().is_success() => Ok(()),
                    Ok(answer) => Err(answer.text().await.unwrap_or_default()),
                    Err(error) => Err(error.to_string()),
                }
            })
            .await?;
            ensure!(ended.is_none(), "up has ended: {ended:?}");
        }
        Ok(begun.elapsed())
    }

    /// Where a service answers.
    pub(super) fn url(&self, service: &str) -> String {
        format!("http://127.0.0.1:{}", self.folder.port_of(service))
    }

    /// The process id of `up`.
    pub(super) fn pid(&self) -> Result<i32> {
        let up = self.up.as_ref().context("up does not run")?;
        Ok(i32::try_from(up.id())?)
    }

    /// Whether `up` still runs.
    pub(super) fn is_up(&mut self) -> bool {
        self.up.as_mut().is_some_and(|up| matches!(up.try_wait(), Ok(None)))
    }

    /// Sends `up` a signal and waits for its end.
    pub(super) async fn end(&mut self, signal: Signal) -> Result<ExitStatus> {
        let pid = Pid::from_raw(self.pid()?);
        kill(pid, signal)?;
        let up = self.up.as_mut().context("up does not run")?;
        let mut status = None;
        wait_until(&format!("up ends by {signal}"), STOP_MAX, async || {
            status = up.try_wait().map_err(|e| e.to_string())?;
            status.map(|_| ()).ok_or_else(|| "it still runs".to_owned())
        })
        .await?;
        self.up = None;
        status.context("it has ended")
    }

    /// Asks `up` to stop, which must end well.
    pub(super) async fn stop(&mut self) -> Result<()> {
        let status = self.end(Signal::SIGINT).await?;
        ensure!(status.success(), "up ended with {status}: {}", self.tail());
        Ok(())
    }

    /// The end of a test that went well.
    pub(super) async fn close(mut self) -> Result<()> {
        if self.up.is_some() {
            self.stop().await?;
        }
        self.failed = false;
        Ok(())
    }

    /// Starts one more instance of a service beside `up`; returns its address and process id.
    pub(super) fn serve(&mut self, service: &str) -> Result<(String, i32)> {
        let address = format!("127.0.0.1:{}", self.folder.port + 5);
        let log = File::options().create(true).append(true).open(self.folder.log())?;
        let child = Command::new(FREEHOLD)
            .arg("serve")
            .arg(&self.folder.path)
            .arg(service)
            .env("FREEHOLD_LISTEN", &address)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let pid = i32::try_from(child.id())?;
        self.more.push(child);
        Ok((format!("http://{address}"), pid))
    }

    /// The process ids of a service that `up` or an earlier `up` started.
    pub(super) fn service_pids(&self, service: &str) -> Result<Vec<i32>> {
        let wanted = format!("serve {} {service}", self.folder.path.display());
        let listed = Command::new("ps").args(["-A", "-o", "pid=,stat=,args="]).output()?;
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        let mut found = Vec::new();
        for line in text.lines().filter(|l| l.trim_end().ends_with(&wanted)) {
            let mut words = line.split_whitespace();
            let pid: i32 = words.next().context("ps names the process")?.parse()?;
            let is_dead = words.next().is_some_and(|stat| stat.starts_with('Z'));
            if !is_dead && !self.more.iter().any(|m| i64::from(m.id()) == i64::from(pid)) {
                found.push(pid);
            }
        }
        Ok(found)
    }

    /// Kills a service's process as a crash would; false when there is none at the moment.
    pub(super) fn kill_service(&self, service: &str) -> Result<bool> {
        let pids = self.service_pids(service)?;
        for pid in &pids {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        Ok(!pids.is_empty())
    }

    /// The process id of the private server that holds a service, if it runs.
    pub(super) fn postmaster(&self, service: &str) -> Option<i32> {
        let state = self.folder.path.join(".freehold/postgres");
        let own = state.join(service);
        let dir = if own.is_dir() { own } else { state.join("shared") };
        // The data may lie elsewhere, where the user that runs PostgreSQL can get to them.
        let root = fs::read_to_string(dir.join("place")).map_or(dir, Into::into);
        let note = fs::read_to_string(root.join("data/postmaster.pid")).ok()?;
        let pid = note.lines().next()?.trim().parse().ok()?;
        kill(Pid::from_raw(pid), None).is_ok().then_some(pid)
    }

    /// Sends the private server that holds a service a signal; false when it does not run.
    pub(super) fn signal_server(&self, service: &str, signal: Signal) -> bool {
        self.postmaster(service)
            .is_some_and(|pid| kill(Pid::from_raw(pid), signal).is_ok())
    }

    /// Fails if a process of this folder still runs.
    pub(super) async fn all_gone(&self) -> Result<Duration> {
        wait_until("no process is left", STOP_MAX, async || {
            for service in SERVICES {
                let pids = self.service_pids(service).map_err(|e| e.to_string())?;
                if !pids.is_empty() {
                    return Err(format!("{service} runs: {pids:?}"));
                }
            }
            Ok(())
        })
        .await
    }

    /// The end of what `up` and its services said.
    pub(super) fn tail(&self) -> String {
        let text = fs::read(self.folder.log()).unwrap_or_default();
        let from = text.len().saturating_sub(LOG_TAIL);
        String::from_utf8_lossy(&text[from..]).into_owned()
    }

    /// Everything that `up` and its services said.
    pub(super) fn said(&self) -> String {
        fs::read_to_string(self.folder.log()).unwrap_or_default()
    }

    /// Fails unless `up` said this.
    pub(super) fn must_have_said(&self, words: &str) -> Result<()> {
        if !self.said().contains(words) {
            bail!("up did not say {words:?}: {}", self.tail());
        }
        Ok(())
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        for mut child in self.up.take().into_iter().chain(self.more.drain(..)) {
            let _ = child.kill();
            let _ = child.wait();
        }
        // They end by themselves, unless just that is broken.
        for service in SERVICES {
            let _ = self.kill_service(service);
        }
        if self.failed {
            println!("--- the end of what up said\n{}", self.tail());
        }
    }
}
