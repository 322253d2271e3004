//! The provider as a whole: started, asked, stopped.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use reqwest::Url;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::api;
use crate::books::{Payment, Refund, Totals};
use crate::desk::{Desk, Setting, Shared};
use crate::journal::Journal;
use crate::mischief::{BadMischief, Mischief};
use crate::webhook::Webhook;

/// How long a stop waits for a name lookup of the webhook that is under way; all else ends at once.
const STOP_MAX: Duration = Duration::from_secs(1);

/// Threads that answer: requests wait for disk and mischief, and compute nothing.
const THREADS: usize = 2;

/// How to start a provider.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 is any free port.
    pub listen: SocketAddr,
    /// The folder of the journal; made if need be.
    pub state: PathBuf,
    /// What the mischief is drawn from.
    pub seed: u64,
    /// What goes wrong.
    pub mischief: Mischief,
    /// Who is told of payments and refunds besides.
    pub webhook: Option<Url>,
}

impl Options {
    /// A provider with this state on any free port of this machine, that does nothing wrong.
    #[must_use]
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            state: state.into(),
            seed: 1,
            mischief: Mischief::default(),
            webhook: None,
        }
    }
}

/// The provider cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The state folder refuses.
    #[error("cannot {doing} {}", path.display())]
    State {
        /// What was tried.
        doing: &'static str,
        /// The journal.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another provider runs on this state.
    #[error("{} is in use by another provider: stop it, or choose another --state", path.display())]
    Locked {
        /// The journal.
        path: PathBuf,
    },
    /// A whole line of the journal is no entry.
    #[error("{} is damaged at line {line}: {what}; mend it or choose another --state", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The address is not to be had.
    #[error("cannot listen on {address}; choose another --listen, port 0 is any free one")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The mischief cannot be.
    #[error(transparent)]
    Mischief(#[from] BadMischief),
    /// The webhook's HTTP client cannot be made.
    #[error("cannot make the webhook's HTTP client")]
    Webhook(#[from] reqwest::Error),
    /// No thread or runtime is to be had.
    #[error("cannot start a thread")]
    Thread {
        /// The system's reason.
        source: io::Error,
    },
}

/// A running provider. It stops when it is dropped.
///
/// It has a runtime of its own, so it runs in any test, and a stop is sudden: requests under way are cut off like those
/// of a process that died. What was answered is on disk.
#[derive(Debug)]
pub struct Provider {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Provider {
    /// Reads the state, listens, and answers from when this returns.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn start(options: Options) -> Result<Self, Error> {
        let mischief = Arc::new(options.mischief.checked()?);
        let webhook = Webhook::new()?;
        let wanted = options.listen;
        let listen = || {
            let listener = std::net::TcpListener::bind(wanted)?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        };
        let (address, listener) = listen().map_err(|source| Error::Listen {
            address: wanted,
            source,
        })?;
        let (journal, books, writer) = Journal::open(&options.state)?;
        let setting = Setting {
            mischief,
            webhook: options.webhook,
        };
        let shared = Arc::new(Shared::new(options.seed, books, setting));
        let desk = Desk {
            shared: Arc::clone(&shared),
            journal,
            webhook,
        };
        let (stop, stopped) = oneshot::channel();
        let failed = |source| Error::Thread { source };
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(THREADS).enable_all().build().map_err(failed)?;
        let server = std::thread::Builder::new().name("payment".into());
        let server = server.spawn(move || {
            if let Err(error) = runtime.block_on(serve(listener, desk, stopped)) {
                tracing::error!(%error, "cannot answer any more");
            }
            // All that still goes on holds the journal; without it the writer ends.
            runtime.shutdown_timeout(STOP_MAX);
            let _ = writer.join();
        });
        let server = server.map_err(failed)?;
        Ok(Self {
            address,
            shared,
            stop: Some(stop),
            thread: Some(server),
        })
    }

    /// `http://127.0.0.1:7190`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on this goes wrong.
    ///
    /// # Errors
    ///
    /// The mischief cannot be; the old one stays.
    pub fn set_mischief(&self, mischief: Mischief) -> Result<(), BadMischief> {
        self.shared.setting().mischief = Arc::new(mischief.checked()?);
        Ok(())
    }

    /// From now on this one is told besides; `None` is nobody.
    pub fn set_webhook(&self, webhook: Option<Url>) {
        self.shared.setting().webhook = webhook;
    }

    /// The sums.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.shared.books().totals()
    }

    /// All payments, declined ones too, in the order in which they happened.
    #[must_use]
    pub fn payments(&self) -> Vec<Payment> {
        self.shared.books().payments().to_vec()
    }

    /// All refunds, in the order in which they happened.
    #[must_use]
    pub fn refunds(&self) -> Vec<Refund> {
        self.shared.books().refunds().to_vec()
    }

    /// Stops; when this returns, port and state folder are free.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // Whatever it ended with: it is gone.
            let _ = thread.join();
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.end();
    }
}

/// Answers until it is told to stop.
async fn serve(listener: std::net::TcpListener, desk: Desk, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    tokio::select! {
        served = axum::serve(listener, api::routes(desk)).into_future() => served,
        _ = stopped => Ok(()),
    }
}
