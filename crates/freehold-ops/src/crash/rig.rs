//! The system under test: two instances of each service behind a balancer, each service's database behind a proxy.

use std::net::TcpListener as AnyListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use freehold_manifest::model::{Placement, Postgres, Service, System};
use freehold_manifest::names::Names;
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_postgres::Config;

use super::balancer::Balancer;
use super::instance::{Instance, Launch};
use super::judge::Invariants;
use super::ledger::Ledger;
use super::proxy::Proxy;
use super::scratch::{self, Scratch};
use super::workload::{self, Workload, World};
use super::{Event, Plan, Tell};
use crate::folder::Folder;
use crate::ground::{self, Ground};
use crate::migrate::To;
use crate::postgres::{Lock, Server, Stop};
use crate::program;
use crate::secrets::Login;

/// Instances of each service.
pub(super) const INSTANCES: usize = 2;

/// Connections of one instance to its database, unless `FREEHOLD_POOL` says otherwise: two instances, and what a killed
/// one leaves for a moment, stay below the application role's 40.
const POOL: &str = "12";

/// The longest wait until every instance is ready for the first time.
const READY_MAX: Duration = Duration::from_secs(60);

/// How often that wait looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The longest wait for an answer about an instance's health.
const HEALTH_MAX: Duration = Duration::from_secs(3);

/// Instances listen below the ports that systems hand out by themselves: one that is started again finds its own free.
const PORTS: std::ops::Range<u16> = 10_000..21_000;

/// Draws of a port before it is given up.
const DRAWS_MAX: usize = 1_000;

/// When the run began, for the rig and for what is read from databases.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    begun: Instant,
    wall: SystemTime,
}

impl Clock {
    fn start() -> Self {
        Self {
            begun: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// The time since the begin.
    pub(super) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Seconds since the begin, of a moment in seconds of the epoch.
    pub(super) fn since(&self, epoch: f64) -> f64 {
        let begun = self.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        epoch - begun.as_secs_f64()
    }
}

/// One service with all that stands around it.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) service: Service,
    pub(super) names: Names,
    pub(super) proxy: Proxy,
    /// Where the proxy finds the database server.
    pub(super) upstream: Arc<AtomicU16>,
    /// Held by whoever does something to the server's processes.
    pub(super) server: Mutex<()>,
    pub(super) instances: Vec<Instance>,
    _balancer: Balancer,
}

/// The system under test. [`Rig::end`] takes it down; if it is dropped instead, its servers go on.
#[derive(Debug)]
pub struct Rig {
    pub(super) plan: Plan,
    pub(super) system: System,
    pub(super) ground: Ground,
    pub(super) stages: Vec<Stage>,
    pub(super) ledger: Ledger,
    pub(super) clock: Clock,
    pub(super) workload: Workload,
    pub(super) invariants: Invariants,
    folder: Folder,
    /// By service: what runs it, if it has behaviour of its own.
    programs: Vec<Option<PathBuf>>,
    pub(super) world: Option<World>,
    /// By service: where its balancer listens, until it begins.
    listeners: Vec<TcpListener>,
    _lock: Lock,
    pub(super) scratch: Scratch,
}

/// What becomes of the scratch folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// It is removed with all data.
    Removed,
    /// It stays, its servers stopped.
    Kept,
}

