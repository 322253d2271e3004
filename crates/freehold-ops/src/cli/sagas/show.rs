//! `freehold sagas show`.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::events::lines::{BAD, PLAIN, QUIET, due, plain, print, table};
use crate::cli::events::{Found, chosen, ground, indented, outcome};
use crate::cli::{Where, paint};
use crate::events::Reached;
use crate::events::message::trace_of;
use crate::sagas::list;
use crate::sagas::story::{self, Fields, Line, Source, Story, Wait};
use crate::secrets::Login;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "By a key all its sagas are told, the oldest first. A saga's fields are printed with --data only: they may
hold personal data.

Exit code 1 if there is no such saga, or one of them is stuck.

Examples:
  freehold sagas show systems/shop d0000000-0000-4000-8000-000000000001
  freehold sagas show systems/shop 0199c1f3-7a52-7c8e-9d0a-5b7f3a1c2e4d --data
  freehold sagas show systems/shop d0000000-0000-4000-8000-000000000001 --json | jq '.[0].story[].event'"
)]
pub(in crate::cli) struct Show {
    /// The system's folder
    system: PathBuf,
    /// The saga's id, or its key
    #[arg(value_name = "ID|KEY")]
    saga: String,
    /// Print its fields too
    #[arg(long)]
    data: bool,
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
        let ground = ground(&folder, &system).await?;
        let reached = Reached::open(&ground, &chosen(&system, None)?, Login::Reader).await?;
        let mut found = Vec::new();
        for database in &reached.databases {
            found.extend(list::find(database, &self.saga).await?);
        }
        if found.is_empty() {
            paint::trouble(&format!(
                "no saga of {} has the id or key {}",
                system.name,
                plain(&self.saga)
            ));
            return Ok(outcome(&reached, Found::Something));
        }
        found.sort_by_key(|saga| saga.started_at);
        let fields = if self.data { Fields::Read } else { Fields::Leave };
        let mut stories = Vec::new();
        for saga in found {
            stories.push(story::tell(&reached, saga, fields).await?);
        }
        let text = match self.json {
            true => serde_json::to_string_pretty(&stories)? + "\n",
            false => stories
                .iter()
                .map(render)
                .collect::<Result<Vec<String>>>()?
                .join("\n\n"),
        };
        print(&text)?;
        let stuck = stories.iter().any(|story| story.saga.is_stuck());
        Ok(outcome(&reached, Found::when(stuck)))
    }
}

fn render(story: &Story) -> Result<String> {
    let saga = &story.saga;
    let style = if saga.is_stuck() { BAD } else { PLAIN };
    let mut text = format!(
        "{} of {}: {style}{}{style:#}\n",
        saga.name,
        plain(&saga.key),
        saga.state
    );
    let trace = saga.traceparent.as_deref().and_then(trace_of);
    let version = saga.version.to_string();
    for (name, value) in [
        ("id", &*saga.id),
        ("service", &saga.service),
        ("version", &version),
        ("started", &saga.started_at.to_string()),
        ("changed", &saga.changed_at.to_string()),
        ("trace", trace.unwrap_or("none")),
        ("reason", saga.reason.as_deref().unwrap_or("none")),
    ] {
        writeln!(text, "  {QUIET}{name:7}{QUIET:#}  {}", plain(value))?;
    }
    if let Some(data) = &story.data {
        writeln!(text, "  {QUIET}{:7}{QUIET:#}  {}", "fields", plain(data.get()))?;
    }
    write!(text, "\nstory\n{}", indented(&timeline(&story.story)))?;
    let waits = waits(story);
    if !waits.is_empty() {
        text += "\nwaits for\n";
        for wait in waits {
            writeln!(text, "  {}", plain(&wait))?;
        }
    }
    Ok(text)
}

/// One line for everything that happened.
pub(super) fn timeline(lines: &[Line]) -> String {
    let rows = lines.iter().map(|line| {
        let style = match (line.source, &*line.event) {
            (Source::History, "stuck" | "failed" | "refused" | "timed out") => BAD,
            (Source::History, _) => PLAIN,
            _ => QUIET,
        };
        let place = |detail: &Option<String>| {
            let at = match line.position {
                Some(position) => format!("{} {position}", line.service),
                None => format!("{} outbox", line.service),
            };
            detail.iter().fold(at, |at, detail| format!("{at}: {detail}"))
        };
        let (event, detail) = match line.source {
            Source::History => (line.event.clone(), line.detail.clone().unwrap_or_default()),
            Source::Obeyed => {
                let event = match &*line.event {
                    "voided" => "voided: it will never take effect".to_owned(),
                    outcome => format!("obeyed: {outcome}"),
                };
                (event, line.detail.clone().unwrap_or_default())
            }
            Source::Command => (format!("sent {}", line.event), place(&line.detail)),
            Source::Reply => (format!("answered {}", line.event), place(&line.detail)),
        };
        let cells = vec![
            line.at.to_string(),
            format!("{:+.3}s", line.since_start_s),
            line.service.clone(),
            line.step.clone().unwrap_or_default(),
            line.direction.clone().unwrap_or_default(),
            event,
            line.attempt.map_or_else(String::new, |attempt| attempt.to_string()),
            detail,
        ];
        (style, cells)
    });
    table(
        &[
            "when",
            "#since start",
            "service",
            "step",
            "direction",
            "event",
            "#attempt",
            "detail",
        ],
        rows.collect(),
    )
}

/// What a saga waits for, in sentences.
fn waits(story: &Story) -> Vec<String> {
    let due = story.waits.iter().map(own);
    let parked = story.parked.iter().map(|key| {
        format!(
            "{}, where its messages of {} from {} are {} after {} attempts: {}",
            key.subscriber, key.topic, key.producer, key.state, key.attempts, key.error
        )
    });
    let unheard = story.unheard.iter().map(|unheard| match unheard.position {
        None => format!(
            "{}, whose {} is still in its outbox: does {} run?",
            unheard.service, unheard.kind, unheard.service
        ),
        Some(position) => format!(
            "{}, which has not heard {} ({} {position}): its cursor stands at {}; does it run?",
            unheard.by,
            unheard.kind,
            unheard.service,
            unheard.cursor.unwrap_or(0)
        ),
    });
    let mut waits: Vec<String> = due.chain(parked).chain(unheard).collect();
    if story.saga.is_stuck() {
        let or = if waits.is_empty() { "" } else { "or " };
        waits.push(format!(
            "{or}an operator: `freehold sagas retry`, `skip` or `mark-done`"
        ));
    }
    waits
}

fn own(wait: &Wait) -> String {
    let step = wait.step.as_deref().unwrap_or_default();
    let step = match wait.direction.as_deref() {
        Some("compensate") => format!("the compensation of {step}"),
        _ => step.to_owned(),
    };
    let when = due(wait.due_in_s);
    match &*wait.kind {
        "timeout" => format!("the answer of {step}; its time is over {when}"),
        "retry" => format!("another attempt of {step}, {when}"),
        "call" => format!("the call of {step}: made, or claimed by an instance that makes it; again {when}"),
        "operator" => format!("its service to do what an operator asked for, {when}"),
        other => format!("{other} of {step}, {when}"),
    }
}
