//! A line to the test server that can be cut at a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// Where the line is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Cut {
    Nowhere,
    /// Before the commit reaches the server: it never hears of it.
    Before,
    /// After the server has committed: its answer is lost.
    After,
}

/// When the next commit is cut, and how often one was.
#[derive(Clone, Default)]
pub(super) struct Line {
    next: Arc<AtomicU8>,
    cuts: Arc<AtomicU8>,
}

impl Line {
    pub(super) fn cut_next(&self, cut: Cut) {
        self.next.store(cut as u8, Ordering::SeqCst);
    }

    pub(super) fn cuts(&self) -> u8 {
        self.cuts.load(Ordering::SeqCst)
    }

    /// Lays the line to the server of `config`; returns how it is reached over it.
    pub(super) async fn lay(&self, mut config: Config) -> Config {
        let (Some(Host::Tcp(host)), Some(port)) = (config.get_hosts().first(), config.get_ports().first()) else {
            panic!("FREEHOLD_TEST_PG names a host and a port");
        };
        let server = (host.clone(), *port);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let line = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server.clone())
                    .await
                    .expect("the test server answers");
                let line = line.clone();
                tokio::spawn(async move { line.carry(client, server).await });
            }
        });
        let mut over = Config::new();
        over.host("127.0.0.1").port(address.port());
        over.user(config.get_user().unwrap_or("postgres"));
        over.dbname(config.get_dbname().unwrap_or("postgres"));
        if let Some(password) = config.get_password() {
            over.password(password);
        }
        config = over;
        config
    }

    /// Carries bytes both ways until one end closes, or the line is cut.
    async fn carry(&self, mut client: TcpStream, mut server: TcpStream) -> std::io::Result<()> {
        let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        let mut cut = false;
        loop {
            tokio::select! {
                read = client.read(&mut asked) => {
                    let bytes = &asked[..read?];
                    if bytes.is_empty() {
                        return Ok(());
                    }
                    if has(bytes, b"commit\0") {
                        let next = self.next.swap(Cut::Nowhere as u8, Ordering::SeqCst);
                        cut = next == Cut::After as u8;
                        if next == Cut::Before as u8 {
                            self.cuts.fetch_add(1, Ordering::SeqCst);
                            return Ok(());
                        }
                    }
                    server.write_all(bytes).await?;
                }
                read = server.read(&mut answered) => {
                    let bytes = &answered[..read?];
                    if cut && has(bytes, b"COMMIT\0") {
                        self.cuts.fetch_add(1, Ordering::SeqCst);
                        return Ok(());
                    }
                    if bytes.is_empty() {
                        return Ok(());
                    }
                    client.write_all(bytes).await?;
                }
            }
        }
    }
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
