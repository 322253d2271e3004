//! What was heard of a producer: checked against the cursors, so that nothing is missed and nothing taken twice.

use std::collections::HashMap;

use super::Subscription;
use crate::error::{Error, Result};
use crate::message::{Batch, Message};
use crate::pg::place;
use crate::tx::Tx;

/// Where the cursors of one subscription to one producer stand.
#[derive(Debug)]
pub(crate) struct Cursors {
    pub(crate) epoch: i32,
    /// By topic: position covered, position of the last message.
    pub(crate) topics: HashMap<String, (i64, i64)>,
}

impl Cursors {
    /// Reads those of the topics that this process follows; an instance of another version may follow others.
    pub(super) async fn read(of: &Subscription, name: &str, topics: &[String]) -> Result<Self> {
        let client = of.pool.get().await?;
        let statement = client
            .prepare_cached(&place(
                "select topic, epoch, position, seen
                 from freehold.cursor
                 where subscription = $1
                   and producer = $2
                   and topic = any ($3)",
                &of.freehold,
            ))
            .await?;
        let rows = client.query(&statement, &[&name, &of.peer.service, &topics]).await?;
        let epoch = rows.first().map_or(0, |row| row.get(1));
        let found: HashMap<String, (i64, i64)> =
            rows.iter().map(|row| (row.get(0), (row.get(2), row.get(3)))).collect();
        // A topic never heard before begins at the log's start.
        let after = topics
            .iter()
            .map(|t| (t.clone(), found.get(t).copied().unwrap_or((0, 0))));
        Ok(Self {
            epoch,
            topics: after.collect(),
        })
    }

    /// The producer's first word: whether cursors have to be placed, because there was none or a topic is new.
    pub(super) fn begin(&mut self, epoch: i32, topics: &[String]) -> bool {
        let fresh = topics
            .iter()
            .any(|topic| self.topics.get(topic).is_none_or(|(position, _)| *position == 0));
        if self.epoch == 0 {
            self.epoch = epoch;
        }
        fresh
    }

    /// The position from which on something is not covered.
    pub(crate) fn after(&self) -> i64 {
        self.topics.values().map(|(position, _)| *position).min().unwrap_or(0)
    }

    /// Notes what [`Cursors::write`] wrote, once it is committed.
    pub(crate) fn advance(&mut self, upto: i64, messages: &[&Message<'_>]) {
        for (position, _) in self.topics.values_mut() {
            *position = (*position).max(upto);
        }
        for message in messages {
            if let Some((_, seen)) = self.topics.get_mut(&*message.topic) {
                *seen = message.position;
            }
        }
    }

    /// Moves the cursors over these messages, all up to `upto`, as a part of the transaction.
    ///
    /// # Errors
    /// FH010 when another instance moved them.
    pub(crate) async fn write(
        &self,
        tx: &Tx,
        name: &str,
        producer: &str,
        upto: i64,
        messages: &[&Message<'_>],
    ) -> Result<()> {
        let mut last: HashMap<&str, (i64, Vec<u8>)> = HashMap::new();
        for message in messages {
            let hash = hex::decode(&*message.hash).map_err(|error| Error::other(error.to_string()))?;
            last.insert(&message.topic, (message.position, hash));
        }
        let topics: Vec<&str> = self.topics.keys().map(String::as_str).collect();
        let after: Vec<i64> = self.topics.values().map(|(position, _)| *position).collect();
        let seen: Vec<Option<i64>> = topics.iter().map(|t| last.get(t).map(|l| l.0)).collect();
        let hashes: Vec<Option<&[u8]>> = topics.iter().map(|t| last.get(t).map(|l| l.1.as_slice())).collect();
        let sql = tx.place("select freehold.advance($1, $2, $3, $4, $5, $6, $7, $8)");
        tx.query_one(
            &sql,
            &[&name, &producer, &self.epoch, &upto, &topics, &after, &seen, &hashes],
        )
        .await?;
        Ok(())
    }
}

/// Messages that have not taken effect, in order.
#[derive(Debug, Default)]
pub(crate) struct Heard<'b> {
    /// They cover everything up to here.
    pub(crate) upto: i64,
    /// The messages.
    pub(crate) messages: Vec<&'b Message<'b>>,
}

impl<'b> Heard<'b> {
    /// Checks that nothing is missing, and drops what is done already.
    ///
    /// # Errors
    /// [`Error::Diverged`] when a message is missing or the producer is of another epoch.
    pub(super) fn check(producer: &str, batches: &'b [Batch<'b>], cursors: &Cursors) -> Result<Self> {
        let diverged = |problem: String| Error::Diverged {
            producer: producer.to_owned(),
            problem,
        };
        let mut heard = Self {
            upto: cursors.after(),
            messages: Vec::new(),
        };
        let mut last: HashMap<&str, i64> = HashMap::new();
        for batch in batches {
            if batch.epoch != cursors.epoch {
                return Err(diverged(format!(
                    "epoch {} where {} was followed: the producer was restored; its copies here must be rebuilt",
                    batch.epoch, cursors.epoch
                )));
            }
            if batch.after > heard.upto {
                return Err(diverged(format!(
                    "a batch behind {} where {} was due",
                    batch.after, heard.upto
                )));
            }
            for message in &batch.messages {
                let Some((position, seen)) = cursors.topics.get(&*message.topic) else {
                    continue;
                };
                if message.position <= heard.upto.max(*position) {
                    continue;
                }
                let seen = last.get(&*message.topic).unwrap_or(seen);
                if message.prev != *seen {
                    return Err(diverged(format!(
                        "{} misses a message: position {} follows {}, {} was seen",
                        message.topic, message.position, message.prev, seen
                    )));
                }
                last.insert(&message.topic, message.position);
                heard.messages.push(message);
            }
            heard.upto = heard.upto.max(batch.upto);
        }
        Ok(heard)
    }
}
