//! Causal reads: a request that names a write of another service waits until that write has been applied here.
//!
//! `Freehold-At-Least: product@1.58734` is what a write's answer called `Freehold-Position`. The producer is asked where in its log
//! that transaction is covered, and the request waits until this service's cursors stand there. It holds no connection meanwhile.

mod resolved;

use std::collections::HashMap;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::Response;
use deadpool_postgres::Pool;
use futures_util::future::try_join_all;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::entity::problem::Problem;
use crate::error::Error;
use crate::position::{Position, Transaction};
use crate::subscription::{Applied, Wanted};
use crate::transport::reader::{self, Known, Peer};

use resolved::Resolved;

/// The header of a request.
const FREEHOLD_AT_LEAST: HeaderName = HeaderName::from_static("freehold-at-least");

/// Positions one request may name: a request to each of their services may follow from it.
const POSITIONS_MAX: usize = 16;

/// Characters of a header that a refusal repeats.
const ECHO_MAX: usize = 64;

/// What a service needs to let requests wait.
#[derive(Debug)]
pub(crate) struct Causal {
    service: String,
    pool: Pool,
    freehold: String,
    http: reqwest::Client,
    /// By name.
    producers: HashMap<String, Producer>,
    applied: Applied,
    epoch: watch::Receiver<i32>,
    /// The longest a request waits.
    limit: Duration,
    resolved: Resolved,
}

/// A service that this one follows.
#[derive(Debug)]
struct Producer {
    peer: Peer,
    /// Subscription and topic of each cursor.
    cursors: Vec<(&'static str, String)>,
}

/// A subscription of this service.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) peer: Peer,
    pub(crate) subscription: &'static str,
    pub(crate) topics: Vec<String>,
}

/// What [`Causal`] stands on.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) service: String,
    pub(crate) pool: Pool,
    pub(crate) freehold: String,
    pub(crate) http: reqwest::Client,
    pub(crate) followed: Vec<Followed>,
    pub(crate) applied: Applied,
    pub(crate) epoch: watch::Receiver<i32>,
    pub(crate) limit: Duration,
}

impl Causal {
    pub(crate) fn new(ground: Ground) -> Self {
        let mut producers: HashMap<String, Producer> = HashMap::new();
        for followed in ground.followed {
            let producer = producers.entry(followed.peer.service.clone()).or_insert(Producer {
                peer: followed.peer,
                cursors: Vec::new(),
            });
            let cursors = followed.topics.into_iter().map(|topic| (followed.subscription, topic));
            producer.cursors.extend(cursors);
        }
        Self {
            service: ground.service,
            pool: ground.pool,
            freehold: ground.freehold,
            http: ground.http,
            producers,
            applied: ground.applied,
            epoch: ground.epoch,
            limit: ground.limit,
            resolved: Resolved::default(),
        }
    }

    /// Returns when everything that the request's `Freehold-At-Least` names has been applied here.
    ///
    /// # Errors
    /// A 400 for what is no position, a 409 for one of a log that is not the one followed, a 503 when it takes too long or the
    /// service that wrote cannot be asked.
    pub(crate) async fn wait(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if !headers.contains_key(FREEHOLD_AT_LEAST) {
            return Ok(());
        }
        let deadline = Instant::now() + self.limit;
        let named = named(headers)?;
        try_join_all(named.iter().map(|position| self.reach(position, deadline))).await?;
        Ok(())
    }

    /// The position of what a transaction of this service published.
    pub(crate) fn position(&self, transaction: Transaction) -> Position {
        Position::new(&self.service, *self.epoch.borrow(), transaction.0)
    }

    /// Says in an answer's header which transaction it came from, where it says so in its extensions.
    pub(crate) fn stamp(&self, response: &mut Response) {
        if let Some(transaction) = response.extensions().get::<Transaction>().copied() {
            self.position(transaction).stamp(response.headers_mut());
        }
    }

    async fn reach(&self, position: &Position, deadline: Instant) -> Result<(), Problem> {
        // What this service wrote itself it sees, and of whom it follows nothing it holds nothing.
        let Some(producer) = self.producers.get(position.service()) else {
            return Ok(());
        };
        let reached = timeout_at(deadline, async {
            let wanted = self.resolve(position, producer).await?;
            let reached = self.applied.reach(&wanted, &self.pool, &self.freehold).await;
            reached.map_err(|error| {
                tracing::warn!(%error, "cursors could not be read");
                Problem::unavailable("unavailable", "PGRST001", "the database does not answer; try again")
            })
        });
        reached.await.unwrap_or_else(|_| Err(self.not_yet_applied(position)))
    }

