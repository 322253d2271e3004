//! The wire between a service and its database: carries PostgreSQL's protocol, and cuts or holds it on demand.
//!
//! What it is for is the one fault that no kill makes for certain: the connection is lost after COMMIT was sent, so that
//! the client cannot know whether it was carried out.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use super::wire::{self, Asks, Dialogue, Startup};

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// When a connection is cut around a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The request has been passed on to the server; nobody waits for its answer. The outcome is unknown to all.
    Sent,
    /// The server's whole answer has arrived and is not passed on. It is committed, and the client does not know.
    Answered,
}

/// A running proxy before one database. Dropping it cuts everything.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    control: Arc<Control>,
    listening: AbortHandle,
}

#[derive(Debug)]
struct Control {
    /// The server's port on 127.0.0.1; it may be another one after a restart.
    upstream: Arc<AtomicU16>,
    /// Held by whoever arms a cut.
    turn: tokio::sync::Mutex<()>,
    armed: Mutex<Option<Armed>>,
    /// Every change cuts all connections there are.
    cuts: watch::Sender<u64>,
    /// While it is true, bytes wait.
    stalled: watch::Sender<bool>,
}

#[derive(Debug)]
struct Armed {
    moment: Moment,
    /// Commits to let pass first.
    skip: u32,
    done: oneshot::Sender<()>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and carries every connection to the port that `upstream` holds then.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(upstream: Arc<AtomicU16>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let control = Arc::new(Control {
            upstream,
            turn: tokio::sync::Mutex::default(),
            armed: Mutex::new(None),
            cuts: watch::Sender::new(0),
            stalled: watch::Sender::new(false),
        });
        let shared = Arc::clone(&control);
        let listening = tokio::spawn(async move {
            loop {
                if let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(carry(client, Arc::clone(&shared)));
                }
            }
        });
        Ok(Self {
            port,
            control,
            listening: listening.abort_handle(),
        })
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection there is; new ones are carried. Returns how many there were.
    pub fn cut_all(&self) -> usize {
        let connections = self.control.cuts.receiver_count();
        self.control.cuts.send_modify(|cuts| *cuts += 1);
        connections
    }

    /// Cuts the connection that sends a commit, after letting `skip` others pass. False if none came in time; then
    /// nothing is cut. Calls take turns.
    pub async fn cut_at_commit(&self, moment: Moment, skip: u32, at_most: Duration) -> bool {
        let _turn = self.control.turn.lock().await;
        let (done, cut) = oneshot::channel();
        *self.control.armed() = Some(Armed { moment, skip, done });
        let cut = tokio::time::timeout(at_most, cut).await;
        if cut.is_err() {
            *self.control.armed() = None;
        }
        matches!(cut, Ok(Ok(())))
    }

    /// Lets nothing through for so long, in either direction; connections stay open.
    pub async fn stall(&self, length: Duration) {
        let _stalled = Stalled::begin(&self.control);
        tokio::time::sleep(length).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut_all();
    }
}

/// Bytes wait until it is dropped.
struct Stalled<'c>(&'c Control);

impl<'c> Stalled<'c> {
    fn begin(control: &'c Control) -> Self {
        control.stalled.send_replace(true);
        Self(control)
    }
}

impl Drop for Stalled<'_> {
    fn drop(&mut self) {
        self.0.stalled.send_replace(false);
    }
}

impl Control {
    fn armed(&self) -> MutexGuard<'_, Option<Armed>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this commit is the one to be cut.
    fn take(&self) -> Option<Armed> {
        let mut held = self.armed();
        match held.as_mut() {
            Some(armed) if armed.skip > 0 => {
                armed.skip -= 1;
                None
            }
            _ => held.take(),
        }
    }

    async fn flowing(&self) {
        // The sender lives as long as we do.
        let _ = self.stalled.subscribe().wait_for(|stalled| !stalled).await;
    }
}

/// Carries one connection until either side ends it or it is cut.
async fn carry(client: TcpStream, control: Arc<Control>) {
    let mut cuts = control.cuts.subscribe();
    tokio::select! {
        ended = session(client, &control) => if let Err(error) = ended {
            tracing::debug!(%error, "a connection to a database ended");
        },
        _ = cuts.changed() => {}
    }
}

async fn session(mut client: TcpStream, control: &Control) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut arrived = BytesMut::with_capacity(CHUNK);
    loop {
        control.flowing().await;
        match wire::startup(&mut arrived)? {
            None => {
                if client.read_buf(&mut arrived).await? == 0 {
                    return Ok(());
                }
            }
            // Encryption would hide what is to be seen.
            Some(Startup::Encryption) => client.write_all(b"N").await?,
            Some(Startup::Cancel(packet)) => return server(control).await?.write_all(&packet).await,
            Some(Startup::Session(packet)) => {
                let mut server = server(control).await?;
                server.write_all(&packet).await?;
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let known = Mutex::new(Known::default());
                let up = upwards(from_client, to_server, arrived, control, &known);
                let down = downwards(from_server, to_client, control, &known);
                return tokio::select! { ended = up => ended, ended = down => ended };
            }
        }
    }
}

async fn server(control: &Control) -> io::Result<TcpStream> {
    let port = control.upstream.load(Ordering::Relaxed);
    let server = TcpStream::connect(("127.0.0.1", port)).await?;
    server.set_nodelay(true)?;
    Ok(server)
}

/// What both directions know of a connection.
#[derive(Default)]
struct Known {
    dialogue: Dialogue,
    /// The request whose answer is to be kept back, and who waits for that.
    cut: Option<(u64, oneshot::Sender<()>)>,
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn upwards(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut arrived: BytesMut,
    control: &Control,
    known: &Mutex<Known>,
) -> io::Result<()> {
    let mut onward = BytesMut::with_capacity(CHUNK);
    loop {
        let mut cut = None;
        while cut.is_none()
            && let Some(message) = wire::message(&mut arrived)?
        {
            let mut known = lock(known);
            if known.dialogue.ask(&message) == Asks::Commit
                && let Some(armed) = control.take()
            {
                match armed.moment {
                    Moment::Sent => cut = Some(armed.done),
                    // Noted before the request is sent, so that its answer cannot be missed.
                    Moment::Answered => known.cut = Some((known.dialogue.last_asked(), armed.done)),
                }
            }
            onward.extend_from_slice(&message);
        }
        control.flowing().await;
        to.write_all_buf(&mut onward).await?;
        if let Some(done) = cut {
            let _ = done.send(());
            return Ok(());
        }
        if from.read_buf(&mut arrived).await? == 0 {
            return Ok(());
        }
    }
}

async fn downwards(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    control: &Control,
    known: &Mutex<Known>,
) -> io::Result<()> {
    let mut arrived = BytesMut::with_capacity(CHUNK);
    let mut onward = BytesMut::with_capacity(CHUNK);
    loop {
        if from.read_buf(&mut arrived).await? == 0 {
            return Ok(());
        }
        while let Some(message) = wire::message(&mut arrived)? {
            let mut known = lock(known);
            let answers = known.dialogue.answered() + 1;
            known.dialogue.answer(&message);
            // Of the answer itself nothing is passed on; what answers earlier requests is.
            let kept_back = matches!(&known.cut, Some((request, _)) if *request <= answers);
            if !kept_back {
                onward.extend_from_slice(&message);
            } else if known.dialogue.answered() == answers
                && let Some((_, done)) = known.cut.take()
            {
                let _ = done.send(());
                return Ok(());
            }
        }
        control.flowing().await;
        to.write_all_buf(&mut onward).await?;
    }
}
