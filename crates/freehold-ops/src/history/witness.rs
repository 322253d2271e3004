//! Who has seen where a service's log stood: the services that hear it, those that were told, and a file.
//!
//! A chain that was computed anew from the first message on holds in itself. Only somebody outside the database can know
//! that it is another: so heads are written down elsewhere, one after the other, and never changed.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::log::Head;
use super::report::{Finding, What};
use crate::events::Database;
use crate::ground::Ground;
use crate::secrets::Login;

/// The folder of the files, in `.freehold`.
const FOLDER: &str = "witness";

/// Only the user who runs the commands.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// Between two heads of a system at work: what is forged within this time after it was written has no witness but the
/// services that heard it.
const EVERY: Duration = Duration::from_secs(600);

/// What somebody has seen of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub by: String,
    /// The epoch.
    pub epoch: i32,
    /// The position.
    pub position: i64,
    /// The hash there.
    pub hash: Vec<u8>,
}

/// What was seen of the logs of a system.
#[derive(Debug, Default)]
pub struct Claims {
    by_producer: BTreeMap<String, Vec<Claim>>,
    unreadable: Vec<(String, String)>,
}

impl Claims {
    pub(super) fn about(&self, producer: &str) -> &[Claim] {
        self.by_producer.get(producer).map_or(&[], Vec::as_slice)
    }

    pub(super) fn unreadable(&self, producer: &str) -> Vec<Finding> {
        let of = self.unreadable.iter().filter(|(service, _)| service == producer);
        of.map(|(_, detail)| Finding {
            what: What::Witness,
            table: None,
            position: None,
            key: None,
            detail: detail.clone(),
        })
        .collect()
    }
}

/// What all these services and the files have seen.
///
/// # Errors
/// When a database or a file cannot be read.
pub(super) async fn claims(databases: &[Database], state: &Path) -> Result<Claims> {
    let mut claims = Claims::default();
    for database in databases {
        let rows = database
            .rows(
                "select c.producer, 'the cursor of ' || $1::text, c.epoch, c.seen, c.hash
                 from freehold.cursor c
                 where c.seen > 0
                 union all
                 select w.producer, 'the database of ' || $1::text, w.epoch, w.position, w.hash
                 from freehold.witness w
                 where w.position > 0",
                &[&database.service],
            )
            .await?;
        for row in rows {
            let claim = Claim {
                by: row.get(1),
                epoch: row.get(2),
                position: row.get(3),
                hash: row.get(4),
            };
            claims.by_producer.entry(row.get(0)).or_default().push(claim);
        }
        read(&path_of(state, &database.service), &database.service, &mut claims)?;
    }
    Ok(claims)
}

/// The file of a service's heads: a line for each, with time, epoch, position and hash.
#[must_use]
pub fn path_of(state: &Path, service: &str) -> PathBuf {
    state.join(FOLDER).join(service)
}

fn read(path: &Path, service: &str, claims: &mut Claims) -> Result<()> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    for (number, line) in whole(&text).lines().enumerate() {
        match claim(line, path) {
            Some(claim) => claims.by_producer.entry(service.to_owned()).or_default().push(claim),
            None => {
                let detail = format!("line {} of {} is not what was written", number + 1, path.display());
                claims.unreadable.push((service.to_owned(), detail));
            }
        }
    }
    Ok(())
}

fn claim(line: &str, path: &Path) -> Option<Claim> {
    let [_, epoch, position, hash] = line.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    Some(Claim {
        by: path.display().to_string(),
        epoch: epoch.parse().ok()?,
        position: position.parse().ok()?,
        hash: hex::decode(hash).ok()?,
    })
}

/// Writes down where these logs end: each in its file, and in the database of every other service.
///
/// A head that was written down already is not again. The file is on disk when this returns.
///
/// # Errors
/// When a file or a database cannot be written; what was written stays.
pub(super) async fn record(ground: &Ground, state: &Path, heads: &[(String, Head)]) -> Result<()> {
    let heads: Vec<&(String, Head)> = heads.iter().filter(|(_, head)| head.position > 0).collect();
    for (service, head) in &heads {
        append(&path_of(state, service), head)?;
    }
    for service in &ground.system.services {
        let others = || heads.iter().filter(|(name, _)| *name != service.name);
        if others().next().is_none() {
            continue;
        }
        let database = Database::enter(ground, service, Login::App).await?;
        let producers: Vec<&str> = others().map(|(name, _)| name.as_str()).collect();
        let epochs: Vec<i32> = others().map(|(_, head)| head.epoch).collect();
        let positions: Vec<i64> = others().map(|(_, head)| head.position).collect();
        let hashes: Vec<&[u8]> = others().map(|(_, head)| head.hash.as_slice()).collect();
        database
            .rows(
                "insert into freehold.witness (producer, epoch, position, hash)
                 select *
                 from unnest($1::text[], $2::integer[], $3::bigint[], $4::bytea[])
                 on conflict do nothing",
                &[&producers, &epochs, &positions, &hashes],
            )
            .await?;
    }
    Ok(())
}

fn append(path: &Path, head: &Head) -> Result<()> {
    let failed = || format!("cannot write down the head of a log in {}", path.display());
    let written = format!("{} {} {}", head.epoch, head.position, hex::encode(&head.hash));
    let before = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(failed),
    };
    if whole(&before).lines().any(|line| line.ends_with(&written)) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(folder)
            .with_context(failed)?;
    }
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(FILE_MODE)
        .open(path)
        .with_context(failed)?;
    let at = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    // What a crash cut short was never relied on.
    file.set_len(u64::try_from(whole(&before).len())?)
        .and_then(|()| file.write_all(format!("{at} {written}\n").as_bytes()))
        .and_then(|()| file.sync_all())
        .with_context(failed)
}

/// The lines that were written to their end.
fn whole(text: &str) -> &str {
    text.rfind('\n').map_or("", |end| &text[..=end])
}

/// Writes down where the logs of a system at work end, now and every ten minutes; never returns.
///
/// What fails is logged, and tried again the next time.
pub async fn keep(ground: &Ground, state: &Path) {
    loop {
        if let Err(error) = once(ground, state).await {
            tracing::warn!(%error, "the heads of the logs were not written down");
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn once(ground: &Ground, state: &Path) -> Result<()> {
    let mut heads = Vec::new();
    for service in &ground.system.services {
        let database = Database::enter(ground, service, Login::Reader).await?;
        let row = database
            .row("select h.epoch, h.position, h.hash from freehold.log_head h", &[])
            .await?;
        let head = Head {
            epoch: row.get(0),
            position: row.get(1),
            hash: row.get(2),
        };
        heads.push((service.name.clone(), head));
    }
    record(ground, state, &heads).await
}
