//! `freehold events tail`.

use std::fmt::Write;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Result, bail};

use super::lines::{QUIET, Reader, plain, print};
use super::{Found, chosen, ground, outcome};
use crate::cli::interrupts::Interrupts;
use crate::cli::{Where, paint};
use crate::events::message::Bodies;
use crate::events::tail::{self, Filter, From, LOOK_EVERY};
use crate::events::{Message, Reached};
use crate::secrets::Login;

/// Messages shown where nothing else is asked for.
const LAST: usize = 20;

/// Bytes gathered before they are written, while there is more to read.
const CHUNK: usize = 64 * 1024;

/// The wait before a lost database is tried again.
const LOST_WAIT: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The logs are merged by time; within a service the order is that of its positions. Bodies are
printed with --data only: they may hold personal data.

Examples:
  freehold events tail systems/shop -f
  freehold events tail systems/shop --service order --from 1042
  freehold events tail systems/shop --topic product.commands --last 100
  freehold events tail systems/shop --key d0000000-0000-4000-8000-000000000001 --from start --json | jq .type"
)]
pub(in crate::cli) struct Tail {
    #[command(flatten)]
    place: Where,
    /// Only this service's log
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Only this topic, or this type of message
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Only this key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Begin at a position (of one --service), at `start`, or at `end`
    #[arg(long, value_name = "POSITION|start|end", conflicts_with = "last")]
    from: Option<Begin>,
    /// Begin with the last so many [default: 20]
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// Go on with what comes, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Print the bodies too
    #[arg(long)]
    data: bool,
    /// Print for programs: one JSON document a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy)]
enum Begin {
    Position(i64),
    Start,
    End,
}

impl FromStr for Begin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "start" => Ok(Self::Start),
            "end" => Ok(Self::End),
            number => match number.parse() {
                Ok(position) if position > 0 => Ok(Self::Position(position)),
                _ => Err("is neither a position, nor `start`, nor `end`".to_owned()),
            },
        }
    }
}

impl Tail {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (folder, system) = match self.place.read()? {
            Ok(read) => read,
            Err(code) => return Ok(code),
        };
        let services = chosen(&system, self.service.as_deref())?;
        let from = match self.from {
            Some(Begin::Position(_)) if services.len() > 1 => {
                bail!("a position is a place in one service's log: choose it with --service")
            }
            Some(Begin::Position(position)) => From::Position(position),
            Some(Begin::Start) => From::Start,
            Some(Begin::End) => From::End,
            None => From::Last(self.last.unwrap_or(LAST)),
        };
        let mut interrupts = Interrupts::listen()?;
        let ground = ground(&folder, &system).await?;
        let mut reached = Reached::open(&ground, &services, Login::Reader).await?;
        let missing = Reached {
            missing: std::mem::take(&mut reached.missing),
            ..Reached::default()
        };
        let code = outcome(&missing, Found::Nothing);
        let filter = Filter {
            topic: self.topic.clone(),
            key: self.key.clone(),
            bodies: if self.data { Bodies::Read } else { Bodies::Leave },
        };
        let width = services.iter().map(|service| service.name.len()).max().unwrap_or(0);
        let work = async {
            let mut tail = tail::Tail::begin(&ground, reached, filter, from).await?;
            self.print(&mut tail, width).await
        };
        tokio::select! {
            worked = work => worked?,
            () = interrupts.next() => {}
        }
        Ok(code)
    }

    async fn print(&self, tail: &mut tail::Tail<'_>, width: usize) -> Result<()> {
        let mut told = false;
        loop {
            match self.drain(tail, width).await {
                Ok(Reader::Gone) => return Ok(()),
                Ok(Reader::There) if !self.follow => return Ok(()),
                Ok(Reader::There) => tokio::time::sleep(LOOK_EVERY).await,
                Err(error) if !self.follow => return Err(error),
                Err(_) => {}
            }
            while let Err(error) = tail.look().await {
                if !told {
                    paint::trouble("a database is lost, and tried again until it is back");
                    paint::error(&error);
                    told = true;
                }
                tokio::time::sleep(LOST_WAIT).await;
            }
            if std::mem::take(&mut told) {
                paint::note("it is back");
            }
        }
    }

    /// Prints everything up to where the logs were when they were last looked at.
    async fn drain(&self, tail: &mut tail::Tail<'_>, width: usize) -> Result<Reader> {
        let mut text = String::new();
        loop {
            let message = tail.next().await?;
            let is_last = message.is_none();
            if let Some(message) = message {
                self.line(&mut text, &message, width)?;
            }
            if (is_last && !text.is_empty()) || text.len() >= CHUNK {
                if print(&text)? == Reader::Gone {
                    return Ok(Reader::Gone);
                }
                text.clear();
            }
            if is_last {
                return Ok(Reader::There);
            }
        }
    }

    fn line(&self, text: &mut String, message: &Message, width: usize) -> Result<()> {
        if self.json {
            text.push_str(&serde_json::to_string(message)?);
            text.push('\n');
            return Ok(());
        }
        writeln!(
            text,
            "{QUIET}{}{QUIET:#}  {:width$}  {:>8}  {:32}  {}",
            message.time,
            message.service,
            message.position,
            plain(&message.kind),
            plain(&message.key),
        )?;
        if let Some(data) = &message.data {
            writeln!(text, "    {}", plain(data.get()))?;
        }
        Ok(())
    }
}
