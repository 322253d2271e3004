//! One client with many requests at once.

use super::{Desk, reply};

/// A machine has many addresses of its own on Linux.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_client_has_its_share_and_the_next_is_let_in() {
    let mut desk = Desk::open(|api| api.limits.client_requests = 5).await;
    let held = desk.hold(5, |desk| desk.post("/hold")).await;
    for path in ["/own", "/notes", "/notes?id=eq.1"] {
        let message = reply(desk.get(path)).await.refusal(429, "FH429");
        assert_eq!(message, "one client may have 5 requests open at once");
    }
    assert_eq!(reply(desk.get("/health/live")).await.status, 200);
    let other = reqwest::Client::builder().local_address(std::net::IpAddr::from([127, 0, 0, 2]));
    let other = other.build().expect("a client");
    for path in ["/own", "/notes"] {
        let answer = reply(other.get(format!("{}{path}", desk.root))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    desk.let_go(held).await;
    assert_eq!(reply(desk.get("/own")).await.status, 200);
}
