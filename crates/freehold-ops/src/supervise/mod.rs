//! `freehold up`: one process per service, kept running until Ctrl-C.

mod process;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use freehold_manifest::model::{Service, System};
use tokio::time::Instant;

pub use process::Process;

use crate::ground::Ground;

/// How often processes and servers are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The longest wait for a service's first answer; a first start fills its copies.
const READY_MAX: Duration = Duration::from_secs(60);

/// The first pause before a service that ended is started again; doubled up to [`RESTART_MAX`].
const RESTART_MIN: Duration = Duration::from_millis(200);

/// The longest pause before a restart.
const RESTART_MAX: Duration = Duration::from_secs(10);

/// Failed starts in a row after which a server that died is given up: it may have been killed while it recovered, and
/// a disk may have been full for a moment.
const SERVER_STARTS_MAX: u32 = 8;

/// The services of a system, running.
#[derive(Debug)]
pub struct Supervisor<'g> {
    ground: &'g Ground,
    program: PathBuf,
    folder: PathBuf,
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    service: Service,
    process: Process,
    started: Instant,
    restarts: u32,
    again_at: Option<Instant>,
}

/// What the supervisor tells whoever shows it.
#[derive(Debug)]
pub enum Event {
    /// A service ended by itself and is started again after a pause.
    Ended {
        /// The service.
        service: String,
        /// How it ended.
        how: String,
    },
    /// A private server ended by itself and was started again.
    ServerRestarted,
    /// A private server ended by itself, could not be started again, and is tried once more after a pause.
    ServerNotStarted {
        /// The services whose databases it holds.
        services: Vec<String>,
        /// Why not.
        why: String,
    },
}

impl<'g> Supervisor<'g> {
    /// Starts every service with its own environment. `program` is this command, `folder` the system's.
    ///
    /// # Errors
    /// When a port is taken, naming the service, the port and where to change it; when a process cannot be started.
    pub fn start(ground: &'g Ground, program: PathBuf, folder: PathBuf) -> Result<Self> {
        ports_are_free(&ground.system)?;
        let mut supervisor = Self {
            ground,
            program,
            folder,
            running: Vec::new(),
        };
        for service in &ground.system.services {
            let process = supervisor.spawn(service)?;
            supervisor.running.push(Running {
                service: service.clone(),
                process,
                started: Instant::now(),
                restarts: 0,
                again_at: None,
            });
        }
        Ok(supervisor)
    }

    fn spawn(&self, service: &Service) -> Result<Process> {
        Process::start(&self.program, &self.folder, service, self.ground.environment(service)?)
            .with_context(|| format!("cannot start service {}", service.name))
    }

    /// Waits until every service answers that it is ready.
    ///
    /// # Errors
    /// The service that did not get ready in time or ended, with what it last said.
    pub async fn wait_ready(&mut self) -> Result<()> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let until = Instant::now() + READY_MAX;
        for running in &mut self.running {
            let url = format!("http://127.0.0.1:{}/health/ready", running.service.port);
            loop {
                let answer = client.get(&url).timeout(Duration::from_secs(3)).send().await;
                let said = match answer {
                    Ok(answer) if answer.status().is_success() => break,
                    Ok(answer) => answer.text().await.unwrap_or_default(),
                    Err(_) => "no answer yet".to_owned(),
                };
                if let Some(how) = running.process.ended()? {
                    bail!("service {} ended while starting ({how})", running.service.name);
                }
                if Instant::now() > until {
                    bail!(
                        "service {} did not get ready within {READY_MAX:?}: {said}",
                        running.service.name
                    );
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// Keeps everything running; `tell` hears what happened. Returns only on an error.
    ///
    /// # Errors
    /// When a private server that died cannot be started again in `SERVER_STARTS_MAX` tries.
    pub async fn watch(&mut self, tell: &mut (dyn FnMut(Event) + Send)) -> Result<()> {
        let mut failures = vec![0; self.ground.servers.len()];
        let mut again_at = vec![Instant::now(); self.ground.servers.len()];
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            for (place, (server, services)) in self.ground.servers.iter().enumerate() {
                if server.is_alive() || Instant::now() < again_at[place] {
                    continue;
                }
                match server.start().await {
                    Ok(()) => {
                        failures[place] = 0;
                        tell(Event::ServerRestarted);
                    }
                    Err(error) if failures[place] < SERVER_STARTS_MAX => {
                        again_at[place] = Instant::now() + pause(failures[place]);
                        failures[place] += 1;
                        tell(Event::ServerNotStarted {
                            services: services.clone(),
                            why: error.to_string(),
                        });
                    }
                    Err(error) => return Err(error).context("PostgreSQL ended and cannot be started again"),
                }
            }
            for place in 0..self.running.len() {
                self.look(place, tell)?;
            }
        }
    }

    fn look(&mut self, place: usize, tell: &mut (dyn FnMut(Event) + Send)) -> Result<()> {
        let running = &mut self.running[place];
        if let Some(again_at) = running.again_at {
            if Instant::now() < again_at {
                return Ok(());
            }
            let service = running.service.clone();
            let process = self.spawn(&service)?;
            let running = &mut self.running[place];
            running.process = process;
            running.started = Instant::now();
            running.again_at = None;
            return Ok(());
        }
        if let Some(how) = running.process.ended()? {
            if running.started.elapsed() > RESTART_MAX {
                running.restarts = 0;
            }
            running.again_at = Some(Instant::now() + pause(running.restarts));
            running.restarts += 1;
            tell(Event::Ended {
                service: running.service.name.clone(),
                how,
            });
        }
        Ok(())
    }

    /// Stops every service and waits for it; one that does not end in time is killed.
    pub async fn stop(mut self) {
        for running in &mut self.running {
            running.process.ask_to_stop();
        }
        for running in &mut self.running {
            running.process.wait_stopped().await;
        }
    }
}

/// The pause before the next start, after so many of them went wrong.
fn pause(failures: u32) -> Duration {
    (RESTART_MIN * 2_u32.saturating_pow(failures.min(10))).min(RESTART_MAX)
}

/// Whether every service can have its port.
///
/// # Errors
/// Names the service, the port and where to change it.
pub fn ports_are_free(system: &System) -> Result<()> {
    for service in &system.services {
        if let Err(error) = std::net::TcpListener::bind(("127.0.0.1", service.port)) {
            bail!(
                "port {} of service {} cannot be used ({error}): stop what listens there, or set `port` in \
                 {}/freehold.toml or system.toml",
                service.port,
                service.name,
                service.name,
            );
        }
    }
    Ok(())
}
