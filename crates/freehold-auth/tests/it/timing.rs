//! Whether the time of an answer tells if there is an account: two samples, compared by rank (Mann and Whitney, 1947).

use std::time::{Duration, Instant};

use serde_json::json;

use crate::fixture::{Person, Running, Stage, address};

/// Samples of each kind in a normal run.
const SHORT: usize = 60;

/// With FREEHOLD_PROVE=1.
const LONG: usize = 1_000;

/// Guesses at one account, before its own bucket slows them down.
const PER_ACCOUNT: usize = 40;

/// Below it the samples differ: by chance in one run of ten thousand.
const P_MIN: f64 = 1e-4;

fn samples() -> usize {
    match std::env::var("FREEHOLD_PROVE").as_deref() {
        Ok("1") => LONG,
        _ => SHORT,
    }
}

/// The probability of ranks that differ at least so much if both are of one distribution: normal approximation, two-sided.
fn mann_whitney(one: &[Duration], other: &[Duration]) -> f64 {
    let mut all: Vec<(Duration, bool)> = one
        .iter()
        .map(|t| (*t, true))
        .chain(other.iter().map(|t| (*t, false)))
        .collect();
    all.sort();
    let ranks: f64 = all
        .iter()
        .zip(1_u32..)
        .filter(|((_, first), _)| *first)
        .map(|(_, rank)| f64::from(rank))
        .sum();
    let (n, m) = (one.len() as f64, other.len() as f64);
    let u = ranks - n * (n + 1.0) / 2.0;
    let z = (u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt();
    erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// Abramowitz and Stegun, 7.1.26: the error is below 1.5e-7.
fn erfc(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series =
        t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    series * (-x * x).exp()
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2]
}

async fn timed(at: &Running, path: &str, body: &serde_json::Value, status: u16) -> Duration {
    let from = address();
    let begun = Instant::now();
    let answer = at.post(path, &from, body).await;
    let took = begun.elapsed();
    assert_eq!(answer.status, status, "{answer:?}");
    took
}

/// Compares two kinds of requests, taken in turns.
async fn compare(what: &str, at: &Running, path: &str, status: u16, bodies: impl Fn(usize) -> [serde_json::Value; 2]) {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for n in 0..samples() {
        let [one, other] = bodies(n);
        // In turns of both orders: what the one leaves behind, it leaves to either.
        if n % 2 == 0 {
            known.push(timed(at, path, &one, status).await);
            unknown.push(timed(at, path, &other, status).await);
        } else {
            unknown.push(timed(at, path, &other, status).await);
            known.push(timed(at, path, &one, status).await);
        }
    }
    let p = mann_whitney(&known, &unknown);
    println!(
        "{what}: 2 × {}, median known {:?}, unknown {:?}, p = {p:.4}",
        known.len(),
        median(&known),
        median(&unknown)
    );
    assert!(p > P_MIN, "{what}: the time tells it, p = {p:e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_an_answer_does_not_tell_whether_there_is_an_account() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let mut people = Vec::new();
    for n in 0..samples().div_ceil(PER_ACCOUNT) {
        people.push(Person::registered(&format!("person{n}"), &stage, &at).await);
    }
    compare("log-in", &at, "/login", 401, |n| {
        let known = &people[n / PER_ACCOUNT].email;
        let body = |email: &str| json!({"email": email, "password": "a wrong password"});
        [body(known), body(&format!("nobody{}@mail.example", n / PER_ACCOUNT))]
    })
    .await;
    let of_each = |n: usize, more: serde_json::Value| {
        // Each address a few times: then mails to it have to wait, and nothing is written down.
        let body = |email: String| {
            let mut body = more.clone();
            body["email"] = json!(email);
            body
        };
        let known = people[n % people.len()].email.clone();
        [body(known), body(format!("stranger{}@mail.example", n % people.len()))]
    };
    compare("forgot", &at, "/password/forgot", 202, |n| of_each(n, json!({}))).await;
    compare("register", &at, "/register", 202, |n| {
        of_each(n, json!({"password": "a good password"}))
    })
    .await;
}

#[test]
fn samples_that_differ_are_told_apart_and_equal_ones_are_not() {
    let times = |from: u64, step: u64| -> Vec<_> { (0..60).map(|n| Duration::from_micros(from + n * step)).collect() };
    assert!(mann_whitney(&times(1_000, 10), &times(1_005, 10)) > 0.5);
    assert!(mann_whitney(&times(1_000, 10), &times(1_600, 10)) < 1e-9);
}
