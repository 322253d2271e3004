//! `freehold events parked`.

use std::process::ExitCode;

use anyhow::Result;

use super::lines::{BAD, PLAIN, due, print, span, table};
use super::{Found, chosen, ground, outcome};
use crate::cli::{Where, paint};
use crate::events::Reached;
use crate::events::parked::{self, ParkedKey, Which};
use crate::secrets::Login;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A key is set aside when a handler fails at one of its messages. The service tries it again by itself;
after the last attempt it is `parked` and waits for `freehold events redrive` or `skip`. The key's
later messages wait behind the first, in order; other keys are not held up.

Exit code 1 if a key is set aside.

Examples:
  freehold events parked systems/shop
  freehold events parked systems/shop --json | jq -r '.[] | select(.state == \"parked\") | .key'"
)]
pub(in crate::cli) struct Parked {
    #[command(flatten)]
    place: Where,
    /// Only keys that are set aside at this service
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Print for programs
    #[arg(long)]
    json: bool,
}

impl Parked {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (folder, system) = match self.place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let services = chosen(&system, self.service.as_deref())?;
        let ground = ground(&folder, &system).await?;
        let reached = Reached::open(&ground, &services, Login::Reader).await?;
        let mut keys = Vec::new();
        for database in &reached.databases {
            keys.extend(parked::list(database, &Which::default()).await?);
        }
        if self.json {
            print(&(serde_json::to_string_pretty(&keys)? + "\n"))?;
        } else if keys.is_empty() {
            paint::done("no key is parked");
        } else {
            print(&render(&keys))?;
        }
        Ok(outcome(&reached, Found::when(!keys.is_empty())))
    }
}

/// The keys, one a line.
pub(super) fn render(keys: &[ParkedKey]) -> String {
    let rows = keys.iter().map(|key| {
        let style = if key.state == "parked" { BAD } else { PLAIN };
        let cells = vec![
            key.subscriber.clone(),
            key.producer.clone(),
            key.topic.clone(),
            key.key.clone(),
            key.state.clone(),
            key.attempts.to_string(),
            key.next_in_s.map_or_else(|| "-".to_owned(), due),
            span(key.age_s),
            key.waiting.to_string(),
            key.first_position.map_or_else(|| "-".to_owned(), |p| p.to_string()),
            key.error.clone(),
        ];
        (style, cells)
    });
    table(
        &[
            "subscriber",
            "producer",
            "topic",
            "key",
            "state",
            "#attempts",
            "next try",
            "#since",
            "#waiting",
            "#first",
            "error",
        ],
        rows.collect(),
    )
}
