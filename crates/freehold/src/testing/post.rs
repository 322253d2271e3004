//! What one service says to another: read from the log, handed to the subscriber's own code.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::Deserialize;

use super::scene::{self, Mail, Scene};
use super::stage::{Member, Stage};
use crate::effect::{self, HANDLERS, Handling};
use crate::error::{Error, Result};
use crate::message::{Batch, Message, Received};
use crate::pg::place;
use crate::replica::{COPIES, Copies, Source};
use crate::saga::engine::Direction;
use crate::subscription::{Applied, Cursors, Effect, Heard, State, Subscription};
use crate::transport::reader::{self, Peer};
use crate::tx::Tx;

/// The way from one service's log into another's handlers or copies.
pub(super) struct Post {
    /// The producer's place on the stage.
    pub(super) from: usize,
    to: usize,
    way: Way,
    topics: Vec<String>,
    /// Everything of the producer's log up to here was handed over.
    carried: AtomicI64,
    /// What is to come once more when all is over.
    again: Mutex<Vec<Again>>,
}

enum Way {
    Handlers(Handling),
    Copies(Box<Subscription>, Copies),
}

/// A message that comes once more.
enum Again {
    /// To its receiver.
    Delivered(Arc<Received>),
    /// From its sender.
    Sent(Arc<Received>),
}

/// The step that a command or a reply is about.
#[derive(Deserialize)]
struct About {
    step: Option<String>,
    direction: Option<Direction>,
}

impl Post {
    /// Every way there is between these services, with cursors at the beginning of each log.
    pub(super) async fn between(members: &[Member]) -> Result<Vec<Self>> {
        let mut post = Vec::new();
        for (to, member) in members.iter().enumerate() {
            let service = member.app.service();
            for producer in service.producers() {
                let from = members.iter().position(|m| m.name() == producer);
                let from = from.ok_or_else(|| Error::Behaviour {
                    problem: format!("{} hears {producer}, which is not on the stage", service.name),
                    remedy: "put it there".to_owned(),
                })?;
                let epoch = epoch(&members[from]).await?;
                let copies: Vec<Source> = service
                    .copies
                    .iter()
                    .filter(|copy| copy.of.service == producer)
                    .map(|copy| Source {
                        name: copy.name.clone(),
                        table: copy.of.table.clone(),
                        topic: copy.of.to_string(),
                        columns: copy.columns.clone(),
                    })
                    .collect();
                if !copies.is_empty() {
                    post.push(Self::to_copies(member, from, to, producer, epoch, copies).await?);
                }
                let topics = service.hears(producer);
                if !topics.is_empty() {
                    let handling = Handling {
                        app: member.app.clone(),
                        producer: producer.to_owned(),
                        topics: topics.clone(),
                    };
                    handling.begin(epoch).await?;
                    post.push(Self::new(from, to, Way::Handlers(handling), topics));
                }
            }
        }
        Ok(post)
    }

    fn new(from: usize, to: usize, way: Way, topics: Vec<String>) -> Self {
        Self {
            from,
            to,
            way,
            topics,
            carried: AtomicI64::new(0),
            again: Mutex::default(),
        }
    }

    /// A way into copies. They are filled from the log's beginning instead of a snapshot.
    async fn to_copies(
        member: &Member,
        from: usize,
        to: usize,
        producer: &str,
        epoch: i32,
        sources: Vec<Source>,
    ) -> Result<Self> {
        let copies = Copies { sources };
        let topics = copies.topics();
        let placed = "select freehold.place_cursor($1, $2, t.topic, $3, 0, 0, '') from unnest($4::text[]) as t(topic)";
        member.ask(placed, &[&COPIES, &producer, &epoch, &topics]).await?;
        let live = "update freehold.copy set state = 'live' where producer = $1";
        member.ask(live, &[&producer]).await?;
        let subscription = Subscription {
            pool: member.app.pool().clone(),
            freehold: member.app.freehold().to_owned(),
            instance: "stage".to_owned(),
            // Never called: what it would bring is read from the log.
            peer: Peer {
                service: producer.to_owned(),
                url: String::new(),
                token: String::new(),
            },
            http: reader::client()?,
            effect: Effect::Copies(copies.clone()),
            state: Arc::new(RwLock::new(State::Live)),
            applied: Applied::default(),
        };
        Ok(Self::new(from, to, Way::Copies(Box::new(subscription), copies), topics))
    }

