//! The wait until nothing is under way any more, and what still is when it takes too long.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use freehold_manifest::model::Service;
use tokio::time::Instant;
use tokio_postgres::Client;

use super::judge::{Finding, has, open, symptom};
use super::rig::{Rig, not_ready};
use super::{Event, Tell};

/// The longest wait of [`run`](super::run) after the work is over and the last fault is healed. A step that failed is tried again with pauses of
/// seconds, a lease outlives its holder by 5 s, a reader gives up a silent producer after 20 s: many of these fit in.
pub const QUIET_MAX: Duration = Duration::from_secs(180);

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The longest wait for one instance's answer.
const HEALTH_MAX: Duration = Duration::from_secs(2);

/// Work that is due later than this is none of this run's: it will not disturb the judgement.
const DUE_WITHIN: &str = "60 seconds";

/// Things shown of each sort that do not end.
const SHOWN: i64 = 20;

/// The check's name.
const CHECK: &str = "quiet";

/// What one look saw.
#[derive(Debug, Default)]
struct Look {
    /// By service: the log's head.
    heads: BTreeMap<String, i64>,
    /// By service: each cursor's producer, name and position.
    cursors: Vec<(String, String, String, i64)>,
    /// What is under way.
    left: Vec<Finding>,
}

impl Look {
    fn sees(&mut self, service: &str, key: Option<String>, detail: String) {
        let mut finding = Finding::new(symptom::STUCK, CHECK, service, detail);
        finding.key = key;
        self.left.push(finding);
    }

    /// Compares every cursor with its producer's head.
    fn measure(&mut self) {
        for (service, producer, name, position) in std::mem::take(&mut self.cursors) {
            if let Some(head) = self.heads.get(&producer).copied().filter(|head| *head > position) {
                let detail = format!("cursor {name} stands at {position} of {head} in the log of {producer}");
                self.sees(&service, None, detail);
            }
        }
    }
}

/// How the wait for quiet ended.
#[derive(Debug)]
pub struct Quiet {
    /// How long it took.
    pub took: Duration,
    /// What was still under way at the end of a wait that took too long.
    pub left: Vec<Finding>,
}

