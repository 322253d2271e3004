//! One private server: start, stop, let in, destroy.

use super::ADMIN;
use super::access::{self, AccessRule};
use super::binaries::{Binaries, Search};
use super::cluster;
use super::error::{Error, Result};
use super::files::{self, at, read_text};
use super::launch;
use super::place::{self, Place};
use super::postmaster::{self, Found, LOOK_EVERY};
use super::runner::{Runner, state_folder_mode};
use nix::sys::signal::Signal;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::{Client, Config, NoTls};

/// A fast stop ends within this time, unless the disk is very slow: it writes out at most `shared_buffers`.
const STOP_WAIT: Duration = Duration::from_secs(60);
/// A connection over a local socket that takes longer than this will not come.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// The postmaster reads its rules again within milliseconds of the signal.
const RELOAD_WAIT: Duration = Duration::from_secs(5);
/// Random bytes in the administrator's password.
const PASSWORD_BYTES: usize = 24;

/// A private PostgreSQL server with its data.
///
/// All methods take `&self`, and none keeps anything outside its own folders. Two processes must not start or stop the
/// same server at the same time: hold the [`Lock`](super::Lock) of the folder for that. Reading
/// ([`admin_config`](Self::admin_config), [`is_alive`](Self::is_alive)) needs no lock.
pub struct Server {
    dir: PathBuf,
    place: Place,
    binaries: Binaries,
    password: String,
    endpoint: Mutex<Endpoint>,
}

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The folder of the unix socket, to be used as `host`.
    pub socket_dir: PathBuf,
    /// The port, on the socket and on 127.0.0.1.
    pub port: u16,
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Connections are cut, their transactions rolled back, everything is written out. The usual way.
    Fast,
    /// At once, as in a power cut: nothing committed is lost, the next start recovers.
    Immediate,
}

impl Server {
    /// Opens the server of state folder `dir` with the programs of this machine, without starting it.
    ///
    /// Creates the folder, the administrator's password (`admin.password`, mode 0600) and the choice of a port if they
    /// do not exist. If the server runs already, its endpoint is the running one's.
    ///
    /// # Errors
    /// No fitting programs ([`Error::NoBinaries`], [`Error::OldBinaries`], [`Error::OtherMajor`]), or a folder we may
    /// not use.
    pub async fn open(dir: &Path) -> Result<Self> {
        Self::open_among(dir, &Search::of_machine()).await
    }

