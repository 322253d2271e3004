//! The card processor as a program.

use std::io::{IsTerminal, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use reqwest::Url;
use shop_payment::{Mischief, Options, Provider};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

/// A card processor to test against: takes money once per idempotency key, and misbehaves as told
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:
  shop-payment --state payments
      take payments on 127.0.0.1:7190, and do nothing wrong
  shop-payment --state payments --seed 7 --mischief '{\"decline\": 5, \"hang_after\": 2, \"error_before\": 3}'
      of 100 idempotency keys about 5 are declined, 2 hang after the capture, 3 get an error first
  curl http://127.0.0.1:7190/payments -H 'Idempotency-Key: order-1' \\
      --json '{\"order\": \"1\", \"amount\": \"29.80\", \"method\": \"card\"}'
  curl -X PUT http://127.0.0.1:7190/mischief --json '{\"orders\": {\"2\": \"decline\"}}'

SHOP_PAYMENT_LOG says what to log, like shop_payment=debug. Exit codes: 0 stopped, 2 it could not run."
)]
struct Arguments {
    /// Where to listen; port 0 takes any free port. The first line printed says which
    #[arg(long, default_value = "127.0.0.1:7190", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The folder that remembers every payment; made if it is not there
    #[arg(long, value_name = "FOLDER")]
    state: PathBuf,
    /// What the mischief is drawn from, together with the idempotency key
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What goes wrong, as JSON; PUT /mischief changes it until the next start
    #[arg(long, default_value = "{}", value_name = "JSON")]
    mischief: Mischief,
    /// Where to POST {payment, order, key, status} besides the answer
    #[arg(long, value_name = "URL", value_parser = webhook)]
    webhook: Option<Url>,
    /// End when standard input does, so that it does not outlive what started it
    #[arg(long)]
    until_stdin_ends: bool,
}

fn webhook(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if url.scheme() == "http" && url.has_host() => Ok(url),
        Ok(_) => Err("a webhook is an http:// URL".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let filter =
        EnvFilter::try_from_env("SHOP_PAYMENT_LOG").unwrap_or_else(|_| EnvFilter::new("warn,shop_payment=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    match run(arguments) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shop-payment: {error:#}");
            std::process::ExitCode::from(2)
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(arguments: Arguments) -> Result<()> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let provider = Provider::start(Options {
        listen: arguments.listen,
        state: arguments.state,
        seed: arguments.seed,
        mischief: arguments.mischief,
        webhook: arguments.webhook,
    })?;
    let mut out = std::io::stdout();
    // Whoever started it may not read; that is no reason not to run.
    let _ = writeln!(out, "listening on {}", provider.url()).and_then(|()| out.flush());
    let (held, stdin_ended) = oneshot::channel();
    // Held to the end where standard input does not matter.
    let _held = match arguments.until_stdin_ends {
        true => watch_stdin(held).map(|()| None)?,
        false => Some(held),
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = stdin_ended => {}
    }
    provider.stop();
    Ok(())
}

/// Drops what it is given when standard input ends. A thread, because a read of it cannot be called off.
fn watch_stdin(held: oneshot::Sender<()>) -> Result<()> {
    let watch = move || {
        let mut buffer = [0; 1024];
        while std::io::stdin().read(&mut buffer).is_ok_and(|read| read > 0) {}
        drop(held);
    };
    let thread = std::thread::Builder::new().name("stdin".into());
    thread.spawn(watch).map(drop).context("cannot watch standard input")
}
