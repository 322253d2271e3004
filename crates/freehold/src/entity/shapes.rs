//! Which statements are worth preparing, and how one is sent.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use deadpool_postgres::{Object, Pool};
use futures_util::{TryStreamExt, pin_mut};
use tokio_postgres::types::Type;

use super::execute::Outcome;
use super::limits::{ANSWER_BYTES_MAX, SHAPES_MAX};
use super::sql::Statement;

/// The shapes of statements seen lately, by their text.
///
/// A shape is prepared when it is seen for the second time, so that a stream of one-off shapes prepares nothing; when
/// [`SHAPES_MAX`] are known, the one unused for longest is forgotten here and on every connection.
#[derive(Debug, Default)]
pub(super) struct Shapes(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    clock: u64,
    shapes: HashMap<Box<str>, Use>,
}

#[derive(Debug)]
struct Use {
    last: u64,
    how: How,
}

/// How a statement is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Parsed for this once.
    Once,
    /// By its prepared form.
    Prepared,
}

impl Shapes {
    /// Counts a use of this shape, and says how it is to be sent.
    pub(super) fn admit(&self, sql: &str, pool: &Pool) -> How {
        // A panic while holding the lock leaves at worst a shape too many or too few.
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clock += 1;
        let clock = seen.clock;
        if let Some(known) = seen.shapes.get_mut(sql) {
            known.last = clock;
            known.how = How::Prepared;
            return How::Prepared;
        }
        if seen.shapes.len() >= SHAPES_MAX {
            let oldest = seen.shapes.iter().min_by_key(|(_, u)| u.last);
            let oldest = oldest.map(|(sql, u)| (sql.clone(), u.how));
            if let Some((sql, how)) = oldest {
                seen.shapes.remove(&sql);
                if how == How::Prepared {
                    pool.manager().statement_caches.remove(&sql, &[]);
                }
            }
        }
        let fresh = Use {
            last: clock,
            how: How::Once,
        };
        seen.shapes.insert(sql.into(), fresh);
        How::Once
    }
}

/// Sends one statement and reads what it brings back.
pub(super) async fn send(client: &Object, statement: &Statement, how: How) -> Result<Outcome, tokio_postgres::Error> {
    let prepared = prepare(client, statement, how).await?;
    go(client, statement, prepared.as_ref()).await
}

/// Sends one statement as a transaction that begins with `begin`, in one round trip. If it fails, the commit of a failed transaction
/// is a rollback.
pub(super) async fn send_under(
    client: &Object,
    begin: &str,
    statement: &Statement,
    how: How,
) -> Result<Outcome, tokio_postgres::Error> {
    // Before anything is sent: from then on nothing may wait for an answer, so that whoever gives up leaves no open transaction.
    let prepared = prepare(client, statement, how).await?;
    let (begun, done, committed) = tokio::join!(
        biased;
        client.batch_execute(begin),
        go(client, statement, prepared.as_ref()),
        client.batch_execute("commit"),
    );
    begun?;
    let outcome = done?;
    committed?;
    Ok(outcome)
}

async fn prepare(
    client: &Object,
    statement: &Statement,
    how: How,
) -> Result<Option<tokio_postgres::Statement>, tokio_postgres::Error> {
    match how {
        How::Prepared => client.prepare_cached(&statement.sql).await.map(Some),
        How::Once => Ok(None),
    }
}

async fn go(
    client: &Object,
    statement: &Statement,
    prepared: Option<&tokio_postgres::Statement>,
) -> Result<Outcome, tokio_postgres::Error> {
    let params = &statement.params;
    let stream = match prepared {
        Some(prepared) => client.query_raw(prepared, params.iter()).await?,
        None => {
            let typed = params.iter().map(|p| (p, p.sql_type()));
            let typed: Vec<(_, Type)> = typed.collect();
            client.query_typed_raw(&statement.sql, typed).await?
        }
    };
    pin_mut!(stream);
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while let Some(row) = stream.try_next().await? {
        bytes += row.raw_size_bytes();
        // What is too much is read to its end, so that the connection can be used again, but not kept.
        if bytes <= ANSWER_BYTES_MAX {
            rows.push(row);
        }
    }
    let affected = stream.rows_affected().unwrap_or(rows.len() as u64);
    let mut outcome = Outcome::of(rows, affected);
    outcome.fits = bytes <= ANSWER_BYTES_MAX;
    Ok(outcome)
}
