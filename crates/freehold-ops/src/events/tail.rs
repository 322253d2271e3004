//! The logs of several services read together: merged by time for people, in position order within a service.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Result;
use freehold_manifest::model::Service;

use super::message::Bodies;
use super::{Database, Message, Reached};
use crate::ground::Ground;
use crate::secrets::Login;

/// Messages read at once from one log; each is at most 1 MiB.
const PAGE: i64 = 500;

/// How often a log that is followed is looked at.
pub const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Which messages are wanted.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Only of this topic or type.
    pub topic: Option<String>,
    /// Only of this key.
    pub key: Option<String>,
    /// Whether their bodies are read.
    pub bodies: Bodies,
}

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// At this position; of one service only, for a position is a place in one log.
    Position(i64),
    /// At the log's beginning.
    Start,
    /// Behind what there is.
    End,
    /// At the last so many, over all services.
    Last(usize),
}

/// Several logs being read.
#[derive(Debug)]
pub struct Tail<'g> {
    ground: &'g Ground,
    filter: Filter,
    streams: Vec<Stream<'g>>,
}

#[derive(Debug)]
struct Stream<'g> {
    service: &'g Service,
    database: Database,
    /// Everything up to here was read.
    after: i64,
    /// The head when it was last looked at: so far is read.
    upto: i64,
    ready: VecDeque<Message>,
}

impl<'g> Tail<'g> {
    /// Opens the logs and reads them up to where they are now.
    ///
    /// # Errors
    /// As [`Database::rows`].
    pub async fn begin(ground: &'g Ground, reached: Reached, filter: Filter, from: From) -> Result<Tail<'g>> {
        let mut streams = Vec::new();
        for database in reached.databases {
            let Some(service) = ground.system.service(&database.service) else {
                continue;
            };
            let mut stream = Stream {
                service,
                database,
                after: 0,
                upto: 0,
                ready: VecDeque::new(),
            };
            stream.look().await?;
            match from {
                From::Start => {}
                From::Position(position) => stream.after = position - 1,
                From::End => stream.after = stream.upto,
                From::Last(most) => stream.last(&filter, most).await?,
            }
            streams.push(stream);
        }
        let mut tail = Self {
            ground,
            filter,
            streams,
        };
        if let From::Last(most) = from {
            tail.keep_last(most);
        }
        Ok(tail)
    }

    /// The next message up to where the logs were when they were last looked at.
    ///
    /// # Errors
    /// As [`Database::rows`].
    pub async fn next(&mut self) -> Result<Option<Message>> {
        for stream in &mut self.streams {
            stream.fill(&self.filter).await?;
        }
        let oldest = self
            .streams
            .iter_mut()
            .filter(|stream| !stream.ready.is_empty())
            .min_by_key(|stream| stream.ready.front().map(|message| message.time));
        Ok(oldest.and_then(|stream| stream.ready.pop_front()))
    }

    /// Looks whether the logs have grown.
    ///
    /// # Errors
    /// As [`Database::rows`], also when a lost database is not back yet; what was read before is not read again.
    pub async fn look(&mut self) -> Result<()> {
        for stream in &mut self.streams {
            if stream.database.client.is_closed() {
                stream.database = Database::enter(self.ground, stream.service, Login::Reader).await?;
            }
            stream.look().await?;
        }
        Ok(())
    }

    /// Drops all but the last of what is ready, over all services.
    fn keep_last(&mut self, most: usize) {
        let mut ready: usize = self.streams.iter().map(|stream| stream.ready.len()).sum();
        while ready > most {
            let oldest = self
                .streams
                .iter_mut()
                .filter(|stream| !stream.ready.is_empty())
                .min_by_key(|stream| stream.ready.front().map(|message| message.time));
            let Some(stream) = oldest else {
                return;
            };
            stream.ready.pop_front();
            ready -= 1;
        }
    }
}

impl Stream<'_> {
    async fn look(&mut self) -> Result<()> {
        let row = self
            .database
            .row("select h.position from freehold.log_head h", &[])
            .await?;
        self.upto = row.get(0);
        Ok(())
    }

    /// Reads on, if nothing is ready.
    async fn fill(&mut self, filter: &Filter) -> Result<()> {
        if !self.ready.is_empty() || self.after >= self.upto {
            return Ok(());
        }
        let found = self.read(filter, "asc", PAGE).await?;
        let whole = i64::try_from(found.len()).unwrap_or(PAGE) < PAGE;
        self.after = match found.last() {
            Some(last) if !whole => last.position,
            _ => self.upto,
        };
        self.ready.extend(found);
        Ok(())
    }

    async fn last(&mut self, filter: &Filter, most: usize) -> Result<()> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut found = self.read(filter, "desc", most).await?;
        found.reverse();
        self.ready.extend(found);
        self.after = self.upto;
        Ok(())
    }

    async fn read(&self, filter: &Filter, order: &str, most: i64) -> Result<Vec<Message>> {
        let columns = filter.bodies.columns();
        let sql = format!(
            "select {columns}
             from freehold.log l
             where l.position > $1
               and l.position <= $2
               and ($3::text is null or $3 in (l.topic, l.type))
               and ($4::text is null or l.key = $4)
             order by l.position {order}
             limit $5"
        );
        let rows = self
            .database
            .rows(&sql, &[&self.after, &self.upto, &filter.topic, &filter.key, &most])
            .await?;
        rows.iter()
            .map(|row| Message::of(&self.database.service, row))
            .collect()
    }
}
