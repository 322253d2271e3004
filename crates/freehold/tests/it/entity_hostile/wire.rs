//! Requests as bytes on a socket, so that nothing between the test and the service makes them better.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Attack {
    /// Which kind it is of, for the failure.
    pub(super) kind: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) end: End,
    /// Whether rows may be there after it that were not before.
    pub(super) effect: Effect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It must not change anything.
    None,
    /// It may be a write as good as any.
    Write,
    /// What it asks for may take longer than a request is given.
    Slow,
}

/// How the client ends its side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It waits for the answer.
    Waits,
    /// It says that no more comes; a service may then answer or hang up.
    Closes,
}

/// What came back; status 0 when the connection was closed without an answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        });
        found.unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Attack {
    /// A request with these headers and this body, whose length is told.
    pub(super) fn new(kind: &'static str, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Self {
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n").into_bytes();
        for header in headers {
            head.extend_from_slice(header.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        if !body.is_empty() {
            head.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head.extend_from_slice(body);
        let effect = match method {
            "GET" | "HEAD" => Effect::None,
            _ => Effect::Write,
        };
        Self {
            kind,
            bytes: head,
            end: End::Waits,
            effect,
        }
    }

    /// A request that reads.
    pub(super) fn get(kind: &'static str, target: &str) -> Self {
        Self::new(kind, "GET", target, &[], b"")
    }

    /// Bytes as they are, and no more of them.
    pub(super) fn raw(kind: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            bytes: bytes.into(),
            end: End::Closes,
            effect: Effect::None,
        }
    }

    pub(super) fn with(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// The request for a failure: cut, and readable.
    pub(super) fn shown(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let cut: String = text.chars().take(400).collect();
        format!("{}: {cut:?}", self.kind)
    }

    /// Whether the text stands in it, plain or percent-encoded: then it may stand in the answer too.
    pub(super) fn says(&self, text: &str) -> bool {
        let plain = String::from_utf8_lossy(&self.bytes).to_lowercase();
        let decoded = percent_encoding::percent_decode(&self.bytes).collect::<Vec<u8>>();
        let decoded = String::from_utf8_lossy(&decoded).to_lowercase();
        plain.contains(text) || decoded.contains(text) || decoded.replace('+', " ").contains(text)
    }

    /// Sends it, and reads until the service closes.
    pub(super) async fn send(&self, address: &str, within: Duration) -> Answer {
        let answer = timeout(within, self.exchange(address)).await;
        answer.unwrap_or_else(|_| panic!("no answer within {within:?} to {}", self.shown()))
    }

    async fn exchange(&self, address: &str) -> Answer {
        let mut stream = TcpStream::connect(address).await.expect("the service listens");
        // The service may have answered and closed before it heard all.
        let _ = stream.write_all(&self.bytes).await;
        if self.end == End::Closes {
            let _ = stream.shutdown().await;
        }
        let mut got = Vec::new();
        let _ = stream.read_to_end(&mut got).await;
        read(&got)
    }
}

fn read(got: &[u8]) -> Answer {
    let end = got.windows(4).position(|w| w == b"\r\n\r\n");
    let Some(end) = end else {
        return Answer {
            status: 0,
            headers: String::new(),
            body: got.to_vec(),
        };
    };
    let head = String::from_utf8_lossy(&got[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let (_, headers) = head.split_once("\r\n").unwrap_or_default();
    Answer {
        status,
        headers: headers.to_owned(),
        body: got[end + 4..].to_vec(),
    }
}
