//! `freehold events skip`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::lines::{duration, plain, print};
use super::redrive::{code, tell};
use super::{ground, operator, service};
use crate::cli::{Where, paint};
use crate::events::Database;
use crate::events::parked::Which;
use crate::events::redrive::{self, Redriven};
use crate::events::skip::{self, Letting, Skipped};
use crate::secrets::Login;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The message stays in freehold.skipped of the service, with the reason and your name, and in the log of
its producer. A skipped command is not answered: the saga that sent it goes on waiting, see `freehold sagas`.

Exit code 1 if the key is not parked, or its next message fails.

Example:
  freehold events skip systems/shop product --topic order.confirmed --key d0000000-0000-4000-8000-000000000001 --position 1042 --reason 'the order was booked by hand'"
)]
pub(in crate::cli) struct Skip {
    /// The system's folder
    system: PathBuf,
    /// The service that could not handle the message
    service: String,
    /// The topic, as `freehold events parked` prints it
    #[arg(long, value_name = "TOPIC")]
    topic: String,
    /// The key
    #[arg(long, value_name = "KEY")]
    key: String,
    /// Who sent the message, if several do on this topic
    #[arg(long, value_name = "SERVICE")]
    producer: Option<String>,
    /// Only if the key's first message is the one at this position
    #[arg(long, value_name = "POSITION")]
    position: Option<i64>,
    /// Why, for those who come later
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: String,
    /// How long to wait for what comes of the messages behind it
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    wait: Duration,
    /// Print for programs
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Told<'t> {
    skipped: &'t Skipped,
    followers: &'t [Redriven],
}

impl Skip {
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
            producer: self.producer,
            topic: Some(self.topic),
            key: Some(self.key),
        };
        let letting = Letting {
            position: self.position,
            reason: self.reason,
            by: operator(),
        };
        let Some(skipped) = skip::skip(&mut database, &which, &letting).await? else {
            paint::trouble(&format!("this key is not parked at {}", self.service));
            return Ok(ExitCode::from(1));
        };
        let behind = match skipped.followers {
            0 => Vec::new(),
            _ => vec![skipped.key.clone()],
        };
        let followers = redrive::await_outcomes(&database, behind, self.wait).await?;
        if self.json {
            let told = Told {
                skipped: &skipped,
                followers: &followers,
            };
            print(&(serde_json::to_string_pretty(&told)? + "\n"))?;
            return Ok(code(&followers));
        }
        let key = &skipped.key;
        paint::done(&format!(
            "{}: position {} of {} is skipped, and kept in freehold.skipped",
            key.subscriber, skipped.skipped_position, key.producer
        ));
        match followers.is_empty() {
            true => paint::done(&format!("nothing waits behind it: {} flows again", plain(&key.key))),
            false => followers.iter().for_each(tell),
        }
        Ok(code(&followers))
    }
}
