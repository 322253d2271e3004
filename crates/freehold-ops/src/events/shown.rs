//! All there is to know of one message: itself, who has heard it, and the messages it belongs with.

use std::collections::BTreeSet;
use std::time::SystemTime;

use anyhow::{Context, Result};
use freehold_manifest::model::System;
use serde::Serialize;

use super::message::{self, Bodies};
use super::{Database, Message, Moment, Reached};

/// Messages of the same key that are shown on either side.
const NEIGHBOURS: i64 = 5;

/// Positions on either side in which they are looked for: a log has no index by key.
const NEIGHBOURHOOD: i64 = 200_000;

/// How long before and after a message its trace is looked for: a log has no index by trace either.
const TRACE_AROUND_S: i64 = 600;

/// Messages of a trace that are shown.
const TRACE_MAX: i64 = 100;

/// The subscription of a service's handlers, as its cursors name it.
pub(crate) const HANDLERS: &str = "handlers";

/// One message whole.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// Itself.
    pub message: Message,
    /// Every subscription that is for its topic.
    pub heard: Vec<Heard>,
    /// Other messages of its key in the same topic, near it.
    pub same_key: Vec<Message>,
    /// Other messages of its trace, in all logs, near it in time.
    pub same_trace: Vec<Message>,
}

/// How far one subscription is with a message.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Heard {
    /// Who subscribes.
    pub service: String,
    /// `copies` or `handlers`.
    pub subscription: String,
    /// Where its cursor stands; none if it never began.
    pub cursor: Option<i64>,
    /// What became of the message there.
    pub state: State,
    /// Why it is parked or was skipped.
    pub detail: Option<String>,
}

/// What became of a message at a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its cursor is past it: it took effect.
    Heard,
    /// Its cursor is before it.
    NotYet,
    /// It never heard anything of this topic.
    NeverBegan,
    /// Its key is set aside and it waits there.
    Parked,
    /// An operator let it go.
    Skipped,
    /// Its database could not be entered.
    Unknown,
}

impl State {
    /// The words for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Heard => "heard",
            Self::NotYet => "not yet",
            Self::NeverBegan => "never began",
            Self::Parked => "parked",
            Self::Skipped => "skipped",
            Self::Unknown => "not known",
        }
    }
}

/// What was asked for.
#[derive(Debug)]
pub enum Found {
    /// The message.
    Message(Box<Shown>),
    /// There is none at that position: the log reaches from the first to the last of these, or is empty.
    Nothing(Option<(i64, i64)>),
}

/// Reads all about the message of `service` at `position`.
///
/// # Errors
/// When the service's own database could not be entered; what PostgreSQL says.
pub async fn show(system: &System, reached: &mut Reached, service: &str, position: i64) -> Result<Found> {
    if let Some(missing) = reached.missing.iter().position(|(name, _)| name == service) {
        return Err(reached.missing.swap_remove(missing).1);
    }
    let own = reached.of(service).context("the service is of this system")?;
    let columns = Bodies::Read.columns();
    let sql = format!("select {columns} from freehold.log l where l.position = $1");
    let found = own.rows(&sql, &[&position]).await?;
    let Some(row) = found.first() else {
        return Ok(Found::Nothing(message::bounds(own).await?));
    };
    let message = Message::of(service, row)?;
    let mut same_key = near(own, &message, "<", "desc").await?;
    same_key.reverse();
    same_key.extend(near(own, &message, ">", "asc").await?);
    let mut same_trace = Vec::new();
    if let Some(trace) = message.trace() {
        for database in &reached.databases {
            same_trace.extend(of_trace(database, trace, message.time).await?);
        }
        same_trace.retain(|other| (&*other.service, other.position) != (service, position));
        same_trace.sort_by_key(|other| other.time);
    }
    let heard = heard(system, reached, &message).await?;
    Ok(Found::Message(Box::new(Shown {
        message,
        heard,
        same_key,
        same_trace,
    })))
}

async fn near(database: &Database, message: &Message, side: &str, order: &str) -> Result<Vec<Message>> {
    let columns = Bodies::Leave.columns();
    let sql = format!(
        "select {columns}
         from freehold.log l
         where l.position {side} $1
           and l.position between $1 - $4 and $1 + $4
           and (l.topic, l.key) = ($2, $3)
         order by l.position {order}
         limit $5"
    );
    let rows = database
        .rows(
            &sql,
            &[
                &message.position,
                &message.topic,
                &message.key,
                &NEIGHBOURHOOD,
                &NEIGHBOURS,
            ],
        )
        .await?;
    rows.iter().map(|row| Message::of(&database.service, row)).collect()
}

