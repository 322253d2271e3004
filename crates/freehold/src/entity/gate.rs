//! Limits of load: what is over them is refused before it costs anything.
//!
//! Requests of the whole service at once, requests of one client at once, bytes of all bodies at once, and requests that wait for
//! a connection. A request counts until its answer is made; what a slow client has not read of it does not hold a place.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use deadpool_postgres::Pool;
use freehold_manifest::model::Limits;
use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use super::limits::{DISCARD_TIME_MAX, QUEUE_PER_CONNECTION_MAX, RETRY_AFTER_S};
use super::problem::Problem;

/// Parts of the table of clients, each with a lock of its own, so that requests of different clients seldom meet.
const SHARDS: usize = 16;

/// What may be in the service at once.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: Limits,
    pool: Pool,
    load: Arc<Load>,
}

/// What is in the service now.
#[derive(Debug, Default)]
struct Load {
    requests: AtomicU64,
    bodies_bytes: AtomicU64,
    clients: [Mutex<HashMap<IpAddr, u64>>; SHARDS],
    hasher: std::hash::RandomState,
}

/// A place in the service; given back when dropped.
#[derive(Debug)]
pub(crate) struct Pass {
    load: Arc<Load>,
    client: Option<IpAddr>,
    body: Option<Arc<Reserved>>,
}

/// Bytes of one body.
#[derive(Debug)]
struct Reserved {
    load: Arc<Load>,
    max: u64,
    bytes: AtomicU64,
    /// Whether the body grew past what is left for all.
    cut: AtomicBool,
}

impl Gate {
    pub(crate) fn new(limits: Limits, pool: Pool) -> Self {
        Self {
            limits,
            pool,
            load: Arc::default(),
        }
    }

    /// Lets a request in, with its body counted.
    ///
    /// # Errors
    /// A 503 or 429 that asks to come back.
    pub(crate) fn enter(&self, request: Request) -> Result<(Pass, Request), Problem> {
        match self.admit(&request).and_then(|pass| self.reserve(&request, pass)) {
            Ok((pass, Some(reserved))) => Ok((pass, request.map(|body| grow(body, reserved)))),
            Ok((pass, None)) => Ok((pass, request)),
            Err(problem) => {
                discard(request.into_body());
                Err(problem)
            }
        }
    }

    fn admit(&self, request: &Request) -> Result<Pass, Problem> {
        let open = self.load.requests.fetch_add(1, Ordering::Relaxed);
        // From here on dropping it gives back what it took.
        let mut pass = Pass {
            load: Arc::clone(&self.load),
            client: None,
            body: None,
        };
        if open >= self.limits.requests {
            return Err(overloaded("as many requests as the service takes at once are open"));
        }
        if self.is_queue_long(open) {
            return Err(overloaded("too many requests wait for a connection to the database"));
        }
        let address = request.extensions().get::<ConnectInfo<SocketAddr>>();
        if let Some(ConnectInfo(address)) = address {
            let client = client(address.ip());
            if !self.load.admit(client, self.limits.client_requests) {
                return Err(too_many(self.limits.client_requests));
            }
            pass.client = Some(client);
        }
        Ok(pass)
    }

    /// Whether a further request would only wait. The pool is asked when so many requests are open that it may be so.
    fn is_queue_long(&self, open: u64) -> bool {
        if open < QUEUE_PER_CONNECTION_MAX {
            return false;
        }
        let status = self.pool.status();
        status.waiting as u64 >= QUEUE_PER_CONNECTION_MAX.saturating_mul(status.max_size as u64)
    }

    /// Takes the bytes that the body declares; one that declares none, or too many, is to be counted while it grows.
    fn reserve(&self, request: &Request, mut pass: Pass) -> Result<(Pass, Option<Arc<Reserved>>), Problem> {
        let declared = HttpBody::size_hint(request.body()).exact();
        if declared == Some(0) {
            return Ok((pass, None));
        }
        let reserved = Arc::new(Reserved {
            load: Arc::clone(&self.load),
            max: self.limits.bodies_bytes,
            bytes: AtomicU64::new(0),
            cut: AtomicBool::new(false),
        });
        pass.body = Some(Arc::clone(&reserved));
        match declared {
            // The server reads no more than was declared.
            Some(declared) if declared <= self.limits.body_bytes => match reserved.grow(declared) {
                true => Ok((pass, None)),
                false => Err(full()),
            },
            // One that is too large is refused by whoever reads it, most often unread.
            _ => Ok((pass, Some(reserved))),
        }
    }
}

