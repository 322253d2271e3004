//! A replication connection: the one startup parameter the client library does not offer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

/// Asks for a replication connection to the configured database.
const PARAMETER: &[u8] = b"replication\0database\0";
/// The port if the configuration has none.
const PORT: u16 = 5432;

/// Connects as `config` says, for replication.
///
/// # Errors
/// The server's refusal inside, or that there is no way to it.
pub(super) async fn connect(config: &Config) -> io::Result<Result<Client, tokio_postgres::Error>> {
    let port = config.get_ports().first().copied().unwrap_or(PORT);
    let result = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            start(config, stream).await
        }
        #[cfg(unix)]
        Some(Host::Unix(folder)) => {
            let socket = folder.join(format!(".s.PGSQL.{port}"));
            start(config, UnixStream::connect(socket).await?).await
        }
        None => return Err(io::Error::other("no host is configured")),
    };
    Ok(result)
}

async fn start<S>(config: &Config, stream: S) -> Result<Client, tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = Asking {
        stream,
        startup: Startup::Unsent,
    };
    let (client, connection) = config.connect_raw(stream, NoTls).await?;
    tokio::spawn(async move {
        // The client's next call tells of it.
        let _ = connection.await;
    });
    Ok(client)
}

/// A stream that adds the parameter to the first message, the startup message.
struct Asking<S> {
    stream: S,
    startup: Startup,
}

enum Startup {
    Unsent,
    /// What is left of the message to send, and how many bytes of the caller's it stands for.
    Sending {
        message: Vec<u8>,
        from: usize,
        instead_of: usize,
    },
    Sent,
}

/// The startup message with the parameter in it: length, version, names and values, a zero at the end.
fn with_parameter(message: &[u8]) -> Option<Vec<u8>> {
    let (last, body) = message.split_last()?;
    let rest = body.get(4..)?;
    let length = u32::try_from(message.len() + PARAMETER.len()).ok()?;
    let mut asking = length.to_be_bytes().to_vec();
    asking.extend_from_slice(rest);
    asking.extend_from_slice(PARAMETER);
    asking.push(*last);
    Some(asking)
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Asking<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        loop {
            match &mut this.startup {
                Startup::Unsent => {
                    let message = with_parameter(buf).ok_or(io::ErrorKind::InvalidInput)?;
                    this.startup = Startup::Sending {
                        message,
                        from: 0,
                        instead_of: buf.len(),
                    };
                }
                Startup::Sending {
                    message,
                    from,
                    instead_of,
                } => {
                    let sent = ready!(Pin::new(&mut this.stream).poll_write(cx, &message[*from..]))?;
                    *from += sent;
                    if sent == 0 {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    if *from == message.len() {
                        let instead_of = *instead_of;
                        this.startup = Startup::Sent;
                        return Poll::Ready(Ok(instead_of));
                    }
                }
                Startup::Sent => return Pin::new(&mut this.stream).poll_write(cx, buf),
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Asking<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}
