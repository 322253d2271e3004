//! Copies kept true: what was heard is folded by key, the newest version wins, and one statement writes it.
//!
//! `advance` compares and moves the cursors, `apply_<copy>` writes the copies: a producer's transaction is applied whole.

use std::collections::HashMap;
use std::time::Duration;

use tokio_postgres::types::ToSql;

use super::{COPIES, Copies};
use crate::error::{Error, Result};
use crate::install::derived;
use crate::message::Message;
use crate::pg::{ident, place};
use crate::subscription::{Cursors, Heard, Subscription};

/// Attempts of one batch that lost a deadlock or a serialization conflict, before the stream is opened anew.
const CONFLICTS_MAX: u32 = 20;

impl Copies {
    /// Applies what was heard and moves the cursors, or leaves both as they were.
    pub(crate) async fn take(&self, of: &Subscription, heard: &Heard<'_>, cursors: &mut Cursors) -> Result<()> {
        let folded = Folded::of(heard)?;
        let mut attempt = 0;
        loop {
            match self.write(of, &folded, cursors).await {
                Ok(()) => break,
                Err(error) if error.is_conflict() && attempt < CONFLICTS_MAX => {
                    attempt += 1;
                    let pause = Duration::from_millis(2 << attempt.min(7));
                    tokio::time::sleep(pause.mul_f64(fastrand::f64())).await;
                }
                Err(error) => return Err(error),
            }
        }
        cursors.advance(heard.upto, &heard.messages);
        #[cfg(feature = "plant")]
        self.hear_older_ones_late(of, heard).await?;
        Ok(())
    }

    /// One statement, one transaction.
    async fn write(&self, of: &Subscription, folded: &Folded<'_>, cursors: &Cursors) -> Result<()> {
        let topics: Vec<&str> = cursors.topics.keys().map(String::as_str).collect();
        let after: Vec<i64> = cursors.topics.values().map(|(position, _)| *position).collect();
        let last: Vec<_> = topics.iter().map(|topic| folded.last.get(topic)).collect();
        let seen: Vec<Option<i64>> = last.iter().map(|l| l.map(|l| l.0)).collect();
        let hashes: Vec<Option<&[u8]>> = last.iter().map(|l| l.map(|l| l.1.as_slice())).collect();
        let mut sql = String::from("select freehold.advance($1, $2, $3, $4, $5, $6, $7, $8)");
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![
            &COPIES,
            &of.peer.service,
            &cursors.epoch,
            &folded.upto,
            &topics,
            &after,
            &seen,
            &hashes,
        ];
        let mut columns = Vec::new();
        for copy in &self.sources {
            if let Some(messages) = folded.topics.get(copy.topic.as_str()) {
                columns.push((copy, Columns::of(messages)));
            }
        }
        for (copy, rows) in &columns {
            let n = parameters.len();
            sql += &format!(
                ", freehold.{}(${}::text::json, ${}, ${}, ${})",
                ident::quote(&derived("apply", &copy.name)),
                n + 1,
                n + 2,
                n + 3,
                n + 4
            );
            parameters.extend::<[&(dyn ToSql + Sync); 4]>([&rows.data, &rows.keys, &rows.versions, &rows.removed]);
        }
        let client = of.pool.get().await?;
        let statement = client.prepare_cached(&place(&sql, &of.freehold)).await?;
        client.query_one(&statement, &parameters).await?;
        Ok(())
    }
}

/// Messages without what their newer ones make moot.
#[derive(Default)]
struct Folded<'b> {
    /// They cover everything up to here.
    upto: i64,
    /// By topic and key: the newest message.
    topics: HashMap<&'b str, HashMap<&'b str, &'b Message<'b>>>,
    /// By topic: position and hash of the last message.
    last: HashMap<&'b str, (i64, Vec<u8>)>,
}

impl<'b> Folded<'b> {
    fn of(heard: &Heard<'b>) -> Result<Self> {
        let mut folded = Self {
            upto: heard.upto,
            ..Self::default()
        };
        for message in heard.messages.iter().copied() {
            let hash = hex::decode(&*message.hash).map_err(|error| Error::other(error.to_string()))?;
            folded.last.insert(&message.topic, (message.position, hash));
            folded
                .topics
                .entry(&message.topic)
                .or_default()
                .insert(&message.subject, message);
        }
        Ok(folded)
    }
}

/// A topic's messages as the parameters of `apply_<copy>`: the bodies joined, their bytes untouched.
struct Columns<'b> {
    data: String,
    keys: Vec<&'b str>,
    versions: Vec<i64>,
    removed: Vec<bool>,
}

impl<'b> Columns<'b> {
    fn of(messages: &HashMap<&'b str, &'b Message<'b>>) -> Self {
        let size: usize = messages.values().map(|m| m.data.get().len() + 1).sum();
        let mut columns = Self {
            data: String::with_capacity(size + 2),
            keys: Vec::with_capacity(messages.len()),
            versions: Vec::with_capacity(messages.len()),
            removed: Vec::with_capacity(messages.len()),
        };
        columns.data.push('[');
        for (key, message) in messages {
            if !columns.keys.is_empty() {
                columns.data.push(',');
            }
            columns.data.push_str(message.data.get());
            columns.keys.push(key);
            columns.versions.push(message.version);
            columns.removed.push(message.is_deletion());
        }
        columns.data.push(']');
        columns
    }
}
