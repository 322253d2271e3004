//! Edits of a note as events, and the text that they add up to.

use freehold::{Aggregate, Folds, RecordedEvent, Result, StreamEvent, StreamId, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Bytes of a note's text: what a page shows and a request carries.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;

const STREAM: &str = "note";

/// The text was written as a whole.
#[derive(Debug, Serialize, Deserialize)]
pub struct Written {
    /// What it says from now on.
    pub text: String,
    /// Who wrote it.
    pub by: Uuid,
}

/// Something was added at the end.
#[derive(Debug, Serialize, Deserialize)]
pub struct Appended {
    /// What was added.
    pub text: String,
    /// Who added it.
    pub by: Uuid,
}

/// The note was deleted; the database says so, whoever deletes it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Removed {}

impl StreamEvent for Written {
    const STREAM: &'static str = STREAM;
    const NAME: &'static str = "written";
}

impl StreamEvent for Appended {
    const STREAM: &'static str = STREAM;
    const NAME: &'static str = "appended";
}

impl StreamEvent for Removed {
    const STREAM: &'static str = STREAM;
    const NAME: &'static str = "removed";
}

/// What a note says.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Text {
    /// The text.
    pub content: String,
}

impl Aggregate for Text {
    const STREAM: &'static str = STREAM;
    const SCHEMA: i32 = 1;

    fn folds() -> Folds<Self> {
        Folds::begin()
            .on(|text: &mut Self, written: Written| text.content = written.text)
            .on(|text: &mut Self, appended: Appended| text.content.push_str(&appended.text))
            .on(|text: &mut Self, _: Removed| text.content.clear())
    }
}

/// The stream of a note's edits.
#[must_use]
pub fn stream(note: Uuid) -> StreamId {
    StreamId::new(STREAM, note)
}

/// What a note said at a version; none if it has fewer edits.
///
/// # Errors
/// What PostgreSQL says.
pub async fn at(tx: &Tx, note: Uuid, version: i64) -> Result<Option<Text>> {
    let mut text = Text::default();
    if version == 0 {
        return Ok(Some(text));
    }
    let mut events = tx.events(&stream(note), 0);
    while let Some(batch) = events.next(tx).await? {
        for event in batch {
            fold(&mut text, &event)?;
            if event.version == version {
                return Ok(Some(text));
            }
        }
    }
    Ok(None)
}

fn fold(text: &mut Text, event: &RecordedEvent) -> Result<()> {
    if let Some(written) = event.read::<Written>()? {
        text.content = written.text;
    } else if let Some(appended) = event.read::<Appended>()? {
        text.content.push_str(&appended.text);
    } else if event.read::<Removed>()?.is_some() {
        text.content.clear();
    }
    Ok(())
}