impl Rig {
    /// Waits until two looks in a row see nothing under way and the same heads of all logs: what moved in between would
    /// have moved one.
    ///
    /// # Errors
    /// When no look could be made at all; a database that does not answer is something that is left.
    pub async fn quiet(&self, at_most: Duration, tell: &mut Tell<'_>) -> Result<Quiet> {
        tell(Event::Step("waiting for quiet"));
        let begun = Instant::now();
        let http = reqwest::Client::builder().no_proxy().timeout(HEALTH_MAX).build()?;
        let mut clients = BTreeMap::new();
        let mut before: Option<BTreeMap<String, i64>> = None;
        loop {
            let Look { heads, left, .. } = self.look(&http, &mut clients).await;
            let is_quiet = left.is_empty() && before.as_ref() == Some(&heads);
            if is_quiet || begun.elapsed() > at_most {
                return Ok(Quiet {
                    took: begun.elapsed(),
                    left,
                });
            }
            before = left.is_empty().then_some(heads);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&self, http: &reqwest::Client, clients: &mut BTreeMap<String, Client>) -> Look {
        let mut look = Look::default();
        for (place, stage) in self.stages.iter().enumerate() {
            let name = &stage.service.name;
            for instance in &stage.instances {
                if let Some(said) = not_ready(http, instance).await {
                    look.sees(name, None, format!("{} is not ready: {said}", instance.name));
                }
            }
            let seen = async {
                let client = match clients.remove(name).filter(|client| !client.is_closed()) {
                    Some(client) => client,
                    None => open(&self.server(place).admin_config(&stage.names.database)).await?,
                };
                database(&client, &stage.service, &mut look).await?;
                Ok::<_, anyhow::Error>(client)
            };
            match seen.await {
                Ok(client) => {
                    clients.insert(name.clone(), client);
                }
                Err(error) => look.sees(name, None, format!("its database cannot be read: {error:#}")),
            }
        }
        look.measure();
        look
    }
}

async fn database(client: &Client, service: &Service, look: &mut Look) -> Result<()> {
    let name = &service.name;
    let row = client
        .query_one(
            "select h.position, (select count(*) from freehold.outbox) from freehold.log_head h",
            &[],
        )
        .await?;
    let (head, waiting): (i64, i64) = (row.get(0), row.get(1));
    look.heads.insert(name.clone(), head);
    if waiting > 0 {
        look.sees(name, None, format!("{waiting} messages wait in the outbox"));
    }
    cursors(client, service, look).await?;
    if has(client, "freehold.saga").await? {
        let sagas = "select key, name || ' ' || id::text || ' is ' || state
                     from freehold.saga
                     where state in ('running', 'compensating')
                     order by started_at
                     limit $1";
        for row in client.query(sagas, &[&SHOWN]).await? {
            look.sees(name, row.get(0), format!("saga {}", row.get::<_, String>(1)));
        }
    }
    if has(client, "freehold.due").await? {
        let due = format!(
            "select coalesce(d.key, s.key),
                    concat_ws(' ', d.kind, d.type, d.step, d.direction, 'of saga ' || d.saga::text) || ', due at ' || d.due_at::text
             from freehold.due d
             left join freehold.saga s on s.id = d.saga
             where d.due_at < clock_timestamp() + interval '{DUE_WITHIN}'
             order by d.due_at
             limit $1"
        );
        for row in client.query(&due, &[&SHOWN]).await? {
            look.sees(
                name,
                row.get(0),
                format!("it waits to be done: {}", row.get::<_, String>(1)),
            );
        }
    }
    if has(client, "freehold.parked_key").await? {
        // Those that are parked for good are found by the judge; these are tried again.
        let retrying = "select key, topic || ' of ' || producer || ', attempt ' || attempts || ': ' || error
                        from freehold.parked_key
                        where state = 'retrying'
                        order by since
                        limit $1";
        for row in client.query(retrying, &[&SHOWN]).await? {
            look.sees(
                name,
                row.get(0),
                format!("it is tried again: {}", row.get::<_, String>(1)),
            );
        }
    }
    Ok(())
}

async fn cursors(client: &Client, service: &Service, look: &mut Look) -> Result<()> {
    let rows = client
        .query(
            "select subscription, producer, topic, position from freehold.cursor",
            &[],
        )
        .await
        .context("freehold.cursor")?;
    let mut followed = Vec::new();
    for row in rows {
        let (subscription, producer, topic): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let cursor = (
            service.name.clone(),
            producer.clone(),
            format!("{subscription} of {topic}"),
            row.get(3),
        );
        look.cursors.push(cursor);
        followed.push((producer, topic));
    }
    // A subscription that never began has no cursor.
    let copied = service
        .copies
        .iter()
        .map(|copy| (copy.of.service.clone(), copy.of.to_string()));
    let producers = service.producers().into_iter();
    let heard = producers.flat_map(|p| service.hears(p).into_iter().map(move |topic| (p.to_owned(), topic)));
    for (producer, topic) in copied.chain(heard) {
        if !followed.contains(&(producer.clone(), topic.clone())) {
            look.sees(
                &service.name,
                None,
                format!("{topic} of {producer} is not followed: it has no cursor"),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_behind_its_producers_head_is_under_way_also_where_nobody_speaks() {
        let cursor = |position| {
            (
                "order".to_owned(),
                "user".to_owned(),
                "copies of user.users".to_owned(),
                position,
            )
        };
        let mut look = Look {
            heads: [("user".to_owned(), 7)].into(),
            cursors: vec![cursor(7), cursor(5)],
            left: Vec::new(),
        };
        look.measure();
        let told: Vec<&str> = look.left.iter().map(|f| f.detail.as_str()).collect();
        assert_eq!(
            told,
            ["cursor copies of user.users stands at 5 of 7 in the log of user"]
        );
    }
}
