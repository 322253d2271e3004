//! The auth service of the notes: all of it is the crate freehold-auth. Its environment says where its database is; `freehold serve`
//! sets that and runs it.

use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

/// What is logged unless `FREEHOLD_LOG` says otherwise.
const LOG_DEFAULT: &str = "warn,freehold=info,freehold_auth=info,deadpool.postgres=error";

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
    let served = async {
        let settings = freehold_auth::Settings::from_env().map_err(freehold::Error::other)?;
        let service = freehold::Service::open(include_str!("../freehold.toml"))?;
        freehold_auth::accounts(service, settings).run().await
    };
    match served.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the service ended");
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tables_are_those_of_freehold_auth() {
        assert_eq!(
            include_str!("../migrations/0001_accounts.sql"),
            freehold_auth::MIGRATION
        );
    }
}
