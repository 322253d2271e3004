//! The subscriber's side of the feed: asks a producer over HTTP and hands out lines.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Response, StatusCode};
use tokio::time::Instant;

use crate::error::Error;
use crate::transport::position::Place;

/// The longest line taken from a producer: four times what the sequencer marks as whole.
const LINE_MAX: usize = 256 * 1024 * 1024;

/// The longest silence before a producer counts as lost; it sends a heartbeat several times as often.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// The longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Where a producer is, and the token it asks for.
#[derive(Clone)]
pub struct Peer {
    /// Its name.
    pub service: String,
    /// The root of its API: `http://127.0.0.1:7102`.
    pub url: String,
    /// What to show it.
    pub token: String,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer")
            .field("service", &self.service)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// The HTTP client for all producers of a process.
///
/// # Errors
/// [`Error::Setting`] when the client cannot be made.
pub fn client() -> Result<reqwest::Client, Error> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_MAX)
        .read_timeout(SILENCE_MAX)
        .no_proxy()
        .build()
        .map_err(|source| Error::Setting {
            name: "http client".to_owned(),
            problem: source.to_string(),
        })
}

/// What came of waiting for a line.
#[derive(Debug)]
pub enum Next {
    /// A line without its end.
    Line(Bytes),
    /// Nothing yet; what has arrived of a line is kept.
    Quiet,
    /// The producer ended the answer.
    End,
}

/// Names in the value of a query parameter: each encoded by itself, so that a comma within one is told from one between
/// two, and once more as a part of the URL.
fn list(names: &[String]) -> String {
    let encoded: Vec<String> = names
        .iter()
        .map(|name| utf8_percent_encode(name, NON_ALPHANUMERIC).to_string())
        .map(|name| name.replace("%5F", "_").replace('%', "%25"))
        .collect();
    encoded.join(",")
}

async fn ask(client: &reqwest::Client, peer: &Peer, url: String) -> Result<Response, Error> {
    let asked = client.get(url).bearer_auth(&peer.token).send().await;
    asked.map_err(|source| unreachable(peer, source))
}

fn unreachable(peer: &Peer, source: reqwest::Error) -> Error {
    Error::Unreachable {
        producer: peer.service.clone(),
        source: source.without_url(),
    }
}

/// What a producer said instead of an answer.
async fn refusal(peer: &Peer, response: Response) -> Error {
    let status = response.status();
    let problem: serde_json::Value = response.json().await.unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or("no reason given");
    let (producer, problem) = (peer.service.clone(), format!("{status}: {detail}"));
    match status {
        StatusCode::CONFLICT => Error::Diverged { producer, problem },
        _ => Error::Feed { producer, problem },
    }
}

/// What a producer knows of one of its transactions.
#[derive(Debug)]
pub(crate) enum Known {
    /// Where all of it is covered.
    Place(Place),
    /// It is not in the log yet, or the database cannot be asked.
    NotYet,
    /// It has not happened there.
    Nothing,
}

/// Asks a producer where in its log everything of a transaction on these topics is covered; it waits for its sequencer.
///
/// # Errors
/// [`Error::Unreachable`] when nobody answers, [`Error::Feed`] when the producer refuses or says something else.
pub(crate) async fn place(
    client: &reqwest::Client,
    peer: &Peer,
    transaction: u64,
    topics: &[String],
) -> Result<Known, Error> {
    let topics = topics.join(",");
    let url = format!(
        "{}/freehold/position?transaction={transaction}&topics={topics}",
        peer.url
    );
    let response = ask(client, peer, url).await?;
    match response.status() {
        StatusCode::OK => match response.json().await {
            Ok(place) => Ok(Known::Place(place)),
            Err(error) => Err(unreachable(peer, error)),
        },
        StatusCode::SERVICE_UNAVAILABLE => Ok(Known::NotYet),
        StatusCode::CONFLICT => Ok(Known::Nothing),
        _ => Err(refusal(peer, response).await),
    }
}

/// A producer's answer, line by line.
#[derive(Debug)]
pub struct Lines {
    producer: String,
    response: Response,
    pending: BytesMut,
    /// Bytes of `pending` known to hold no line end.
    searched: usize,
}

impl Lines {
    /// Opens the feed of these topics behind a position.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when nobody answers, [`Error::Diverged`] when its log ends before `after`, [`Error::Feed`]
    /// when it refuses otherwise.
    pub async fn feed(client: &reqwest::Client, peer: &Peer, topics: &[String], after: i64) -> Result<Self, Error> {
        let url = format!("{}/freehold/feed?topics={}&after={after}", peer.url, topics.join(","));
        Self::open(client, peer, url).await
    }

    /// Opens a snapshot of a table.
    ///
    /// # Errors
    /// As [`Lines::feed`].
    pub async fn snapshot(
        client: &reqwest::Client,
        peer: &Peer,
        table: &str,
        columns: &[String],
    ) -> Result<Self, Error> {
        let url = format!("{}/freehold/snapshot/{table}?columns={}", peer.url, list(columns));
        Self::open(client, peer, url).await
    }

    async fn open(client: &reqwest::Client, peer: &Peer, url: String) -> Result<Self, Error> {
        let response = ask(client, peer, url).await?;
        if !response.status().is_success() {
            return Err(refusal(peer, response).await);
        }
        Ok(Self {
            producer: peer.service.clone(),
            response,
            pending: BytesMut::new(),
            searched: 0,
        })
    }

    /// Does the work, and keeps the lines that come meanwhile until they are so many bytes.
    ///
    /// # Errors
    /// As [`Lines::next`], and as the work.
    pub async fn gather(
        &mut self,
        bytes_max: usize,
        work: impl Future<Output = Result<(), Error>>,
    ) -> Result<Vec<Bytes>, Error> {
        let mut work = std::pin::pin!(work);
        let (mut gathered, mut bytes, mut ended) = (Vec::new(), 0, false);
        loop {
            tokio::select! {
                done = &mut work => return done.map(|()| gathered),
                line = self.next(), if bytes < bytes_max && !ended => match line? {
                    Some(line) => {
                        bytes += line.len();
                        gathered.push(line);
                    }
                    None => ended = true,
                },
            }
        }
    }

    /// The next line, if it comes until then.
    ///
    /// # Errors
    /// As [`Lines::next`].
    pub async fn next_until(&mut self, until: Instant) -> Result<Next, Error> {
        match tokio::time::timeout_at(until, self.next()).await {
            Ok(Ok(Some(line))) => Ok(Next::Line(line)),
            Ok(Ok(None)) => Ok(Next::End),
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(Next::Quiet),
        }
    }

    /// The next line without its end; none when the producer ended the answer. Loses nothing when dropped.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the connection breaks or stays silent, [`Error::Feed`] when a line is too long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if let Some(end) = self.pending[self.searched..].iter().position(|b| *b == b'\n') {
                let line = self.pending.split_to(self.searched + end).freeze();
                self.pending.advance(1);
                self.searched = 0;
                return Ok(Some(line));
            }
            self.searched = self.pending.len();
            if self.searched > LINE_MAX {
                return Err(Error::Feed {
                    producer: self.producer.clone(),
                    problem: format!("a line of more than {LINE_MAX} bytes"),
                });
            }
            let chunk = self.response.chunk().await.map_err(|source| Error::Unreachable {
                producer: self.producer.clone(),
                source: source.without_url(),
            })?;
            match chunk {
                Some(chunk) => self.pending.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}