/// A body that takes its bytes as they come, and ends with an error when there are no more for it.
fn grow(body: Body, reserved: Arc<Reserved>) -> Body {
    Body::from_stream(stream::unfold(Some(body.into_data_stream()), move |rest| {
        let reserved = Arc::clone(&reserved);
        async move {
            let mut rest = rest?;
            match rest.next().await? {
                Ok(data) if reserved.grow(data.len() as u64) => Some((Ok(data), Some(rest))),
                Ok(_) => {
                    forget(rest);
                    Some((Err(axum::Error::new("there is no room for the body")), None))
                }
                Err(error) => Some((Err(error), None)),
            }
        }
    }))
}

/// Reads a refused body for a while and forgets it: a client that is cut while it sends would not read why.
pub(crate) fn discard(body: Body) {
    if !body.is_end_stream() {
        forget(body.into_data_stream());
    }
}

fn forget(mut rest: BodyDataStream) {
    tokio::spawn(timeout(DISCARD_TIME_MAX, async move {
        while let Some(Ok(_)) = rest.next().await {}
    }));
}

impl Pass {
    /// The answer, or the refusal of a body that grew too large while it was read.
    pub(crate) fn leave(self, answer: Response) -> Response {
        match &self.body {
            Some(body) if body.cut.load(Ordering::Relaxed) => full().into_response(),
            _ => answer,
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(client) = self.client {
            self.load.release(client);
        }
        self.load.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Reserved {
    /// Takes bytes of what is left for all bodies; false if there are not so many.
    fn grow(&self, bytes: u64) -> bool {
        let before = self.load.bodies_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.max;
        if !fits {
            self.cut.store(true, Ordering::Relaxed);
        }
        fits
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let bytes = self.bytes.load(Ordering::Relaxed);
        self.load.bodies_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Load {
    fn shard(&self, client: IpAddr) -> std::sync::MutexGuard<'_, HashMap<IpAddr, u64>> {
        // The remainder is below the number of shards.
        let place = self.hasher.hash_one(client) as usize % SHARDS;
        self.clients[place].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, client: IpAddr, max: u64) -> bool {
        let mut shard = self.shard(client);
        let open = shard.entry(client).or_insert(0);
        let free = *open < max;
        if free {
            *open += 1;
        } else if *open == 0 {
            shard.remove(&client);
        }
        free
    }

    fn release(&self, client: IpAddr) {
        let mut shard = self.shard(client);
        if let Some(open) = shard.get_mut(&client) {
            *open -= 1;
            if *open == 0 {
                shard.remove(&client);
            }
        }
    }
}

/// Who counts as one client: an address, of IPv6 the network of 64 bits that one subscriber has.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

fn overloaded(message: &str) -> Problem {
    Problem::unavailable("overloaded", "FH503", message)
}

fn full() -> Problem {
    overloaded("the bodies of open requests are as large as the service takes at once")
}

fn too_many(max: u64) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-requests",
        "FH429",
        format!("one client may have {max} requests open at once"),
    )
    .with_header(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        assert_eq!(client(ip("2001:db8:1:2:3:4:5:6")), client(ip("2001:db8:1:2::1")));
        assert_ne!(client(ip("2001:db8:1:2::1")), client(ip("2001:db8:1:3::1")));
        assert_eq!(client(ip("::ffff:10.0.0.1")), ip("10.0.0.1"));
        assert_ne!(client(ip("10.0.0.1")), client(ip("10.0.0.2")));
    }

    #[test]
    fn a_client_is_forgotten_with_its_last_request() {
        let load = Load::default();
        let client = ip("10.0.0.1");
        assert!(load.admit(client, 2) && load.admit(client, 2) && !load.admit(client, 2));
        load.release(client);
        assert!(load.admit(client, 2));
        load.release(client);
        load.release(client);
        assert!(!load.admit(client, 0));
        assert!(load.shard(client).is_empty());
    }
}
