//! Events as types: their names are constants, and old shapes are lifted when they are read.

use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// Something that happened to an aggregate: a serde type with constant names.
///
/// ```
/// use freehold::{Error, Result, StreamEvent};
/// use serde::{Deserialize, Serialize};
/// use serde_json::{Value, json};
///
/// #[derive(Serialize, Deserialize)]
/// struct Edited {
///     text: String,
///     by: Option<String>,
/// }
///
/// impl StreamEvent for Edited {
///     const STREAM: &'static str = "note";
///     const NAME: &'static str = "edited";
///     const SCHEMA: i32 = 2;
///
///     // The first shape was the text alone.
///     fn upcast(_schema: i32, body: Value) -> Result<Value> {
///         Ok(json!({ "text": body, "by": null }))
///     }
/// }
/// ```
pub trait StreamEvent: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stream it happens in, as in the manifest: `note`.
    const STREAM: &'static str;
    /// What happened, as in the manifest: `edited`.
    const NAME: &'static str;
    /// The version of its shape: raised when an event of old could not be read as this type.
    const SCHEMA: i32 = 1;

    /// Lifts a body of an older shape to this one. What is stored stays as it is.
    ///
    /// # Errors
    /// [`Error::Behaviour`] unless the type says how: an event that cannot be read must not be passed over.
    fn upcast(schema: i32, body: Value) -> Result<Value> {
        drop(body);
        Err(Error::Behaviour {
            problem: format!("{} of stream {} was stored in shape {schema}", Self::NAME, Self::STREAM),
            remedy: format!("write `upcast` for it: this release reads shape {}", Self::SCHEMA),
        })
    }
}

/// An event about to be appended.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub(super) stream: &'static str,
    pub(super) name: &'static str,
    pub(super) schema: i32,
    pub(super) body: String,
}

impl NewEvent {
    /// Writes the event down.
    ///
    /// # Errors
    /// [`Error::Body`] when serde cannot.
    pub fn of<E: StreamEvent>(event: &E) -> Result<Self> {
        Ok(Self {
            stream: E::STREAM,
            name: E::NAME,
            schema: E::SCHEMA,
            body: serde_json::to_string(event)?,
        })
    }
}

/// An event as it was appended.
#[derive(Debug, Clone)]
pub struct RecordedEvent {
    /// Its place among all events of the service; none where a stream is read by itself, for it may not have one yet.
    pub position: Option<i64>,
    /// The stream's name.
    pub stream: String,
    /// The aggregate's key.
    pub key: String,
    /// Its place in the stream, from 1.
    pub version: i64,
    /// What happened.
    pub name: String,
    /// The version of its shape.
    pub schema: i32,
    /// When, by the database's clock; orders nothing.
    pub at: SystemTime,
    /// Its body, as it was stored.
    pub body: Box<RawValue>,
}

impl RecordedEvent {
    /// The event as its type; none if it is another.
    ///
    /// # Errors
    /// [`Error::Body`] when the body is not what the type says; [`Error::Behaviour`] when it is of an older shape that cannot be
    /// lifted, or of a newer release's.
    pub fn read<E: StreamEvent>(&self) -> Result<Option<E>> {
        if self.stream != E::STREAM || self.name != E::NAME {
            return Ok(None);
        }
        if self.schema == E::SCHEMA {
            return Ok(Some(serde_json::from_str(self.body.get())?));
        }
        if self.schema > E::SCHEMA {
            return Err(Error::Behaviour {
                problem: format!(
                    "{} of stream {} was stored in shape {} by a newer release",
                    E::NAME,
                    E::STREAM,
                    self.schema
                ),
                remedy: format!("run that release: this one reads shape {}", E::SCHEMA),
            });
        }
        let lifted = E::upcast(self.schema, serde_json::from_str(self.body.get())?)?;
        Ok(Some(serde_json::from_value(lifted)?))
    }
}
