//! Ctrl-C, a request to end, and a terminal that is closed: none is lost between two waits.

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What ends a command from outside, heard from [`Interrupts::listen`] on.
#[derive(Debug)]
pub(super) struct Interrupts {
    ctrl_c: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Interrupts {
    /// From now on an interrupt waits to be taken by [`Interrupts::next`], and ends nothing by itself.
    pub(super) fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for Ctrl-C");
        Ok(Self {
            ctrl_c: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: match survives_its_terminal() {
                true => None,
                false => Some(listen(SignalKind::hangup())?),
            },
        })
    }

    /// Returns at the next interrupt.
    pub(super) async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.ctrl_c.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Whether we were started by `nohup` or its like; where there is no `/proc` to tell, we were not.
fn survives_its_terminal() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Bit 0 stands for signal 1, SIGHUP.
    ignored.is_some_and(|mask| mask & 1 == 1)
}