impl Rig {
    /// Makes the scratch folder and reads what stands in it; starts nothing.
    ///
    /// # Errors
    /// When the system has no workload, its program or a service's is not found, `invariants/` cannot be read, or the
    /// folder cannot be written.
    pub async fn open(folder: &Folder, system: &System, plan: Plan) -> Result<Self> {
        let Some(program) = &system.workload else {
            bail!(
                "{0} has no workload: name a program that puts it to work, `[workload] program = \"{0}-workload\"`, in \
                 system.toml",
                system.name
            );
        };
        let invariants = Invariants::read(&folder.path, system)?;
        let program = workload::find(program)?;
        let mut programs = Vec::new();
        for service in &system.services {
            programs.push(program::find(folder, service)?);
        }
        let scratch = Scratch::make(folder, system)?;
        let folder = Folder::read(&scratch.system())?;
        let mut system = system.clone();
        system.postgres = Postgres {
            placement: Placement::Server,
            url: None,
        };
        let mut listeners = Vec::new();
        let mut environment = vec![
            ("FREEHOLD_SEED".to_owned(), plan.seed.to_string()),
            ("FREEHOLD_WORK".to_owned(), plan.work.to_string()),
            (
                "FREEHOLD_SCRATCH".to_owned(),
                scratch.of_workload().display().to_string(),
            ),
        ];
        for service in &mut system.services {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            // The balancer's address is where peers look for the service.
            service.port = listener.local_addr()?.port();
            listeners.push(listener);
            environment.push((
                format!("FREEHOLD_{}_URL", service.name.to_uppercase()),
                format!("http://127.0.0.1:{}", service.port),
            ));
        }
        let lock = Lock::take(&folder.state())?;
        let ground = Ground::open(&folder, &system).await?;
        let workload = Workload {
            program,
            environment,
            log: scratch.log("workload"),
        };
        Ok(Self {
            ledger: Ledger::create(&scratch.path().join("ledger.jsonl"))?,
            clock: Clock::start(),
            stages: Vec::new(),
            world: None,
            plan,
            system,
            ground,
            workload,
            folder,
            programs,
            invariants,
            listeners,
            _lock: lock,
            scratch,
        })
    }

    /// Where everything of this run is kept.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The databases under test, for whoever wants to look at them or break them.
    #[must_use]
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Starts servers, world and services, and returns when every instance is ready.
    ///
    /// # Errors
    /// What provisioning, migrating and installing say; when the world or an instance does not get ready in time.
    pub async fn raise(&mut self, tell: &mut Tell<'_>) -> Result<()> {
        tell(Event::Step("starting a database server for each service"));
        self.scratch.kept = true;
        self.ground.start().await?;
        self.ground.provision().await?;
        for service in &self.ground.system.services {
            ground::migrate_service(&self.ground, &self.folder, service, To::Latest, &mut |_| {}).await?;
        }
        self.ground.install().await?;
        tell(Event::Step("starting the world and two instances of each service"));
        let world = self.workload.world().await?;
        self.workload.environment.extend(world.environment.clone());
        let worldly = world.environment.clone();
        self.world = Some(world);
        let ports = free_ports(self.system.services.len() * INSTANCES)?;
        let listeners = std::mem::take(&mut self.listeners);
        for (place, listener) in listeners.into_iter().enumerate() {
            let ports = &ports[place * INSTANCES..(place + 1) * INSTANCES];
            let stage = self.stage(place, listener, ports, &worldly).await?;
            self.stages.push(stage);
        }
        self.wait_ready().await?;
        self.clock = Clock::start();
        Ok(())
    }

    async fn stage(
        &self,
        place: usize,
        listener: TcpListener,
        ports: &[u16],
        worldly: &[(String, String)],
    ) -> Result<Stage> {
        let service = &self.system.services[place];
        let names = Names::of(&self.system, service);
        let upstream = Arc::new(AtomicU16::new(self.server(place).endpoint().port));
        let proxy = Proxy::start(Arc::clone(&upstream)).await?;
        let mut environment = self.ground.environment(service)?;
        let database = through(&self.ground.login(service, Login::App)?, proxy.port());
        environment.push(("FREEHOLD_DATABASE_URL".to_owned(), ground::url_of(&database)));
        environment.push(("FREEHOLD_SUPERVISED".to_owned(), "stdin".to_owned()));
        if std::env::var_os("FREEHOLD_POOL").is_none() {
            environment.push(("FREEHOLD_POOL".to_owned(), POOL.to_owned()));
        }
        // `serve` looks for it beside itself, which need not be where we found it.
        if let Some(beside) = self.programs[place].as_deref().and_then(Path::parent) {
            environment.push(("FREEHOLD_PROGRAMS".to_owned(), beside.display().to_string()));
        }
        if let Some(plant) = &self.plan.plant {
            environment.push(("FREEHOLD_PLANT".to_owned(), plant.clone()));
        }
        environment.extend(worldly.iter().cloned());
        let instance = |number: usize| {
            let (name, port) = (format!("{}-{}", service.name, number + 1), ports[number]);
            let mut environment = environment.clone();
            environment.push(("FREEHOLD_LISTEN".to_owned(), format!("127.0.0.1:{port}")));
            environment.push(("FREEHOLD_INSTANCE".to_owned(), name.clone()));
            let launch = Launch {
                program: self.plan.program.clone(),
                folder: self.scratch.system(),
                service: service.name.clone(),
                environment,
                log: self.scratch.log(&name),
            };
            Instance::start(name, port, launch)
        };
        Ok(Stage {
            instances: (0..INSTANCES).map(instance).collect(),
            _balancer: Balancer::start(listener, ports.to_vec())?,
            service: service.clone(),
            names,
            proxy,
            upstream,
            server: Mutex::new(()),
        })
    }

