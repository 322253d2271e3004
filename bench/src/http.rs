//! A load generator that costs little: requests are bytes made in advance, of an answer only status and length are read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Which request is wanted: the how-manieth of which connection, both from 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) connection: usize,
    pub(crate) number: usize,
}

/// Writes the bytes of the request that is wanted.
pub(crate) type Requests = Arc<dyn Fn(Turn, &mut Vec<u8>) + Send + Sync>;

/// What came of a load.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    /// Answers with a status of success; any other ends the load as an error.
    pub(crate) answers: u64,
    /// Bytes of their bodies.
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
}

impl Load {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a count of answers")]
        let answers = self.answers as f64;
        answers / self.time.as_secs_f64()
    }
}

/// Sends requests over keep-alive connections for a while, one after the other on each.
pub(crate) async fn load(port: u16, connections: usize, time: Duration, requests: &Requests) -> Result<Load> {
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for connection in 0..connections {
        let requests = Arc::clone(requests);
        tasks.push(tokio::spawn(async move {
            let mut wire = Wire::open(port).await?;
            let mut number = 0;
            let mut bytes = 0;
            while begun.elapsed() < time {
                bytes += wire.ask(|out| requests(Turn { connection, number }, out)).await?.len() as u64;
                number += 1;
            }
            anyhow::Ok((number as u64, bytes))
        }));
    }
    let mut whole = Load::default();
    for task in tasks {
        let (answers, bytes) = task.await??;
        whole.answers += answers;
        whole.bytes += bytes;
    }
    whole.time = begun.elapsed();
    Ok(whole)
}

/// Sends one request and reads the body of its answer.
pub(crate) async fn once(port: u16, requests: &Requests, turn: Turn) -> Result<Vec<u8>> {
    let mut wire = Wire::open(port).await?;
    Ok(wire.ask(|out| requests(turn, out)).await?.to_vec())
}

/// One keep-alive connection.
struct Wire {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Wire {
    async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            request: Vec::new(),
            answer: vec![0; 64 * 1024],
        })
    }

    /// Sends what `write` writes, and insists on success. Returns the answer's body.
    async fn ask(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<&[u8]> {
        self.request.clear();
        write(&mut self.request);
        self.stream.write_all(&self.request).await?;
        let mut filled = 0;
        loop {
            if filled == self.answer.len() {
                self.answer.resize(filled * 2, 0);
            }
            let n = self.stream.read(&mut self.answer[filled..]).await?;
            if n == 0 {
                bail!("the service closed the connection");
            }
            filled += n;
            let Some(end) = self.answer[..filled].windows(4).position(|w| w == b"\r\n\r\n") else {
                continue;
            };
            let head = std::str::from_utf8(&self.answer[..end])?;
            let body = end + 4..end + 4 + length(head)?;
            if filled < body.end {
                continue;
            }
            if !head.starts_with("HTTP/1.1 20") {
                bail!("{}", String::from_utf8_lossy(&self.answer[..filled]));
            }
            return Ok(&self.answer[body]);
        }
    }
}

fn length(head: &str) -> Result<usize> {
    let written = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim())
    });
    match written {
        Some(length) => length.parse().context("an answer's Content-Length is no number"),
        None if head.starts_with("HTTP/1.1 204") => Ok(0),
        None => bail!("an answer has no Content-Length: {head}"),
    }
}