    /// The databases were put back: nothing is known of them.
    pub(super) fn forget(&self) {
        self.carried.store(0, Ordering::Relaxed);
        self.again.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Hands over what has come up to the log's head since the last time; says whether there was anything.
    pub(super) async fn carry(&self, stage: &Stage, head: i64) -> Result<bool> {
        if head <= self.carried.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let (from, to) = (&stage.members[self.from], &stage.members[self.to]);
        let mut cursors = self.cursors(to, from.name()).await?;
        let line = self.line(from, cursors.after()).await?;
        let batch: Batch<'_> = serde_json::from_str(&line)?;
        let messages: Vec<&Message<'_>> = batch
            .messages
            .iter()
            .filter(|m| {
                cursors
                    .topics
                    .get(&*m.topic)
                    .is_some_and(|(position, _)| m.position > *position)
            })
            .collect();
        if messages.is_empty() {
            self.carried.store(batch.upto, Ordering::Relaxed);
            return Ok(false);
        }
        let Some((messages, upto)) = sorted(messages, batch.upto) else {
            return Ok(false);
        };
        let heard = Heard { upto, messages };
        let taken = match &self.way {
            Way::Handlers(handling) => stage.alive(to, handling.take(&heard, &mut cursors)).await?,
            Way::Copies(subscription, copies) => {
                stage.alive(to, copies.take(subscription, &heard, &mut cursors)).await?
            }
        };
        if taken.is_none() {
            return Ok(true);
        }
        self.carried.store(upto, Ordering::Relaxed);
        if let Some(scene) = scene::current() {
            for message in heard.messages {
                self.come_again(stage, &scene, Received::of(from.name(), message))
                    .await?;
            }
        }
        Ok(true)
    }

    /// Lets everything that came twice come a third time, when all is over.
    pub(super) async fn carry_again(&self, stage: &Stage) -> Result<()> {
        let again = std::mem::take(&mut *self.again.lock().unwrap_or_else(PoisonError::into_inner));
        for again in again {
            match again {
                Again::Delivered(received) => self.deliver(stage, &received).await?,
                Again::Sent(received) => self.send(stage, &received).await?,
            }
        }
        Ok(())
    }

    /// A message was handled. If the scene says so, it comes again.
    async fn come_again(&self, stage: &Stage, scene: &Scene, received: Received) -> Result<()> {
        let Some((step, direction)) = about(&received.topic, received.data.get()) else {
            return Ok(());
        };
        let received = Arc::new(received);
        let twice = match received.topic.ends_with(".replies") {
            true => Mail::AnsweredTwice,
            false => Mail::DeliveredTwice,
        };
        let again = if scene.mail(&step, direction, twice) {
            self.deliver(stage, &received).await?;
            Again::Delivered(received)
        } else if twice == Mail::DeliveredTwice && scene.mail(&step, direction, Mail::AskedTwice) {
            self.send(stage, &received).await?;
            Again::Sent(received)
        } else {
            return Ok(());
        };
        self.again.lock().unwrap_or_else(PoisonError::into_inner).push(again);
        Ok(())
    }

    /// Hands one message to the subscriber, as if its cursor had been set back.
    async fn deliver(&self, stage: &Stage, received: &Arc<Received>) -> Result<()> {
        let to = &stage.members[self.to];
        let handled = async {
            let mut tx = Tx::begin(&to.app, None).await?;
            effect::handled(&mut tx, received).await??;
            tx.commit().await
        };
        stage.alive(to, handled).await.map(drop)
    }

    /// Has the sender send it again: the same command, at another position.
    async fn send(&self, stage: &Stage, received: &Received) -> Result<()> {
        let from = &stage.members[self.from];
        let send = "select freehold.send($1, $2, $3, $4::text::json)";
        let body = received.data.get();
        from.ask(send, &[&received.topic, &received.kind, &received.subject, &body])
            .await
            .map(drop)
    }

    async fn cursors(&self, to: &Member, producer: &str) -> Result<Cursors> {
        let name = match self.way {
            Way::Handlers(_) => HANDLERS,
            Way::Copies(..) => COPIES,
        };
        let sql = "select c.topic, c.epoch, c.position, c.seen
                   from freehold.cursor c
                   where c.subscription = $1 and c.producer = $2 and c.topic = any ($3)";
        let client = to.app.pool().get().await?;
        let read = client.prepare_cached(&place(sql, to.app.freehold())).await?;
        let rows = client.query(&read, &[&name, &producer, &self.topics]).await?;
        Ok(Cursors {
            epoch: rows.first().map_or(1, |row| row.get(1)),
            topics: rows
                .iter()
                .map(|row| (row.get(0), (row.get(2), row.get(3))))
                .collect::<HashMap<_, _>>(),
        })
    }

    /// What the producer's feed would say.
    async fn line(&self, from: &Member, after: i64) -> Result<String> {
        let sql = "select json_build_object(
                     'epoch', h.epoch, 'after', $1::bigint, 'upto', h.position,
                     'messages', coalesce((
                       select json_agg(json_build_object(
                         'id', l.id, 'type', l.type, 'time', l.time, 'traceparent', l.traceparent, 'topic', l.topic,
                         'subject', l.key, 'position', l.position, 'prev', l.prev, 'version', l.version,
                         'hash', encode(l.hash, 'hex'), 'data', l.payload) order by l.position)
                       from freehold.log l
                       where l.position > $1 and l.position <= h.position and l.topic = any ($2)
                     ), '[]'))::text
                   from freehold.log_head h";
        let client = from.app.pool().get().await?;
        let read = client.prepare_cached(&place(sql, from.app.freehold())).await?;
        Ok(client.query_one(&read, &[&after, &self.topics]).await?.get(0))
    }
}

