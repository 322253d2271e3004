//! The user service of the notes; its environment says where its database is. `freehold serve` sets that and runs it.

use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

/// What is logged unless `FREEHOLD_LOG` says otherwise.
const LOG_DEFAULT: &str = "warn,freehold=info,notes_user=info,deadpool.postgres=error";

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("FREEHOLD_LOG").unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A log that nobody reads any more must not end a service.
    let log = log.log_internal_errors(false).with_target(false);
    match std::env::var("FREEHOLD_LOG_FORMAT").as_deref() {
        Ok("json") => log.json().init(),
        _ => log.init(),
    }
    let served = async { notes_user::service()?.run().await };
    match served.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the service ended");
            ExitCode::from(2)
        }
    }
}
