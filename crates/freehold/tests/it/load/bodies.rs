//! Bodies that are more than the service takes at once.

use axum::body::Bytes;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Desk, reply};

const KIB: usize = 1024;

/// A body that does not say how long it is, in pieces of 10 KiB.
fn chunked(kib: usize) -> reqwest::Body {
    let piece = Bytes::from(vec![b' '; 10 * KIB]);
    let pieces = (0..kib / 10).map(move |_| Ok::<_, std::io::Error>(piece.clone()));
    reqwest::Body::wrap_stream(stream::iter(pieces))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_counted_as_declared_or_as_they_grow() {
    let mut desk = Desk::open(|api| {
        api.limits.body_bytes = 500 * KIB as u64;
        api.limits.bodies_bytes = 1_000 * KIB as u64;
    })
    .await;
    // More than once: what is taken is given back.
    for _ in 0..5 {
        let declared = desk
            .hold(1, |desk| desk.post("/hold").body(vec![b' '; 300 * KIB]))
            .await;
        let grown = desk.hold(2, |desk| desk.post("/hold").body(chunked(300))).await;
        for path in ["/hold", "/notes"] {
            for body in [vec![b' '; 300 * KIB].into(), chunked(300)] {
                let request = desk.post(path).header("content-type", "application/json").body(body);
                let message = reply(request).await.refusal(503, "FH503");
                assert_eq!(
                    message,
                    "the bodies of open requests are as large as the service takes at once"
                );
            }
        }
        // There is room for a small one, and a reader has none.
        let small = reply(
            desk.post("/notes")
                .json(&serde_json::json!({ "id": 1, "note": "there already" })),
        )
        .await;
        assert_eq!(small.status, 409, "{small:?}");
        assert_eq!(reply(desk.get("/notes")).await.status, 200);
        desk.let_go(declared).await;
        desk.let_go(grown).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_large_by_itself_is_told_so() {
    let desk = Desk::open(|api| {
        api.limits.body_bytes = 9 * (KIB * KIB) as u64;
        api.limits.bodies_bytes = 64 * (KIB * KIB) as u64;
    })
    .await;
    // Its head alone: it is refused before it comes.
    let address = desk.root.trim_start_matches("http://");
    let mut socket = tokio::net::TcpStream::connect(address)
        .await
        .expect("the service listens");
    let head = format!(
        "POST /notes HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        10 * KIB * KIB
    );
    socket.write_all(head.as_bytes()).await.expect("sent");
    let mut status = [0; 12];
    socket.read_exact(&mut status).await.expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 413");
}
