//! Everything that is known of a key, over all services, in the order of time.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::Serialize;
use tokio_postgres::Client;

use super::deal::Dealt;
use super::judge::{Finding, has, open};
use super::ledger::Line;
use super::rig::Rig;

/// Keys whose history is told.
const KEYS_MAX: usize = 3;

/// Events told of one key and source: the last ones.
const EVENTS_MAX: i64 = 200;

/// Faults are told from so long before the key's first event to so long after its last, in seconds.
const AROUND_S: f64 = 5.0;

/// What happened to a key.
#[derive(Debug, Clone, Serialize)]
pub struct History {
    /// The key.
    pub key: String,
    /// What happened, in the order of time; times of transactions are those of their begin.
    pub events: Vec<Happened>,
}

/// One event of a history.
#[derive(Debug, Clone, Serialize)]
pub struct Happened {
    /// Seconds after the run's begin; before it, less than 0.
    pub at_s: f64,
    /// A service, `workload` or `fault`.
    pub who: String,
    /// What.
    pub what: String,
}

impl Rig {
    /// The histories of the first keys that something was found about.
    ///
    /// # Errors
    /// When a database cannot be read.
    pub async fn histories(&self, found: &[Finding], faults: &[Dealt]) -> Result<Vec<History>> {
        let mut seen = BTreeSet::new();
        let keys = found.iter().filter_map(|finding| finding.key.clone());
        let mut keys: Vec<String> = keys.filter(|key| seen.insert(key.clone())).collect();
        // Those that the workload sent have the most to tell.
        keys.sort_by_key(|key| !self.ledger.keys().contains_key(key));
        keys.truncate(KEYS_MAX);
        let mut clients = Vec::new();
        for (place, stage) in self.stages.iter().enumerate() {
            let client = open(&self.server(place).admin_config(&stage.names.database)).await?;
            clients.push((stage.service.name.as_str(), client));
        }
        let mut histories = Vec::new();
        for key in keys {
            histories.push(self.history(key, &clients, faults).await?);
        }
        Ok(histories)
    }

    async fn history(&self, key: String, clients: &[(&str, Client)], faults: &[Dealt]) -> Result<History> {
        let mut events: Vec<Happened> = self
            .ledger
            .of(&key)
            .map(|(at, line)| Happened {
                at_s: at.as_secs_f64(),
                who: "workload".to_owned(),
                what: told(line),
            })
            .collect();
        for (service, client) in clients {
            for (epoch, what) in said(client, &key).await? {
                events.push(Happened {
                    at_s: self.clock.since(epoch),
                    who: (*service).to_owned(),
                    what,
                });
            }
        }
        let times = || events.iter().map(|event| event.at_s);
        let first = times().fold(f64::INFINITY, f64::min) - AROUND_S;
        let last = times().fold(f64::NEG_INFINITY, f64::max) + AROUND_S;
        let seconds = |ms: u64| ms as f64 / 1000.0;
        let around = faults
            .iter()
            .filter(|dealt| seconds(dealt.healed_ms) >= first && seconds(dealt.at_ms) <= last);
        let around: Vec<Happened> = around
            .map(|dealt| Happened {
                at_s: seconds(dealt.at_ms),
                who: "fault".to_owned(),
                what: format!(
                    "{} {}, over at {:.3} s",
                    dealt.kind.words(),
                    dealt.target,
                    seconds(dealt.healed_ms)
                ),
            })
            .collect();
        events.extend(around);
        events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        Ok(History { key, events })
    }
}

fn told(line: &Line) -> String {
    match line {
        Line::Sent { .. } => "sent".to_owned(),
        Line::Accepted { .. } => "accepted".to_owned(),
        Line::Refused { why, .. } => format!("refused: {why}"),
        Line::Progress { progress } => format!("progress {progress}"),
    }
}

/// What one service's log, sagas and commands say of a key: seconds of the epoch, and what.
async fn said(client: &Client, key: &str) -> Result<Vec<(f64, String)>> {
    let log = "select position as place,
                      extract(epoch from time)::float8 as at,
                      format('log %s: %s version %s %s', position, type, version, left(payload::text, 300)) as what
               from freehold.log
               where key = $1";
    let saga = "select h.id as place,
                       extract(epoch from h.at)::float8 as at,
                       concat_ws(' ', 'saga', s.name || ':', h.step, h.direction, h.event,
                                 'attempt ' || h.attempt, left(h.detail, 300)) as what
                from freehold.saga s
                join freehold.saga_history h on h.saga = s.id
                where s.key = $1";
    let obeyed = "select extract(epoch from at) as place,
                         extract(epoch from at)::float8 as at,
                         concat_ws(' ', 'command', type, command::text || ':', outcome, reason) as what
                  from freehold.obeyed
                  where key = $1";
    let mut told = Vec::new();
    for (needs, sql) in [
        ("freehold.log", log),
        ("freehold.saga_history", saga),
        ("freehold.obeyed", obeyed),
    ] {
        if has(client, needs).await? {
            let last = format!("select * from ({sql} order by 1 desc limit $2) l order by 1");
            let rows = client.query(&last, &[&key, &EVENTS_MAX]).await?;
            told.extend(rows.iter().map(|row| (row.get(1), row.get(2))));
        }
    }
    Ok(told)
}