async fn of_trace(database: &Database, trace: &str, time: Moment) -> Result<Vec<Message>> {
    let Some(bounds) = message::bounds(database).await? else {
        return Ok(Vec::new());
    };
    let around = TRACE_AROUND_S * 1_000_000;
    let from = message::position_at(database, bounds, Moment(time.0 - around)).await?;
    let upto = message::position_at(database, bounds, Moment(time.0 + around)).await?;
    let columns = Bodies::Leave.columns();
    let sql = format!(
        "select {columns}
         from freehold.log l
         where l.position between $1 and $2
           and split_part(l.traceparent, '-', 2) = $3
         order by l.position
         limit $4"
    );
    let rows = database.rows(&sql, &[&from, &upto, &trace, &TRACE_MAX]).await?;
    rows.iter().map(|row| Message::of(&database.service, row)).collect()
}

/// Every subscription to the message's topic: by the manifests, and by the cursors there are.
async fn heard(system: &System, reached: &Reached, message: &Message) -> Result<Vec<Heard>> {
    let mut heard = Vec::new();
    for service in &system.services {
        let mut subscriptions: BTreeSet<String> = BTreeSet::new();
        if service.copies.iter().any(|copy| copy.of.to_string() == message.topic) {
            subscriptions.insert("copies".to_owned());
        }
        if service.hears(&message.service).contains(&message.topic) {
            subscriptions.insert("handlers".to_owned());
        }
        let unknown = |subscription: String| Heard {
            service: service.name.clone(),
            subscription,
            cursor: None,
            state: State::Unknown,
            detail: None,
        };
        match reached.of(&service.name) {
            Some(database) => heard.extend(by(database, subscriptions, message).await?),
            None => heard.extend(subscriptions.into_iter().map(unknown)),
        }
    }
    Ok(heard)
}

async fn by(database: &Database, expected: BTreeSet<String>, message: &Message) -> Result<Vec<Heard>> {
    let sql = "select c.subscription, c.position
               from freehold.cursor c
               where c.producer = $1 and c.topic = $2";
    let rows = database.rows(sql, &[&message.service, &message.topic]).await?;
    let cursors: Vec<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut names = expected;
    names.extend(cursors.iter().map(|(name, _)| name.clone()));
    let mut heard = Vec::new();
    for name in names {
        let cursor = cursors.iter().find(|(n, _)| *n == name).map(|(_, position)| *position);
        let (mut state, mut detail) = (
            match cursor {
                None | Some(0) => State::NeverBegan,
                Some(position) if position < message.position => State::NotYet,
                Some(_) => State::Heard,
            },
            None,
        );
        if name == HANDLERS
            && let Some((other, why)) = set_aside(database, message).await?
        {
            (state, detail) = (other, Some(why));
        }
        heard.push(Heard {
            service: database.service.clone(),
            subscription: name,
            cursor,
            state,
            detail,
        });
    }
    Ok(heard)
}

/// Whether the message is parked at a subscriber, or was skipped there; and why.
async fn set_aside(database: &Database, message: &Message) -> Result<Option<(State, String)>> {
    let with: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&message.service, &message.topic, &message.key, &message.position];
    let sql = "select k.error
               from freehold.parked p
               join freehold.parked_key k using (producer, topic, key)
               where (p.producer, p.topic, p.key, p.position) = ($1, $2, $3, $4)";
    if let Some(row) = database.rows(sql, &with).await?.first() {
        return Ok(Some((State::Parked, row.get(0))));
    }
    let sql = "select s.skipped_by, s.skipped_at, s.reason
               from freehold.skipped s
               where (s.producer, s.topic, s.key, s.position) = ($1, $2, $3, $4)";
    let rows = database.rows(sql, &with).await?;
    Ok(rows.first().map(|row| {
        let (by, at, reason): (&str, SystemTime, &str) = (row.get(0), row.get(1), row.get(2));
        (State::Skipped, format!("by {by} at {}: {reason}", Moment::from(at)))
    }))
}
