//! Where this service's cursors stand, for those who wait for them.
//!
//! The subscriptions of this process note here what they committed. Another instance of the service may be the one that follows;
//! then the cursors are looked up, by one waiter for all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::heard::Cursors;
use crate::error::Result;
use crate::pg::place;

/// How often the database is asked while somebody waits: what another instance applied is seen this late.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What every subscription of a process notes, and every waiting request watches.
#[derive(Debug, Clone, Default)]
pub struct Applied(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    standing: watch::Sender<Standing>,
    /// When the cursors were last looked up. Held while they are, so that waiters take turns.
    looked: Mutex<Option<Instant>>,
}

/// Epoch and position of each cursor.
#[derive(Debug, Default)]
struct Standing(HashMap<String, (i32, i64)>);

/// A cursor that has to stand at a position, or behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    cursor: String,
    epoch: i32,
    position: i64,
}

impl Wanted {
    pub(crate) fn new(subscription: &str, producer: &str, topic: &str, epoch: i32, position: i64) -> Self {
        Self {
            cursor: name(subscription, producer, topic),
            epoch,
            position,
        }
    }
}

impl Standing {
    fn covers(&self, wanted: &[Wanted]) -> bool {
        wanted.iter().all(|w| {
            self.0
                .get(&w.cursor)
                .is_some_and(|(epoch, position)| *epoch == w.epoch && *position >= w.position)
        })
    }
}

fn name(subscription: &str, producer: &str, topic: &str) -> String {
    format!("{subscription} {producer} {topic}")
}

impl Applied {
    /// Notes where a subscription's cursors stand, as committed.
    pub(super) fn note(&self, subscription: &str, producer: &str, cursors: &Cursors) {
        self.0.standing.send_modify(|standing| {
            for (topic, (position, _)) in &cursors.topics {
                let cursor = name(subscription, producer, topic);
                standing.0.insert(cursor, (cursors.epoch, *position));
            }
        });
    }

    /// Returns when the cursors stand where they are wanted. Holds no connection while it waits.
    ///
    /// # Errors
    /// What the database says when it is asked.
    pub(crate) async fn reach(&self, wanted: &[Wanted], pool: &Pool, freehold: &str) -> Result<()> {
        let mut standing = self.0.standing.subscribe();
        let mut look_at = Instant::now();
        loop {
            if standing.borrow_and_update().covers(wanted) {
                return Ok(());
            }
            tokio::select! {
                // The sender is part of `self`.
                _ = standing.changed() => {}
                () = tokio::time::sleep_until(look_at) => {
                    self.look(pool, freehold).await?;
                    look_at = Instant::now() + LOOK_EVERY;
                }
            }
        }
    }

    /// Looks the cursors up, unless somebody just did.
    async fn look(&self, pool: &Pool, freehold: &str) -> Result<()> {
        let mut looked = self.0.looked.lock().await;
        if looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        let client = pool.get().await?;
        let statement = client.prepare_cached(&place(CURSORS, freehold)).await?;
        let rows = client.query(&statement, &[&crate::replica::COPIES]).await?;
        let found = rows.iter().map(|row| {
            let cursor = name(row.get(0), row.get(1), row.get(2));
            (cursor, (row.get(3), row.get(4)))
        });
        let found = Standing(found.collect());
        self.0.standing.send_replace(found);
        *looked = Some(Instant::now());
        Ok(())
    }
}

/// A copy that is empty, or gained a column, shows what its cursor says only when it has been filled.
const CURSORS: &str = "
select u.subscription, u.producer, u.topic, u.epoch, u.position
from freehold.cursor u
where u.subscription <> $1
   or exists (
     select from freehold.copy c
     where (c.producer, c.topic, c.state) = (u.producer, u.topic, 'live')
   )";

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(epoch: i32, position: i64) -> Standing {
        Standing(HashMap::from([(
            name("copies", "product", "product.products"),
            (epoch, position),
        )]))
    }

    #[test]
    fn a_cursor_covers_what_is_at_its_position_or_before_it_in_the_same_epoch() {
        let wanted = |topic, epoch, position| [Wanted::new("copies", "product", topic, epoch, position)];
        let covers = |epoch, position| standing(1, 7).covers(&wanted("product.products", epoch, position));
        assert_eq!([covers(1, 6), covers(1, 7), covers(1, 8)], [true, true, false]);
        assert_eq!([covers(2, 6), covers(0, 6)], [false, false]);
        assert!(
            !standing(1, 7).covers(&wanted("product.stocks", 1, 1)),
            "a cursor that is not there"
        );
        assert!(standing(1, 7).covers(&[]));
    }
}
