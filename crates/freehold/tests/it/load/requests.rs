//! More requests at once than the service takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Desk, Reply, reply};

const LIMIT: usize = 50;

/// Each brings a body; all together would be seen in the memory of the process.
const BODY_BYTES: usize = 256 * 1024;

static BODY: [u8; BODY_BYTES] = [b'x'; BODY_BYTES];

/// What the buffers of 2,000 connections may cost. The bodies would be 330 MiB more.
const MEMORY_MIB_MAX: u64 = 200;

/// Health answers within this, on a machine that does nothing but refuse.
const HEALTH_MAX: Duration = Duration::from_secs(10);

/// As many as there may be sockets for, two for each request: both ends are in this process.
fn requests() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find(|line| line.starts_with("Max open files"));
    let files = files.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    let files: usize = files.unwrap_or(1_024);
    (files.saturating_sub(300) / 2).min(2_000)
}

/// Memory of this process in MiB; nothing where it cannot be read.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

/// Sends a request as the bytes that it is: a client that copied the body would be what is measured.
async fn send(mut socket: TcpStream, head: &'static str, body: &'static [u8]) -> Reply {
    let (mut from, mut to) = socket.split();
    let sent = async {
        let length = body.len();
        let head = format!("{head} HTTP/1.1\r\nhost: desk\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        to.write_all(head.as_bytes()).await?;
        to.write_all(body).await
    };
    let mut answer = String::new();
    let (sent, answered) = tokio::join!(sent, from.read_to_string(&mut answer));
    sent.expect("the body is taken");
    answered.expect("the answer is read");
    let (head, text) = answer.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    Reply {
        status: status.expect("a status"),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        text: text.to_owned(),
    }
}

/// A connection that the service has taken: more at once than the kernel keeps for it would be cut before it sees them.
async fn connect(root: String, turn: Arc<Semaphore>) -> TcpStream {
    let _turn = turn.acquire().await.expect("a turn");
    let address = root.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).await.expect("the service listens");
    let ask = b"GET /health/live HTTP/1.1\r\nhost: desk\r\n\r\n";
    socket.write_all(ask).await.expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let read = socket.read_buf(&mut answer).await.expect("an answer");
        assert!(read > 0, "health answers");
    }
    socket
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_the_limit_is_refused_at_once_and_health_goes_on() {
    let mut desk = Desk::open(|api| {
        api.limits.requests = LIMIT as u64;
        api.limits.client_requests = 1_000_000;
    })
    .await;
    let requests = requests();
    let held = desk.hold(LIMIT, |desk| desk.post("/hold").body(&BODY[..])).await;
    let turn = Arc::new(Semaphore::new(100));
    let mut connecting = JoinSet::new();
    for _ in 0..requests {
        connecting.spawn(connect(desk.root.clone(), Arc::clone(&turn)));
    }
    let sockets = connecting.join_all().await;
    let before = memory();

    let stop = Arc::new(AtomicBool::new(false));
    let looking = tokio::spawn({
        // With a connection of its own: new ones may have to queue.
        let (stop, http) = (Arc::clone(&stop), reqwest::Client::new());
        let root = desk.root.clone();
        async move {
            let (mut looks, mut longest) = (0, Duration::ZERO);
            while !stop.load(Ordering::Relaxed) {
                for path in ["/health/live", "/health/ready"] {
                    let begun = Instant::now();
                    let health = reply(http.get(format!("{root}{path}"))).await;
                    // A busy machine may keep the database from its answer.
                    assert!(health.status == 200 || path == "/health/ready", "{path}: {health:?}");
                    longest = longest.max(begun.elapsed());
                    looks += 1;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            (looks, longest)
        }
    });
    let begun = Instant::now();
    let mut sent = JoinSet::new();
    for (n, socket) in sockets.into_iter().enumerate() {
        sent.spawn(match n % 3 {
            0 => send(socket, "GET /notes?id=eq.1", &[]),
            1 => send(socket, "POST /notes", &BODY),
            _ => send(socket, "POST /hold", &BODY),
        });
    }
    // None of those inside has ended, so nobody waited for them.
    let mut memory_max = memory();
    while let Some(refused) = sent.join_next().await {
        let message = refused.expect("an answer").refusal(503, "FH503");
        assert_eq!(message, "as many requests as the service takes at once are open");
        memory_max = memory_max.max(memory());
    }
    let took = begun.elapsed();
    // The feed has a token to ask for, and no limit.
    assert_eq!(reply(desk.get("/freehold/feed?topics=x&after=0")).await.status, 401);
    stop.store(true, Ordering::Relaxed);
    let (looks, longest) = looking.await.expect("health answers");
    println!(
        "{requests} requests refused in {took:?}; {looks} looks at health, the longest {longest:?}; memory {before:?} to {memory_max:?} MiB"
    );
    assert!(looks > 0 && longest < HEALTH_MAX, "{longest:?}");
    if let (Some(before), Some(max)) = (before, memory_max) {
        assert!(max - before < MEMORY_MIB_MAX, "{before} to {max} MiB");
    }
    desk.let_go(held).await;
    // Every place is free again.
    let held = desk.hold(LIMIT, |desk| desk.post("/hold")).await;
    reply(desk.get("/notes?id=eq.1")).await.refusal(503, "FH503");
    desk.let_go(held).await;
    assert_eq!(reply(desk.get("/notes?id=eq.1")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_gives_its_place_back() {
    let mut desk = Desk::open(|api| api.limits.requests = 4).await;
    for _ in 0..5 {
        let mut held = desk.hold(4, |desk| desk.post("/hold")).await;
        reply(desk.get("/own")).await.refusal(503, "FH503");
        held.shutdown().await;
        crate::fixture::until("the places are free", || async {
            reply(desk.get("/own")).await.status == 200
        })
        .await;
    }
}
