//! The service of the projection bench: the same fold in the database and here.

use std::collections::HashMap;

use freehold::{RecordedEvent, Result, Service, StreamEvent, Tx};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Edited {
    text: String,
}

impl StreamEvent for Edited {
    const STREAM: &'static str = "note";
    const NAME: &'static str = "edited";
}

async fn fold(events: Vec<RecordedEvent>, tx: &mut Tx) -> Result<()> {
    let mut notes: HashMap<&str, (i64, i64)> = HashMap::new();
    for event in &events {
        if let Some(edited) = event.read::<Edited>()? {
            let (edits, bytes) = notes.entry(&event.key).or_default();
            *edits += 1;
            *bytes += i64::try_from(edited.text.len()).unwrap_or(i64::MAX);
        }
    }
    let keys: Vec<&str> = notes.keys().copied().collect();
    let edits: Vec<i64> = notes.values().map(|(edits, _)| *edits).collect();
    let bytes: Vec<i64> = notes.values().map(|(_, bytes)| *bytes).collect();
    tx.execute(
        "insert into by_program as p (id, edits, bytes)
         select * from unnest($1::text[], $2::bigint[], $3::bigint[])
         on conflict (id) do update
         set edits = p.edits + excluded.edits,
             bytes = p.bytes + excluded.bytes",
        &[&keys, &edits, &bytes],
    )
    .await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    Service::open(include_str!("../../streams/notes/freehold.toml"))?
        .project("by_program", fold)
        .run()
        .await
}