    /// Like [`open`](Self::open), with the programs that `search` finds.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_among(dir: &Path, search: &Search) -> Result<Self> {
        let found = search.run().await?;
        files::create_folder(dir, state_folder_mode())?;
        let dir = dir.canonicalize().map_err(at(dir))?;
        let Some(first) = found.first() else {
            return Err(Error::NoBinaries {
                searched: String::new(),
                install: String::new(),
            });
        };
        let place = Place::find(&dir, first).await?;
        let binaries = cluster::fitting(&place.data(), found.clone())?.unwrap_or_else(|| first.clone());
        let password = password(&dir, &place)?;
        let endpoint = match postmaster::look(&place.data())? {
            Found::Running(found) if found.port != 0 => Endpoint {
                port: found.port,
                socket_dir: found.socket_folder,
            },
            _ => Endpoint {
                port: launch::choose_port(&dir)?,
                socket_dir: place::runtime(&dir),
            },
        };
        Ok(Self {
            dir,
            place,
            binaries,
            password,
            endpoint: Mutex::new(endpoint),
        })
    }

    /// Starts the server and returns when it takes connections; one that runs already is adopted.
    ///
    /// Creates the data folder first if there is none, and recovers from any crash: of ours, of PostgreSQL, of the
    /// machine. Waits at most 120 s for a recovery.
    ///
    /// # Errors
    /// [`Error::Init`], [`Error::Start`] with the end of the log, [`Error::StartSlow`], [`Error::DiskFull`],
    /// [`Error::RuntimeFolder`], [`Error::NotPermitted`]. The data are as they were.
    pub async fn start(&self) -> Result<()> {
        let ready = launch::run(&self.dir, &self.place, &self.binaries, &self.password).await?;
        *self.lock_endpoint() = Endpoint {
            socket_dir: ready.socket_folder,
            port: ready.port,
        };
        tracing::debug!(pid = ready.pid, port = ready.port, "PostgreSQL is ready");
        Ok(())
    }

    /// Stops the server and returns when it is gone; one that does not run is fine. The data stay.
    ///
    /// # Errors
    /// [`Error::StopSlow`] if it is still there after 60 s.
    pub async fn stop(&self, how: Stop) -> Result<()> {
        let data = self.place.data();
        let Found::Running(running) = postmaster::look(&data)? else {
            return Ok(());
        };
        let signal = match how {
            Stop::Fast => Signal::SIGINT,
            Stop::Immediate => Signal::SIGQUIT,
        };
        postmaster::signal(&data, running.pid, signal)?;
        let since = Instant::now();
        while let Found::Running(still) = postmaster::look(&data)?
            && still.pid == running.pid
        {
            if since.elapsed() > STOP_WAIT {
                return Err(Error::StopSlow {
                    data,
                    pid: running.pid,
                    seconds: STOP_WAIT.as_secs(),
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Stops the server fast and starts it again.
    ///
    /// # Errors
    /// As [`stop`](Self::stop) and [`start`](Self::start).
    pub async fn restart(&self) -> Result<()> {
        self.stop(Stop::Fast).await?;
        self.start().await
    }

    /// Whether the server's first process lives. Reads one small file and asks the system; no connection is made.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        matches!(postmaster::look(&self.place.data()), Ok(Found::Running(_)))
    }

    /// Stops the server at once and removes everything that is its own: data, log, password, port, socket folder.
    /// Other files of the state folder stay.
    ///
    /// # Errors
    /// As [`stop`](Self::stop), and if something cannot be removed; call it again then.
    pub async fn destroy(self) -> Result<()> {
        self.stop(Stop::Immediate).await?;
        postmaster::clear_remains(&self.place.data()).await?;
        // The running server's own word for its socket folder is not trusted with a removal: it may be anybody's.
        files::remove_folder(&place::runtime(&self.dir)).await?;
        // Under the name of a half-made folder, data that are half removed are thrown away by whoever comes next.
        let (data, gone) = (self.place.data(), self.place.root.join("data.new"));
        files::remove_folder(&gone).await?;
        if data.exists() {
            std::fs::rename(&data, &gone).map_err(at(&data))?;
        }
        files::remove_folder(&gone).await?;
        files::remove_folder(&self.place.log()).await?;
        files::remove_file(&self.place.root.join("initdb.password"))?;
        if self.place.is_elsewhere() {
            files::remove_folder(&self.place.root).await?;
        }
        for file in ["place", "port", "admin.password"] {
            files::remove_file(&self.dir.join(file))?;
        }
        Ok(())
    }

    /// Lets in exactly these roles, each into its database, besides the administrator; nobody before the first call.
    ///
    /// The rules are kept over restarts. When it returns, every new connection is judged by them; connections that
    /// exist are left alone. If the server does not run, they hold from its next start; before its very first start
    /// there is nothing to write them to.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that cannot be written, and nothing changes; [`Error::Access`] if PostgreSQL goes on
    /// with the former rules.
    pub async fn set_access(&self, rules: &[AccessRule]) -> Result<()> {
        let text = access::render(rules)?;
        let data = self.place.data();
        files::write_whole(&data.join("pg_hba.conf"), &text, 0o600, &self.place.runner)?;
        let Found::Running(running) = postmaster::look(&data)? else {
            return Ok(());
        };
        let before = self.connect().await?;
        let wrong = before
            .query_opt(
                "select line_number, error\n   from pg_hba_file_rules\n  where error is not null\n  limit 1",
                &[],
            )
            .await?;
        if let Some(wrong) = wrong {
            let (line, error): (i32, String) = (wrong.get(0), wrong.get(1));
            return Err(Error::Access {
                reason: format!("line {line} of pg_hba.conf: {error}"),
            });
        }
        let loaded_at = load_time(&before).await?;
        drop(before);
        postmaster::signal(&data, running.pid, Signal::SIGHUP)?;
        // A new backend inherits the time from the postmaster, which reads the rules before it forks again.
        let since = Instant::now();
        while load_time(&self.connect().await?).await? == loaded_at {
            if since.elapsed() > RELOAD_WAIT {
                return Err(Error::Access {
                    reason: format!("it did not read them within {} s", RELOAD_WAIT.as_secs()),
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// How the administrator connects to `database`, over the unix socket. Holds the password: never print it.
    #[must_use]
    pub fn admin_config(&self, database: &str) -> Config {
        let endpoint = self.endpoint();
        let mut config = Config::new();
        config
            .host_path(&endpoint.socket_dir)
            .port(endpoint.port)
            .user(ADMIN)
            .password(&self.password)
            .dbname(database)
            .application_name("freehold")
            .connect_timeout(CONNECT_WAIT);
        config
    }

    /// Where the server listens. It may change with a [`start`](Self::start), if the port was taken meanwhile.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.lock_endpoint().clone()
    }

    /// The folder of the server's log files, which may lie outside the state folder.
    #[must_use]
    pub fn log_folder(&self) -> PathBuf {
        self.place.log()
    }

    /// The data folder, which may lie outside the state folder.
    #[must_use]
    pub fn data_folder(&self) -> PathBuf {
        self.place.data()
    }

    /// The programs the server runs with.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Removes the oldest log files beyond ten (of at most 10 MB each). Every start does it; a supervisor that runs
    /// for weeks calls it once a day.
    pub fn prune_log(&self) {
        super::settings::prune(&self.place.log());
    }

    /// Connects as the administrator.
    async fn connect(&self) -> Result<Client> {
        let (client, connection) = self.admin_config("postgres").connect(NoTls).await?;
        tokio::spawn(async move {
            // The client's next call tells of it.
            let _ = connection.await;
        });
        Ok(client)
    }

    fn lock_endpoint(&self) -> MutexGuard<'_, Endpoint> {
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("dir", &self.dir)
            .field("place", &self.place)
            .field("binaries", &self.binaries)
            .field("endpoint", &self.endpoint())
            .finish_non_exhaustive()
    }
}

/// When the rules and settings that hold for a new connection were read, as the server prints it.
async fn load_time(client: &Client) -> Result<String> {
    let row = client.query_one("select pg_conf_load_time()::text", &[]).await?;
    Ok(row.get(0))
}

/// The administrator's password: read, or made for a server that has no data yet.
fn password(dir: &Path, place: &Place) -> Result<String> {
    let path = dir.join("admin.password");
    if let Some(known) = read_text(&path)?.filter(|text| !text.is_empty()) {
        return Ok(known);
    }
    if place.data().exists() {
        return Err(Error::NoPassword { path });
    }
    let made = files::random_hex(PASSWORD_BYTES)?;
    files::write_whole(&path, &made, 0o600, &Runner::Caller)?;
    Ok(made)
}