    /// Where the cursors have to stand.
    async fn resolve(&self, position: &Position, producer: &Producer) -> Result<Vec<Wanted>, Problem> {
        if let Some(wanted) = self.resolved.get(position) {
            return Ok(wanted);
        }
        let mut topics: Vec<String> = producer.cursors.iter().map(|(_, topic)| topic.clone()).collect();
        topics.sort_unstable();
        topics.dedup();
        let asked = reader::place(&self.http, &producer.peer, position.transaction(), &topics).await;
        let place = match asked {
            Ok(Known::Place(place)) if place.epoch == position.epoch() => place,
            Ok(Known::Place(place)) => return Err(other_epoch(position, place.epoch)),
            Ok(Known::Nothing) => return Err(unknown(position)),
            Ok(Known::NotYet) => return Err(self.not_yet_applied(position)),
            Err(error) => return Err(unreachable(position, &error)),
        };
        let wanted: Vec<Wanted> = producer
            .cursors
            .iter()
            .filter_map(|(subscription, topic)| {
                let at = place.topics.get(topic)?;
                Some(Wanted::new(subscription, position.service(), topic, place.epoch, *at))
            })
            .collect();
        self.resolved.keep(position, &wanted);
        Ok(wanted)
    }

    fn not_yet_applied(&self, position: &Position) -> Problem {
        let message = format!("{} has not yet applied what {position} names", self.service);
        Problem::unavailable("not-yet-applied", "FH503", message).with_member("service", position.service())
    }
}

/// The positions a request names, each once.
fn named(headers: &HeaderMap) -> Result<Vec<Position>, Problem> {
    let mut named: Vec<Position> = Vec::new();
    for value in headers.get_all(FREEHOLD_AT_LEAST) {
        let value = value.to_str().map_err(|_| malformed("a text that is not ASCII"))?;
        for text in value.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let position = text.parse().map_err(|_| malformed(text))?;
            if !named.contains(&position) {
                named.push(position);
            }
            if named.len() > POSITIONS_MAX {
                let message = format!("`Freehold-At-Least` names more than {POSITIONS_MAX} positions");
                return Err(bad(message).with_hint("name the last one of each service"));
            }
        }
    }
    Ok(named)
}

fn malformed(text: &str) -> Problem {
    let shown = text.get(..text.floor_char_boundary(ECHO_MAX)).unwrap_or_default();
    bad(format!("`Freehold-At-Least` holds `{shown}`, which is no position"))
        .with_hint("send what `Freehold-Position` said: product@1.58734")
}

fn bad(message: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-position", "FH400", message)
}

fn other_epoch(position: &Position, epoch: i32) -> Problem {
    let message = format!(
        "{position} is of epoch {}, the log of {} is in epoch {epoch}",
        position.epoch(),
        position.service()
    );
    conflict("other-epoch", message, position)
}

fn unknown(position: &Position) -> Problem {
    let message = format!("what {position} names has not happened in {}", position.service());
    conflict("unknown-position", message, position)
}

fn conflict(kind: &'static str, message: String, position: &Position) -> Problem {
    Problem::new(StatusCode::CONFLICT, kind, "FH409", message)
        .with_hint("its database was restored: forget the position, and read again")
        .with_member("service", position.service())
}

fn unreachable(position: &Position, error: &Error) -> Problem {
    let service = position.service();
    match error {
        // The subscription says so already, once.
        Error::Unreachable { .. } => {}
        error => tracing::warn!(%error, "a producer does not say where a write is"),
    }
    let message = format!("{service} cannot be asked whether what {position} names has been applied");
    Problem::unavailable("producer-unreachable", "FH503", message).with_member("service", service)
}

#[cfg(test)]
mod tests {
    use deadpool_postgres::Manager;
    use tokio_postgres::{Config, NoTls};

    use super::*;

    fn causal() -> Causal {
        let manager = Manager::new(Config::new(), NoTls);
        Causal::new(Ground {
            service: "product".to_owned(),
            pool: Pool::builder(manager).build().expect("a pool that is never used"),
            freehold: "freehold".to_owned(),
            http: reqwest::Client::new(),
            followed: Vec::new(),
            applied: Applied::default(),
            epoch: watch::Sender::new(3).subscribe(),
            limit: Duration::ZERO,
        })
    }

    #[test]
    fn an_answer_that_says_its_transaction_gets_its_position() {
        let causal = causal();
        let mut answer = Response::default();
        causal.stamp(&mut answer);
        assert!(answer.headers().is_empty());
        answer.extensions_mut().insert(Transaction(58_734));
        causal.stamp(&mut answer);
        assert_eq!(answer.headers()["freehold-position"], "product@3.58734");
    }

    #[test]
    fn positions_of_several_headers_are_read_each_once() {
        let mut headers = HeaderMap::new();
        for value in ["product@1.7, user@2.8", "user@2.8,", "", "product@1.6"] {
            headers.append(FREEHOLD_AT_LEAST, value.parse().expect("a value"));
        }
        let named = named(&headers).expect("positions");
        let named: Vec<String> = named.iter().map(ToString::to_string).collect();
        assert_eq!(named, ["product@1.7", "user@2.8", "product@1.6"]);
    }
}
