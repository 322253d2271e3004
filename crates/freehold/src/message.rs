//! The one value that crosses the wall: a CloudEvent with its place in the producer's log.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A message as the wire has it; its body stays the bytes PostgreSQL wrote.
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    /// What happened: `product.products.changed`.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
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