/// The step that a saga's command or reply is about.
fn about(topic: &str, body: &str) -> Option<(String, Direction)> {
    if !topic.ends_with(".commands") && !topic.ends_with(".replies") {
        return None;
    }
    let about: About = serde_json::from_str(body).ok()?;
    about.step.zip(about.direction)
}

/// The messages as they arrive: some lost, held back or overtaken, if the scene says so; and up to where.
fn sorted<'b>(mut messages: Vec<&'b Message<'b>>, upto: i64) -> Option<(Vec<&'b Message<'b>>, i64)> {
    let Some(scene) = scene::current() else {
        return Some((messages, upto));
    };
    let command = |m: &Message<'_>| match m.topic.ends_with(".commands") {
        true => about(&m.topic, m.data.get()),
        false => None,
    };
    let mut n = 0;
    while let Some(message) = messages.get(n) {
        let Some((step, direction)) = command(message) else {
            n += 1;
            continue;
        };
        if scene.mail(&step, direction, Mail::Lost) {
            messages.remove(n);
            continue;
        }
        if scene.expects(&step, direction, Mail::Overtaken) {
            let undoing = (step.clone(), Direction::Compensate);
            let behind = messages.iter().position(|m| command(m).as_ref() == Some(&undoing));
            let Some(behind) = behind else {
                return until(messages, n);
            };
            scene.mail(&step, direction, Mail::Overtaken);
            let overtaken = messages.remove(n);
            messages.insert(behind, overtaken);
            continue;
        }
        if scene.expects(&step, direction, Mail::Held) {
            return until(messages, n);
        }
        n += 1;
    }
    Some((messages, upto))
}

/// Those before the `n`-th: it has not arrived.
fn until<'b>(mut messages: Vec<&'b Message<'b>>, n: usize) -> Option<(Vec<&'b Message<'b>>, i64)> {
    let upto = messages[n].position - 1;
    messages.truncate(n);
    (!messages.is_empty()).then_some((messages, upto))
}

async fn epoch(of: &Member) -> Result<i32> {
    let rows = of.ask("select h.epoch from freehold.log_head h", &[]).await?;
    Ok(rows.first().map_or(1, |row| row.get(0)))
}
