//! Two services on a private server, started and stopped one by one.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use freehold_manifest::model::{Service, System};
use freehold_manifest::names::Names;
use freehold_ops::folder::Folder;
use freehold_ops::ground::{self, Ground};
use freehold_ops::migrate;
use freehold_ops::postgres::Server;
use freehold_ops::secrets::Login;
use tokio::process::{Child, Command};
use tokio_postgres::{Client, Config, NoTls};

use crate::pgbench::Pgbench;

/// Connections of a service to its database: the default, said here so that others can be given as many.
pub(crate) const POOL: usize = 20;

/// The longest wait for a service to answer.
const READY_MAX: Duration = Duration::from_secs(60);

pub(crate) struct Stage {
    pub(crate) ground: Ground,
    pub(crate) folder: PathBuf,
    pub(crate) program: PathBuf,
    _temporary: tempfile::TempDir,
}

impl Stage {
    /// A fresh system, one of the folders of the bench, in a place of its own, its databases migrated and installed; no
    /// service runs.
    pub(crate) async fn build(system: &str) -> Result<Self> {
        let temporary = tempfile::Builder::new().prefix("freehold-bench").tempdir()?;
        let folder = temporary.path().join("system");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(system), &folder)?;
        passable(temporary.path())?;
        let read = Folder::read(&folder)?;
        let system = read
            .checked
            .system
            .clone()
            .context("the bench's own manifest is wrong")?;
        let mut ground = Ground::open(&read, &system).await?;
        ground.start().await?;
        // For latency: when a row became visible is then in the database itself, on one clock for both sides.
        let (server, _) = ground.servers.first().context("no private server")?;
        let (admin, connection) = server.admin_config("postgres").connect(NoTls).await?;
        tokio::spawn(connection);
        admin
            .batch_execute("alter system set track_commit_timestamp = on")
            .await?;
        drop(admin);
        server.restart().await?;
        ground.provision().await?;
        for service in &system.services {
            ground::migrate_service(&ground, &read, service, migrate::To::Latest, &mut |_| {}).await?;
        }
        ground.install().await?;
        let program = std::env::current_exe()?.with_file_name("freehold");
        if !program.is_file() {
            bail!("{} is not built: use `make bench`", program.display());
        }
        Ok(Self {
            ground,
            folder,
            program,
            _temporary: temporary,
        })
    }

    pub(crate) fn system(&self) -> &System {
        &self.ground.system
    }

    pub(crate) fn service(&self, name: &str) -> Result<&Service> {
        self.system().service(name).context("no such service")
    }

    /// The name of a service's database.
    pub(crate) fn database(&self, name: &str) -> Result<String> {
        Ok(Names::of(self.system(), self.service(name)?).database)
    }

    /// Starts a service and waits until it is ready; returns how long that took.
    pub(crate) async fn serve(&self, name: &str) -> Result<(Child, Duration)> {
        let begun = Instant::now();
        let mut child = self.start(name)?;
        self.ready(name, &mut child).await?;
        Ok((child, begun.elapsed()))
    }

    /// Starts a service.
    pub(crate) fn start(&self, name: &str) -> Result<Child> {
        let service = self.service(name)?;
        Command::new(&self.program)
            .arg("serve")
            .arg(&self.folder)
            .arg(name)
            .envs(self.ground.environment(service)?)
            .env("FREEHOLD_LOG", "warn")
            .env("FREEHOLD_INSTANCE", "bench")
            .env("FREEHOLD_POOL", POOL.to_string())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))
    }

    /// Waits until a service is ready.
    pub(crate) async fn ready(&self, name: &str, child: &mut Child) -> Result<()> {
        let begun = Instant::now();
        let url = format!("http://127.0.0.1:{}/health/ready", self.service(name)?.port);
        let client = reqwest::Client::builder().no_proxy().build()?;
        loop {
            if client.get(&url).send().await.is_ok_and(|a| a.status().is_success()) {
                return Ok(());
            }
            if let Some(status) = child.try_wait()? {
                bail!("service {name} ended: {status}");
            }
            if begun.elapsed() > READY_MAX {
                bail!("service {name} did not get ready");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A connection to a service's database as its application role.
    pub(crate) async fn client(&self, name: &str) -> Result<Client> {
        let config = self.login(name)?;
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// A connection to a service's database that may do everything there.
    pub(crate) async fn admin(&self, name: &str) -> Result<Client> {
        let config = self.ground.clusters.of(name)?.admin(&self.database(name)?);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// The application role's URL, for PostgreSQL's own tools.
    pub(crate) fn url(&self, name: &str) -> Result<String> {
        Ok(ground::url_of(&self.login(name)?))
    }

    /// How a service's application role connects.
    pub(crate) fn login(&self, name: &str) -> Result<Config> {
        self.ground.login(self.service(name)?, Login::App)
    }

    /// pgbench on a service's database, as its application role.
    pub(crate) fn pgbench(&self, name: &str, clients: usize) -> Result<Pgbench> {
        let program = self.server()?.binaries().program("pgbench");
        Ok(Pgbench {
            program: if program.is_file() { program } else { "pgbench".into() },
            url: self.url(name)?,
            folder: self.folder.clone(),
            clients,
        })
    }

    /// The process whose children are PostgreSQL's.
    pub(crate) fn postmaster(&self) -> Result<u32> {
        let file = self.server()?.data_folder().join("postmaster.pid");
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
        pid.with_context(|| format!("{} names no process", file.display()))
    }

    fn server(&self) -> Result<&Server> {
        Ok(&self.ground.servers.first().context("no private server")?.0)
    }

    pub(crate) async fn close(mut self) -> Result<()> {
        for (server, _) in self.ground.servers.drain(..) {
            server.destroy().await?;
        }
        Ok(())
    }
}

/// PostgreSQL may run as another user, who has to pass through the folder.
fn passable(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(
        folder,
        std::fs::Permissions::from_mode(0o755),
    )?)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
