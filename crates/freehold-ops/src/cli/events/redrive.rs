//! `freehold events redrive`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use super::lines::{duration, plain, print};
use super::{ground, service};
use crate::cli::{Where, paint};
use crate::events::Database;
use crate::events::parked::Which;
use crate::events::redrive::{self, Outcome, Redriven};
use crate::secrets::Login;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The service itself does the work, in order, and counts its attempts from the first again. If it does
not run, it does the work when it starts.

Exit code 1 if a key failed again, or none is parked that was asked for.

Examples:
  freehold events redrive systems/shop product --topic order.confirmed --key d0000000-0000-4000-8000-000000000001
  freehold events redrive systems/shop product --all --wait 1m"
)]
pub(in crate::cli) struct Redrive {
    /// The system's folder
    system: PathBuf,
    /// The service that could not handle the key's messages
    service: String,
    #[command(flatten)]
    which: Key,
    /// Every key that is set aside at this service
    #[arg(long, conflicts_with_all = ["topic", "key", "producer"])]
    all: bool,
    /// How long to wait for what comes of it
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    wait: Duration,
    /// Print for programs
    #[arg(long)]
    json: bool,
}

/// Which key is meant, or all.
#[derive(Debug, clap::Args)]
struct Key {
    /// The topic, as `freehold events parked` prints it
    #[arg(long, value_name = "TOPIC", required_unless_present = "all")]
    topic: Option<String>,
    /// The key
    #[arg(long, value_name = "KEY", required_unless_present = "all")]
    key: Option<String>,
    /// Who sent the messages, if several do on this topic
    #[arg(long, value_name = "SERVICE")]
    producer: Option<String>,
}

impl Redrive {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let place = Where { system: self.system };
        let (folder, system) = match place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let of = service(&system, &self.service)?;
        let ground = ground(&folder, &system).await?;
        let mut database = Database::enter(&ground, of, Login::App).await?;
        let which = Which {
            producer: self.which.producer,
            topic: self.which.topic,
            key: self.which.key,
        };
        let keys = redrive::redrive(&mut database, &which).await?;
        let redriven = redrive::await_outcomes(&database, keys, self.wait).await?;
        if self.json {
            print(&(serde_json::to_string_pretty(&redriven)? + "\n"))?;
        } else {
            for key in &redriven {
                tell(key);
            }
        }
        if redriven.is_empty() {
            match self.all {
                true => paint::done(&format!("no key is parked at {}", self.service)),
                false => paint::trouble(&format!("this key is not parked at {}", self.service)),
            }
            return Ok(ExitCode::from(u8::from(!self.all)));
        }
        Ok(code(&redriven))
    }
}

/// Says what came of one key.
pub(super) fn tell(redriven: &Redriven) {
    let key = &redriven.key;
    let name = format!("{}: {} of {}", key.subscriber, plain(&key.key), key.topic);
    match &redriven.outcome {
        Outcome::Done => paint::done(&format!("{name} is handled, and flows again")),
        Outcome::FailedAgain { failure, at_position } => {
            let at = at_position.map_or_else(String::new, |position| format!(" at position {position}"));
            paint::trouble(&format!("{name} failed again{at}: {}", plain(failure)));
        }
        Outcome::UnderWay => paint::note(&format!(
            "{name} is being tried; `freehold events parked` tells the rest"
        )),
        Outcome::WhenItStarts => paint::note(&format!(
            "{name} is tried when {} starts: it does not run",
            key.subscriber
        )),
    }
}

pub(super) fn code(redriven: &[Redriven]) -> ExitCode {
    let failed = |redriven: &Redriven| matches!(redriven.outcome, Outcome::FailedAgain { .. });
    ExitCode::from(u8::from(redriven.iter().any(failed)))
}
