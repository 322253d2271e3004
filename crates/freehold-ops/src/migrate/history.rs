//! The table `migration`: what has been applied to a service.

use super::error::{Error, Result};
use super::file::{File, Version};
use super::session::Session;
use freehold::pg::ident::quote;
use std::time::{Duration, SystemTime};
use tokio_postgres::Row;

/// One applied migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) version: Version,
    pub(super) name: String,
    pub(super) checksum: String,
    pub(super) applied_at: SystemTime,
    pub(super) duration: Duration,
}

impl Entry {
    /// The file's name when it was applied.
    pub(super) fn file_name(&self) -> String {
        format!("{}_{}.sql", self.version, self.name)
    }
}

/// The table with its schema, quoted.
fn table(session: &Session<'_>) -> String {
    format!("{}.migration", quote(&session.target.freehold_schema))
}

/// Creates the table, and its schema, if they are not there.
pub(super) async fn ensure(session: &Session<'_>) -> Result<()> {
    let schema = &session.target.freehold_schema;
    if !session.has_schema(schema).await? {
        session.run(&format!("create schema {}", quote(schema))).await?;
    }
    session
        .run(&format!(
            "create table if not exists {} (
                version     int primary key,
                name        text not null,
                checksum    text not null,
                applied_at  timestamptz not null default now(),
                duration_ms bigint not null
             )",
            table(session)
        ))
        .await
}

/// Reads what has been applied, by version; nothing if the table is not there yet.
pub(super) async fn read(session: &Session<'_>) -> Result<Vec<Entry>> {
    let found = session
        .client
        .query_opt(
            "select
               from pg_class c
               join pg_namespace n on n.oid = c.relnamespace
              where n.nspname = $1
                and c.relname = 'migration'",
            &[&session.target.freehold_schema],
        )
        .await;
    if found.map_err(|e| session.broken(e))?.is_none() {
        return Ok(Vec::new());
    }
    let rows = session
        .client
        .query(
            &format!(
                "select version, name, checksum, applied_at, duration_ms\n   from {}\n  order by version",
                table(session)
            ),
            &[],
        )
        .await
        .map_err(|e| session.broken(e))?;
    let entries = rows.iter().map(entry).collect::<Result<_, _>>();
    entries.map_err(|e| session.broken(e))
}

/// Fails if a table of that name is there and is not ours.
fn entry(row: &Row) -> Result<Entry, tokio_postgres::Error> {
    Ok(Entry {
        version: Version(row.try_get(0)?),
        name: row.try_get(1)?,
        checksum: row.try_get(2)?,
        applied_at: row.try_get(3)?,
        duration: Duration::from_millis(row.try_get::<_, i64>(4)?.unsigned_abs()),
    })
}

/// Records that `file` has been applied; in a transaction if one is open.
pub(super) async fn record(
    session: &Session<'_>,
    file: &File,
    duration: Duration,
) -> Result<(), tokio_postgres::Error> {
    let duration_ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    session
        .client
        .execute(
            &format!(
                "insert into {} (version, name, checksum, duration_ms)\n values ($1, $2, $3, $4)",
                table(session)
            ),
            &[&file.version.0, &file.name, &file.checksum, &duration_ms],
        )
        .await
        .map(drop)
}

/// The files that have not been applied, after checking that the applied ones are what they were.
///
/// # Errors
/// [`Error::Changed`], [`Error::Missing`], [`Error::OutOfOrder`].
pub(super) fn pending<'f>(service: &str, applied: &[Entry], files: &'f [File]) -> Result<Vec<&'f File>> {
    for entry in applied {
        match files.iter().find(|file| file.version == entry.version) {
            None => {
                return Err(Error::Missing {
                    service: service.to_owned(),
                    file: entry.file_name(),
                });
            }
            Some(file) if file.checksum != entry.checksum => {
                return Err(Error::Changed {
                    service: service.to_owned(),
                    file: file.file_name(),
                });
            }
            Some(_) => {}
        }
    }
    let last = applied.last().map(|entry| entry.version);
    let mut pending = Vec::new();
    for file in files {
        if applied.iter().any(|entry| entry.version == file.version) {
            continue;
        }
        if let Some(last) = last
            && file.version < last
        {
            return Err(Error::OutOfOrder {
                service: service.to_owned(),
                file: file.file_name(),
                applied: last,
            });
        }
        pending.push(file);
    }
    Ok(pending)
}
