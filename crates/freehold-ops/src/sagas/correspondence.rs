//! What the services wrote to each other for a saga: commands and replies in their logs, and what participants keep of them.

use std::time::SystemTime;

use anyhow::Result;
use tokio_postgres::Row;

use super::Saga;
use crate::events::{Database, Moment, Reached, message};

/// How much older than a saga its first message may be by its time, and how much younger than its end the last: a message
/// bears the time its transaction began, and no transaction of a service lasts longer.
const MARGIN_S: i64 = 120;

/// Messages of one saga that are read from one log.
const LETTERS_MAX: i64 = 1_000;

/// A command or a reply of a saga.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    /// Who wrote it.
    pub(super) service: String,
    /// Its place in the writer's log; none while it waits in the outbox.
    pub(super) position: Option<i64>,
    pub(super) kind: String,
    pub(super) topic: String,
    pub(super) time: Moment,
    /// The command's id, in both.
    pub(super) command: String,
    /// The command that this one undoes.
    pub(super) voids: Option<String>,
    pub(super) step: String,
    pub(super) direction: String,
    /// A reply's outcome; none in a command.
    pub(super) outcome: Option<String>,
    pub(super) reason: Option<String>,
}

impl Letter {
    /// Whom it is for: its topic is `<service>.commands` or `<service>.replies`.
    pub(super) fn receiver(&self) -> &str {
        self.topic.split_once('.').map_or(&self.topic, |(service, _)| service)
    }

    fn of(service: &str, row: &Row) -> Self {
        let text = |column: usize| row.get::<_, Option<String>>(column);
        Self {
            service: service.to_owned(),
            position: row.get(0),
            kind: row.get(1),
            topic: row.get(2),
            time: row.get::<_, SystemTime>(3).into(),
            command: text(4).unwrap_or_default(),
            voids: text(5),
            step: text(6).unwrap_or_default(),
            direction: text(7).unwrap_or_default(),
            outcome: text(8),
            reason: text(9),
        }
    }
}

/// The columns of a [`Letter`] after its position, and which messages are letters of the saga of parameters 1 and 2.
const LETTER: &str =
    "m.type, m.topic, m.time, coalesce(m.payload ->> 'command', m.payload ->> 'id'), m.payload ->> 'voids',
       m.payload ->> 'step', m.payload ->> 'direction', m.payload ->> 'outcome', m.payload ->> 'reason'";
const OF_SAGA: &str = "m.key = $1
         and (m.topic like '%.commands' or m.topic like '%.replies')
         and m.payload ->> 'saga' = $2";

/// All of a saga's letters, in every log that could be read, in position order within each.
pub(super) async fn letters(reached: &Reached, saga: &Saga) -> Result<Vec<Letter>> {
    let mut letters = Vec::new();
    for database in &reached.databases {
        if let Some(bounds) = message::bounds(database).await? {
            let margin = MARGIN_S * 1_000_000;
            let from = message::position_at(database, bounds, Moment(saga.started_at.0 - margin)).await?;
            let upto = match saga.has_ended() {
                true => message::position_at(database, bounds, Moment(saga.changed_at.0 + margin)).await?,
                false => bounds.1,
            };
            let sql = format!(
                "select m.position, {LETTER}
                 from freehold.log m
                 where m.position between $3 and $4
                   and {OF_SAGA}
                 order by m.position
                 limit $5"
            );
            let rows = database
                .rows(&sql, &[&saga.key, &saga.id, &from, &upto, &LETTERS_MAX])
                .await?;
            letters.extend(rows.iter().map(|row| Letter::of(&database.service, row)));
        }
        let sql = format!(
            "select null::bigint, {LETTER}
             from freehold.outbox m
             where {OF_SAGA}
             order by m.id
             limit $3"
        );
        let rows = database.rows(&sql, &[&saga.key, &saga.id, &LETTERS_MAX]).await?;
        letters.extend(rows.iter().map(|row| Letter::of(&database.service, row)));
    }
    Ok(letters)
}

/// What a participant keeps of a command.
#[derive(Debug)]
pub(super) struct Obeyed {
    pub(super) service: String,
    pub(super) command: String,
    pub(super) outcome: String,
    pub(super) reason: Option<String>,
    pub(super) at: Moment,
}

/// What participants keep of the commands in these letters, those included that were never to take effect.
pub(super) async fn obeyed(reached: &Reached, letters: &[Letter]) -> Result<Vec<Obeyed>> {
    let commands = letters.iter().map(|letter| letter.command.as_str());
    let voided = letters.iter().filter_map(|letter| letter.voids.as_deref());
    let mut ids: Vec<&str> = commands.chain(voided).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut obeyed = Vec::new();
    for database in &reached.databases {
        let sql = "select o.command::text, o.outcome, o.reason, o.at
                   from freehold.obeyed o
                   where o.command = any ($1::text[]::uuid[])
                   order by o.at";
        for row in database.rows(sql, &[&ids]).await? {
            obeyed.push(Obeyed {
                service: database.service.clone(),
                command: row.get(0),
                outcome: row.get(1),
                reason: row.get(2),
                at: row.get::<_, SystemTime>(3).into(),
            });
        }
    }
    Ok(obeyed)
}

/// Where the cursor of a receiver's handlers stands for a letter; none if it never began.
pub(super) async fn cursor(database: &Database, letter: &Letter) -> Result<Option<i64>> {
    let sql = "select c.position
               from freehold.cursor c
               where c.subscription = 'handlers' and (c.producer, c.topic) = ($1, $2)";
    let rows = database.rows(sql, &[&letter.service, &letter.topic]).await?;
    Ok(rows.first().map(|row| row.get(0)))
}
