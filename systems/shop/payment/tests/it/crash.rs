//! The program: killed, restarted, with a damaged journal, with a rival.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use shop_payment::{Error, Options, Provider};

use crate::harness::{SOON, Shop, charge, ground, mischief, until};

/// The program on a free port; killed when dropped.
struct Program {
    child: Child,
    shop: Shop,
}

impl Program {
    fn start(state: &Path, further: &[&str]) -> Self {
        let mut command = command(state);
        command.args(further);
        Self::run(command)
    }

    fn run(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let url = line
            .trim_end()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("{line:?}"));
        Self {
            shop: Shop::of(url.to_owned()),
            child,
        }
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("an id");
        kill(Pid::from_raw(id), signal).expect("it runs");
    }

    async fn ends(&mut self) -> Option<i32> {
        let mut code = None;
        until("the process ends", || {
            let ended = self.child.try_wait().expect("its state");
            code = ended.and_then(|status| status.code());
            ended.is_some()
        })
        .await;
        code
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shop-payment"));
    command.args(["--listen", "127.0.0.1:0", "--state"]).arg(state);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_a_burst_it_has_every_acknowledged_payment_and_none_twice() {
    const CLIENTS: usize = 32;
    const ROUNDS: usize = 4;
    /// Acknowledged payments after which it is killed.
    const ENOUGH: usize = 300;
    let state = tempfile::tempdir().expect("a folder");
    let acknowledged: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
    let mut attempted = BTreeSet::new();
    for round in 0..ROUNDS {
        let program = Program::start(state.path(), &[]);
        let count = Arc::new(AtomicUsize::new(0));
        let clients = (0..CLIENTS).map(|client| {
            let (shop, acknowledged, count) = (program.shop.clone(), Arc::clone(&acknowledged), Arc::clone(&count));
            tokio::spawn(async move {
                let mut keys = Vec::new();
                for n in 0.. {
                    let key = format!("{round}-{client}-{n}");
                    keys.push(key.clone());
                    let Ok(answer) = shop.pay(&key, &charge(&key, "0.01")).send().await else {
                        break;
                    };
                    let status = answer.status();
                    let Ok(body) = answer.json::<serde_json::Value>().await else {
                        break;
                    };
                    assert_eq!(status, 201);
                    let id = body["id"].as_str().expect("an id").to_owned();
                    acknowledged.lock().expect("a lock").insert(key, id);
                    count.fetch_add(1, Ordering::Relaxed);
                }
                keys
            })
        });
        let clients: Vec<_> = clients.collect();
        until("many payments", || count.load(Ordering::Relaxed) >= ENOUGH).await;
        program.signal(Signal::SIGKILL);
        for client in clients {
            attempted.extend(client.await.expect("a client"));
        }
    }

    let program = Program::start(state.path(), &[]);
    let acknowledged = acknowledged.lock().expect("a lock").clone();
    assert!(acknowledged.len() >= ROUNDS * ENOUGH && attempted.len() > acknowledged.len());
    for (key, id) in &acknowledged {
        let payment = program.shop.get(&format!("/payments/by-key/{key}")).await;
        assert_eq!(payment.body["id"], **id, "an acknowledged payment is gone: {key}");
    }
    // Whoever was not answered repeats; whether it had been taken or not, it is taken once.
    for key in &attempted {
        let status = program.shop.paid(key, &charge(key, "0.01")).await.status;
        assert!(
            status == 200 || (status == 201 && !acknowledged.contains_key(key)),
            "{key}: {status}"
        );
    }
    let payments = program.shop.get("/payments").await.body;
    let keys = payments
        .as_array()
        .expect("a list")
        .iter()
        .map(|payment| payment["key"].as_str().expect("a key"));
    let orders: BTreeSet<_> = keys.clone().map(str::to_owned).collect();
    assert_eq!((keys.count(), &orders), (attempted.len(), &attempted));
    let cents = attempted.len();
    assert_eq!(
        program.shop.totals().await["net"],
        format!("{}.{:02}", cents / 100, cents % 100)
    );
}

#[tokio::test]
async fn money_taken_by_a_hanging_request_is_found_after_a_kill() {
    let state = tempfile::tempdir().expect("a folder");
    let hanging = ["--mischief", r#"{"hang_after": 100}"#];
    let body = charge("order-1", "29.80");
    let program = Program::start(state.path(), &hanging);
    program.shop.times_out("key-1", &body).await;
    let begun = Instant::now();
    while program.shop.get("/payments/by-key/key-1").await.status != 200 {
        assert!(begun.elapsed() < SOON, "it is not captured");
    }
    drop(program);
    let program = Program::start(state.path(), &hanging);
    let again = program.shop.paid("key-1", &body).await;
    assert_eq!((again.status.as_u16(), again.is_replayed()), (200, true));
}

/// A file may not grow beyond 4 blocks of 512 bytes: the disk takes half of a line and no more.
#[tokio::test]
async fn once_the_disk_refuses_nothing_more_is_taken_and_nothing_acknowledged_is_lost() {
    let state = tempfile::tempdir().expect("a folder");
    let mut small = Command::new("sh");
    small.args([
        "-c",
        "trap '' XFSZ; ulimit -f 4; exec \"$0\" --listen 127.0.0.1:0 --state \"$1\"",
    ]);
    small.arg(env!("CARGO_BIN_EXE_shop-payment")).arg(state.path());
    let program = Program::run(small);
    let mut acknowledged = Vec::new();
    let failed = loop {
        let key = format!("key-{}", acknowledged.len());
        let answer = program.shop.paid(&key, &charge(&key, "1")).await;
        if answer.status != 201 {
            answer.assert_problem(503, "journal-failed");
            break key;
        }
        acknowledged.push(answer.body);
    };
    assert!((1..1_000).contains(&acknowledged.len()), "{}", acknowledged.len());
    program
        .shop
        .paid("other", &charge("other", "1"))
        .await
        .assert_problem(503, "journal-failed");
    program.shop.get("/health").await.assert_problem(503, "journal-failed");
    assert_eq!(program.shop.get("/payments").await.body, json!(acknowledged));
    drop(program);

    let program = Program::start(state.path(), &[]);
    assert_eq!(program.shop.get("/payments").await.body, json!(acknowledged));
    assert_eq!(program.shop.paid(&failed, &charge(&failed, "1")).await.status, 201);
}

#[tokio::test]
async fn half_a_line_at_the_end_is_cut_off_and_told() {
    let g = ground();
    let paid = g.shop.paid("key-1", &charge("order-1", "29.80")).await;
    g.shop.paid("key-2", &charge("order-2", "5.00")).await;
    g.provider.stop();
    let path = g.state.path().join("journal.jsonl");
    let whole = std::fs::read(&path).expect("the journal");
    let end = whole.iter().position(|&byte| byte == b'\n').expect("a line") + 1;
    for torn in [end + 1, end + 40, whole.len() - 1] {
        std::fs::write(&path, &whole[..torn]).expect("a torn journal");
        let output = command(g.state.path())
            .arg("--until-stdin-ends")
            .stdin(Stdio::null())
            .output()
            .expect("a run");
        assert!(output.status.success(), "{output:?}");
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(log.contains("half a line, which was cut off"), "{log}");
        assert_eq!(std::fs::read(&path).expect("the journal"), whole[..end]);
    }
    let provider = Provider::start(Options::new(g.state.path())).expect("a provider");
    let shop = Shop::of(provider.url());
    assert_eq!(shop.get("/payments").await.body, json!([paid.body]));
    assert_eq!(shop.paid("key-2", &charge("order-2", "5.00")).await.status, 201);
    provider.stop();
    let provider = Provider::start(Options::new(g.state.path())).expect("a provider");
    assert_eq!(provider.totals().payments, 2);
}

#[tokio::test]
async fn a_damaged_line_is_named_and_nothing_starts() {
    let g = ground();
    g.shop.paid("key-1", &charge("order-1", "29.80")).await;
    g.provider.stop();
    let path = g.state.path().join("journal.jsonl");
    let line = std::fs::read(&path).expect("the journal");
    for damage in [b"{\"kind\":\"payment\"}\n".as_slice(), b"\n", b"\0\0\n", &line] {
        std::fs::write(&path, &line).expect("a journal");
        OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(damage))
            .expect("damage");
        let error = Provider::start(Options::new(g.state.path())).expect_err("a damaged journal");
        assert!(matches!(error, Error::Damaged { line: 2, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_state_has_one_provider_and_is_free_once_that_stopped() {
    let g = ground();
    let error = Provider::start(Options::new(g.state.path())).expect_err("a rival");
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    let output = command(g.state.path()).output().expect("a run");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("in use by another provider"));

    // A connection that stays open, and a request that hangs, do not hold up the stop.
    g.provider
        .set_mischief(mischief(&json!({"hang_after": 100})))
        .expect("a spec");
    let hanging = g.shop.pay("key-1", &charge("order-1", "1"));
    let hanging = tokio::spawn(hanging.timeout(SOON).send());
    until("it hangs", || g.provider.totals().payments == 1).await;
    let port = g
        .provider
        .url()
        .rsplit(':')
        .next()
        .and_then(|port| port.parse::<u16>().ok())
        .expect("a port");
    g.provider.stop();
    let mut options = Options::new(g.state.path());
    options.listen.set_port(port);
    let provider = Provider::start(options).expect("the same port and state");
    assert_eq!(provider.totals().payments, 1);
    assert!(hanging.await.expect("an end").is_err_and(|error| !error.is_timeout()));
}

#[tokio::test]
async fn the_program_ends_with_its_standard_input_or_a_signal() {
    let state = tempfile::tempdir().expect("a folder");
    let mut program = Program::start(state.path(), &["--until-stdin-ends"]);
    assert_eq!(program.shop.get("/health").await.body, json!({"status": "ok"}));
    drop(program.child.stdin.take());
    assert_eq!(program.ends().await, Some(0));

    for (signal, further) in [(Signal::SIGTERM, &["--until-stdin-ends"][..]), (Signal::SIGINT, &[])] {
        let mut program = Program::start(state.path(), further);
        program.signal(signal);
        assert_eq!(program.ends().await, Some(0), "{signal}");
    }

    let mut program = Program::start(state.path(), &[]);
    drop(program.child.stdin.take());
    assert_eq!(program.shop.get("/health").await.status, 200);
    tokio::time::timeout(Duration::from_millis(200), program.ends())
        .await
        .expect_err("it runs without its input");
}