    /// The server of the service at a place.
    pub(super) fn server(&self, place: usize) -> &Server {
        // With a server for each service, they are in the services' order.
        &self.ground.servers[place].0
    }

    async fn wait_ready(&self) -> Result<()> {
        let until = Instant::now() + READY_MAX;
        let http = reqwest::Client::builder().no_proxy().timeout(HEALTH_MAX).build()?;
        for instance in self.stages.iter().flat_map(|stage| &stage.instances) {
            while let Some(said) = not_ready(&http, instance).await {
                if Instant::now() > until {
                    bail!(
                        "{} did not get ready within {READY_MAX:?}: {said}; the end of its log:{}",
                        instance.name,
                        scratch::tail(&self.scratch.log(&instance.name))
                    );
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }

    /// How often instances ended without being asked to, with their names.
    pub(super) fn unasked(&self) -> Vec<(String, u32)> {
        let instances = self.stages.iter().flat_map(|stage| &stage.instances);
        instances
            .map(|instance| (instance.name.clone(), instance.unasked()))
            .filter(|(_, times)| *times > 0)
            .collect()
    }

    /// Ends everything. Returns where the remains are, if they are kept.
    ///
    /// # Errors
    /// When a server cannot be stopped or removed; the rest is ended all the same.
    pub async fn end(mut self, remains: Remains) -> Result<Option<PathBuf>> {
        let written = self.ledger.flush();
        let stages = std::mem::take(&mut self.stages);
        let instances = stages.into_iter().flat_map(|stage| stage.instances);
        join_all(instances.map(Instance::end)).await;
        if let Some(world) = self.world.take() {
            world.end().await;
        }
        let mut ended = Ok(());
        for (server, _) in std::mem::take(&mut self.ground.servers) {
            let gone = match remains {
                Remains::Removed => server.destroy().await,
                Remains::Kept => server.stop(Stop::Fast).await,
            };
            ended = ended.and(gone);
        }
        self.scratch.kept = remains == Remains::Kept || ended.is_err();
        ended?;
        written?;
        Ok(self.scratch.kept.then(|| self.scratch.path().to_owned()))
    }
}

/// What an instance says that is not ready.
pub(super) async fn not_ready(http: &reqwest::Client, instance: &Instance) -> Option<String> {
    let url = format!("http://127.0.0.1:{}/health/ready", instance.port);
    match http.get(url).send().await {
        Ok(answer) if answer.status().is_success() => None,
        Ok(answer) => Some(answer.text().await.unwrap_or_default()),
        Err(_) => Some("no answer".to_owned()),
    }
}

/// The same login, by way of a port of 127.0.0.1.
fn through(login: &Config, port: u16) -> Config {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port);
    config.user(login.get_user().unwrap_or_default());
    config.dbname(login.get_dbname().unwrap_or_default());
    config.password(login.get_password().unwrap_or_default());
    config
}

fn free_ports(wanted: usize) -> Result<Vec<u16>> {
    // Not by the run's seed: two runs of one seed may be under way.
    let mut rng = fastrand::Rng::new();
    let mut held: Vec<(u16, AnyListener)> = Vec::new();
    for _ in 0..DRAWS_MAX {
        if held.len() == wanted {
            break;
        }
        let port = rng.u16(PORTS);
        if let Ok(listener) = AnyListener::bind(("127.0.0.1", port)) {
            held.push((port, listener));
        }
    }
    let ports: Vec<u16> = held.iter().map(|(port, _)| *port).collect();
    (ports.len() == wanted)
        .then_some(ports)
        .with_context(|| format!("no {wanted} free ports in {PORTS:?}"))
}

impl Stage {
    /// The port of the database server may be another one now.
    pub(super) fn follow(&self, server: &Server) {
        self.upstream.store(server.endpoint().port, Ordering::Relaxed);
    }
}
