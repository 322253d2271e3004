//! Five hundred log-ins at once: memory stays where it is, and everybody else is answered.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fixture::{Person, Stage, address};

/// Of this process, in MiB: what it holds now, and the most that it held since the last reset.
fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with(field)).expect("the field");
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a number");
    kib / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_log_ins_at_once_are_bounded_and_other_routes_are_answered() {
    let stage = Stage::open().await;
    let mut settings = stage.settings();
    settings.hashes = 4;
    let at = stage.serve_with(settings).await;
    let ann = Person::registered("ann", &stage, &at).await;
    let tokens = ann.log_in(&at).await.tokens();
    // The peak is counted from here on.
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux resets the peak");
    let before = memory("VmRSS:");
    let log_ins = (0..500).map(|n| {
        let body = json!({"email": format!("nobody{n}@mail.example"), "password": "a wrong password"});
        let (at, from) = (&at, address());
        async move { at.post("/login", &from, &body).await }
    });
    let watched = async {
        let mut times = Vec::new();
        for _ in 0..21 {
            let begun = Instant::now();
            assert_eq!(
                ann.ask(&at, "GET", "/.well-known/jwks.json", &tokens, &Value::Null)
                    .await
                    .status,
                200
            );
            times.push(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        times.sort();
        times[10]
    };
    let (answers, median) = tokio::join!(futures_util::future::join_all(log_ins), watched);
    let grown = memory("VmHWM:").saturating_sub(before);
    let judged = answers.iter().filter(|answer| answer.status == 401).count();
    let busy: Vec<_> = answers
        .iter()
        .filter(|answer| matches!(answer.status, 429 | 503))
        .collect();
    println!(
        "{judged} judged, {} told to come again; memory grew by {grown} MiB; median of the key set {median:?}",
        busy.len()
    );
    assert_eq!(judged + busy.len(), 500, "{answers:?}");
    assert!(busy.iter().all(|answer| answer.retry_after.is_some()));
    assert!(judged >= 4, "{judged}");
    // Four places of 19 MiB, and five hundred requests with both their ends in this process.
    assert!(grown < 160, "memory grew by {grown} MiB");
    // On a loaded machine; in peace it is milliseconds.
    assert!(median < Duration::from_secs(1), "{median:?}");
    assert_eq!(ann.log_in(&at).await.status, 200);
}
