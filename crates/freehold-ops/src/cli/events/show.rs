//! `freehold events show`.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::lines::{BAD, PLAIN, QUIET, plain, print, table};
use super::{Found, chosen, ground, outcome, service};
use crate::cli::{Where, paint};
use crate::events::shown::{self, Shown, State};
use crate::events::{Message, Reached};
use crate::secrets::Login;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  freehold events show systems/shop order 1042
  freehold events show systems/shop order 1042 --json | jq .message.data")]
pub(in crate::cli) struct Show {
    /// The system's folder
    system: PathBuf,
    /// The service whose log it is in
    service: String,
    /// Its position
    position: i64,
    /// Print for programs
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let place = Where { system: self.system };
        let (folder, system) = match place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        service(&system, &self.service)?;
        let ground = ground(&folder, &system).await?;
        let mut reached = Reached::open(&ground, &chosen(&system, None)?, Login::Reader).await?;
        match shown::show(&system, &mut reached, &self.service, self.position).await? {
            shown::Found::Message(shown) => {
                let text = match self.json {
                    true => serde_json::to_string_pretty(&shown)? + "\n",
                    false => render(&shown)?,
                };
                print(&text)?;
                Ok(outcome(&reached, Found::Nothing))
            }
            shown::Found::Nothing(bounds) => {
                let reaches = match bounds {
                    Some((first, last)) => format!("its log has {first} to {last}"),
                    None => "its log is empty".to_owned(),
                };
                paint::trouble(&format!(
                    "{} has no message at position {}: {reaches}",
                    self.service, self.position
                ));
                Ok(outcome(&reached, Found::Something))
            }
        }
    }
}

fn render(shown: &Shown) -> Result<String> {
    let message = &shown.message;
    let mut text = format!("{} {}: {}\n", message.service, message.position, plain(&message.kind));
    let (epoch, version, prev) = (
        message.epoch.to_string(),
        message.version.to_string(),
        message.prev.to_string(),
    );
    for (name, value) in [
        ("topic", &*message.topic),
        ("key", &message.key),
        ("version", &version),
        ("time", &message.time.to_string()),
        ("id", &message.id),
        ("epoch", &epoch),
        ("prev", &prev),
        ("hash", &message.hash),
        ("traceparent", message.traceparent.as_deref().unwrap_or("none")),
    ] {
        writeln!(text, "  {QUIET}{name:11}{QUIET:#}  {}", plain(value))?;
    }
    let data = message.data.as_ref().map_or("none", |data| data.get());
    writeln!(text, "\nbody\n  {}", plain(data))?;
    text += "\nheard by\n";
    match shown.heard.is_empty() {
        true => text += "  nobody: no service subscribes to its topic\n",
        false => text += &indented(&heard(shown)),
    }
    section(&mut text, "its key, around it", &shown.same_key);
    section(&mut text, "its trace", &shown.same_trace);
    Ok(text)
}

fn heard(shown: &Shown) -> String {
    let rows = shown.heard.iter().map(|heard| {
        let style = if heard.state == State::Parked { BAD } else { PLAIN };
        let cells = vec![
            heard.service.clone(),
            heard.subscription.clone(),
            heard.cursor.map_or_else(String::new, |cursor| cursor.to_string()),
            heard.state.words().to_owned(),
            heard.detail.clone().unwrap_or_default(),
        ];
        (style, cells)
    });
    table(
        &["service", "subscription", "#cursor", "state", "because"],
        rows.collect(),
    )
}

fn section(text: &mut String, title: &str, messages: &[Message]) {
    if messages.is_empty() {
        return;
    }
    let rows = messages.iter().map(|message| {
        let cells = vec![
            message.time.to_string(),
            message.service.clone(),
            message.position.to_string(),
            message.kind.clone(),
            message.key.clone(),
        ];
        (PLAIN, cells)
    });
    let rows = table(&["time", "service", "#position", "type", "key"], rows.collect());
    text.push_str(&format!("\n{title}\n{}", indented(&rows)));
}

/// Each line two columns to the right.
pub(in crate::cli) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
