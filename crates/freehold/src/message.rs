//! The one value that crosses the wall: a CloudEvent with its place in the producer's log.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A message as the wire has it; its body stays the bytes PostgreSQL wrote.
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    /// Its id.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// What happened: `product.products.changed`.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// When, by the producer's clock; orders nothing.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// The trace it belongs to.
    #[serde(borrow, default)]
    pub traceparent: Option<Cow<'a, str>>,
    /// The family it belongs to: `product.products`.
    #[serde(borrow)]
    pub topic: Cow<'a, str>,
    /// The key of what it is about.
    #[serde(borrow)]
    pub subject: Cow<'a, str>,
    /// Its place in the producer's log.
    pub position: i64,
    /// The place of the topic's message before it; 0 for the first.
    pub prev: i64,
    /// The key's version that it brings.
    pub version: i64,
    /// Its link of the producer's hash chain, in hexadecimal.
    #[serde(borrow)]
    pub hash: Cow<'a, str>,
    /// The body.
    #[serde(borrow)]
    pub data: &'a RawValue,
}

/// A run of the producer's log, filtered by topics: what is not in it, up to `upto`, is not of these topics.
#[derive(Debug, Deserialize)]
pub struct Batch<'a> {
    /// The producer's epoch.
    pub epoch: i32,
    /// The batch begins behind this position.
    pub after: i64,
    /// The batch covers everything up to this position, and no transaction spans it.
    pub upto: i64,
    /// The messages, in order.
    #[serde(borrow)]
    pub messages: Vec<Message<'a>>,
}

impl Message<'_> {
    /// Whether the row it is about was deleted.
    #[must_use]
    pub fn is_deletion(&self) -> bool {
        self.kind.ends_with(".deleted")
    }
}

/// A message that a handler was given.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Received {
    /// Who sent it.
    pub producer: String,
    /// Its id.
    pub id: String,
    /// What happened or what is asked: `user.users.deleted`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The family it belongs to.
    pub topic: String,
    /// The key of what it is about.
    pub subject: String,
    /// When, by the producer's clock; orders nothing.
    pub time: String,
    /// The trace it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Its place in the producer's log.
    pub position: i64,
    /// The key's version that it brings.
    pub version: i64,
    /// The body.
    pub data: Box<RawValue>,
}

impl Received {
    /// The message as it came from `producer`.
    pub(crate) fn of(producer: &str, message: &Message<'_>) -> Self {
        Self {
            producer: producer.to_owned(),
            id: message.id.clone().into_owned(),
            kind: message.kind.clone().into_owned(),
            topic: message.topic.clone().into_owned(),
            subject: message.subject.clone().into_owned(),
            time: message.time.clone().into_owned(),
            traceparent: message.traceparent.clone().map(Cow::into_owned),
            position: message.position,
            version: message.version,
            data: message.data.to_owned(),
        }
    }
}
