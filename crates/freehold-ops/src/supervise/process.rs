//! One service's process. Its standard input stays open as long as we live: if we die, even by kill -9, it ends.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use freehold_manifest::model::Service;
use tokio::process::{Child, ChildStdin, Command};

/// The longest wait for a service to end by itself; it drains requests for 5 s.
const STOP_MAX: Duration = Duration::from_secs(8);

/// How the one process of a service that we start is called among its instances: its successor leads on at once.
const INSTANCE: &str = "up";

/// What a service takes from our environment of what is ours; the rest may be somebody else's secret.
const PASSED_ON: [&str; 4] = [
    "FREEHOLD_LOG",
    "FREEHOLD_LOG_FORMAT",
    "FREEHOLD_POOL",
    "FREEHOLD_PROGRAMS",
];

/// A started service.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts `freehold serve` with an environment of its own: secrets of other services are not in it.
    pub(super) fn start(
        program: &Path,
        folder: &Path,
        service: &Service,
        environment: Vec<(String, String)>,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if is_withheld(&name.to_string_lossy()) {
                command.env_remove(&name);
            }
        }
        // It looks for the service's program beside itself: there, where we were started from.
        if let Some(started) = std::env::args_os().next() {
            command.arg0(started);
        }
        command
            .arg("serve")
            .arg(folder)
            .arg(&service.name)
            .envs(environment)
            .env("FREEHOLD_SUPERVISED", "stdin")
            .env("FREEHOLD_INSTANCE", INSTANCE)
            .env("FREEHOLD_LISTEN", format!("127.0.0.1:{}", service.port))
            .stdin(Stdio::piped())
            .stdout(Stdio::inherit())
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> Result<Option<String>> {
        Ok(self.child.try_wait()?.map(|status| status.to_string()))
    }

    pub(super) fn ask_to_stop(&mut self) {
        self.stdin = None;
    }

    pub(super) async fn wait_stopped(&mut self) {
        if tokio::time::timeout(STOP_MAX, self.child.wait()).await.is_err() {
            tracing::warn!("a service did not stop in time and was killed");
            let _ = self.child.kill().await;
        }
    }
}

/// Whether a variable of our environment is kept from the services: what is ours and not passed on.
fn is_withheld(name: &str) -> bool {
    let ours = name.starts_with("FREEHOLD_") || name == "PGPASSWORD";
    ours && !PASSED_ON.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::is_withheld;

    #[test]
    fn a_service_gets_all_of_the_environment_but_what_is_the_operators() {
        for passed_on in ["SHOP_PAYMENT_URL", "PATH", "FREEHOLD_PROGRAMS", "FREEHOLD_POOL"] {
            assert!(!is_withheld(passed_on), "{passed_on}");
        }
        for withheld in [
            "FREEHOLD_ORDER_APP_PASSWORD",
            "FREEHOLD_POSTGRES_PASSWORD",
            "FREEHOLD_DATABASE_URL",
            "PGPASSWORD",
        ] {
            assert!(is_withheld(withheld), "{withheld}");
        }
    }
}
