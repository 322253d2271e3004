//! A load generator that costs little: the request's bytes are made once, the answer is only measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends requests over keep-alive connections for a while; `request` makes the n-th of a connection. Returns the rate.
pub(crate) async fn load(
    port: u16,
    connections: usize,
    time: Duration,
    request: Arc<dyn Fn(usize, usize) -> Vec<u8> + Send + Sync>,
) -> Result<f64> {
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for connection in 0..connections {
        let request = Arc::clone(&request);
        tasks.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.set_nodelay(true)?;
            let mut buffer = vec![0; 64 * 1024];
            let mut done = 0_u32;
            while begun.elapsed() < time {
                stream.write_all(&request(connection, done as usize)).await?;
                answer(&mut stream, &mut buffer).await?;
                done += 1;
            }
            anyhow::Ok(done)
        }));
    }
    let mut total = 0;
    for task in tasks {
        total += task.await??;
    }
    Ok(f64::from(total) / begun.elapsed().as_secs_f64())
}

/// Reads one answer with a Content-Length and insists on success.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<()> {
    let mut filled = 0;
    loop {
        let n = stream.read(&mut buffer[filled..]).await?;
        if n == 0 {
            bail!("the service closed the connection");
        }
        filled += n;
        let Some(end) = buffer[..filled].windows(4).position(|w| w == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&buffer[..end])?;
        if !head.starts_with("HTTP/1.1 20") {
            bail!("{}", String::from_utf8_lossy(&buffer[..filled]));
        }
        let length: usize = head
            .lines()
            .find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            })
            .unwrap_or(0);
        if filled >= end + 4 + length {
            return Ok(());
        }
    }
}
