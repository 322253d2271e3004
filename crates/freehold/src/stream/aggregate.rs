//! The state that a stream's events add up to, to decide with; and snapshots of it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ExpectedVersion, RecordedEvent, StreamEvent, StreamId};
use crate::error::{Error, Result};
use crate::tx::Tx;

/// The state of an aggregate, folded from its stream; `default` is the state before the first event.
///
/// ```
/// use freehold::{Aggregate, Folds};
/// # use freehold::StreamEvent;
/// use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # struct Edited { text: String }
/// # impl StreamEvent for Edited {
/// #     const STREAM: &'static str = "note";
/// #     const NAME: &'static str = "edited";
/// # }
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Note {
///     text: String,
///     edits: u32,
/// }
///
/// impl Aggregate for Note {
///     const STREAM: &'static str = "note";
///     const SCHEMA: i32 = 1;
///
///     fn folds() -> Folds<Self> {
///         Folds::begin().on(|note: &mut Self, edited: Edited| {
///             note.text = edited.text;
///             note.edits += 1;
///         })
///     }
/// }
/// ```
pub trait Aggregate: Serialize + DeserializeOwned + Default + Send + Sync + 'static {
    /// The stream it is folded from, as in the manifest.
    const STREAM: &'static str;
    /// The version of the state and of its folds: raised whenever the same events add up to something else. Snapshots of
    /// another version are not read.
    const SCHEMA: i32;

    /// What each event does to the state.
    fn folds() -> Folds<Self>;
}

type Fold<A> = Box<dyn Fn(&mut A, &RecordedEvent) -> Result<()> + Send + Sync>;

/// What each event does to a state.
pub struct Folds<A>(Vec<(&'static str, Fold<A>)>);

impl<A: 'static> Folds<A> {
    /// No folds yet.
    #[must_use]
    pub const fn begin() -> Self {
        Self(Vec::new())
    }

    /// What this event does.
    #[must_use]
    pub fn on<E: StreamEvent>(mut self, fold: impl Fn(&mut A, E) + Send + Sync + 'static) -> Self {
        self.0.push((
            E::NAME,
            Box::new(move |state, recorded| {
                if let Some(event) = recorded.read::<E>()? {
                    fold(state, event);
                }
                Ok(())
            }),
        ));
        self
    }

    /// This event does nothing. One that is not named at all is an error: it would be forgotten without a word.
    #[must_use]
    pub fn ignore<E: StreamEvent>(mut self) -> Self {
        self.0.push((E::NAME, Box::new(|_, _| Ok(()))));
        self
    }

    fn apply(&self, state: &mut A, event: &RecordedEvent) -> Result<()> {
        let Some((_, fold)) = self.0.iter().find(|(name, _)| *name == event.name) else {
            return Err(Error::Behaviour {
                problem: format!("nothing says what {} does to a {}", event.name, event.stream),
                remedy: "name it in `folds`, with `on` or `ignore`".to_owned(),
            });
        };
        fold(state, event)
    }
}

impl<A> std::fmt::Debug for Folds<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// A state and the version it is true at.
#[derive(Debug)]
pub struct Loaded<A> {
    /// The stream.
    pub id: StreamId,
    /// The state.
    pub state: A,
    /// The version of the last event in it; 0 where there is no stream.
    pub version: i64,
    /// Events that were read for it, besides a snapshot: when they are many, it is time for the next one.
    pub read: u64,
}

impl<A> Loaded<A> {
    /// What an append expects that rests on this state.
    #[must_use]
    pub const fn expected(&self) -> ExpectedVersion {
        match self.version {
            0 => ExpectedVersion::NoStream,
            version => ExpectedVersion::Exact(version),
        }
    }
}

impl Tx {
    /// Folds a stream into its state, from the snapshot on if there is one of this schema. Holds one batch of events at a time.
    ///
    /// Another transaction may append meanwhile: what is decided is safe if it is appended with
    /// [`expected`](Loaded::expected).
    ///
    /// # Errors
    /// [`Error::Behaviour`] for an event that no fold names or that cannot be read, [`Error::Postgres`].
    pub async fn load<A: Aggregate>(&self, key: impl std::fmt::Display) -> Result<Loaded<A>> {
        let id = StreamId::new(A::STREAM, key);
        let mut loaded = match self.snapshot_of::<A>(&id).await? {
            Some((state, version)) => Loaded {
                id,
                state,
                version,
                read: 0,
            },
            None => Loaded {
                id,
                state: A::default(),
                version: 0,
                read: 0,
            },
        };
        let folds = A::folds();
        let mut events = self.events(&loaded.id, loaded.version);
        while let Some(batch) = events.next(self).await? {
            for event in &batch {
                folds.apply(&mut loaded.state, event)?;
                loaded.version = event.version;
                loaded.read += 1;
            }
        }
        Ok(loaded)
    }

    async fn snapshot_of<A: Aggregate>(&self, id: &StreamId) -> Result<Option<(A, i64)>> {
        // Another schema's is as good as none.
        let sql = self.place(
            "select s.state::text, s.version
             from freehold.stream_snapshot s
             where (s.stream, s.key, s.schema) = ($1, $2, $3)",
        );
        let row = self.query_opt(&sql, &[&id.stream(), &id.key(), &A::SCHEMA]).await?;
        let Some(row) = row else {
            return Ok(None);
        };
        Ok(Some((serde_json::from_str(row.get(0))?, row.get(1))))
    }

    /// Keeps a loaded state, so that the next [`load`](Tx::load) begins there. A newer one of the same schema stays.
    ///
    /// # Errors
    /// [`Error::Body`] when serde cannot write the state; [`Error::Postgres`].
    pub async fn save_snapshot<A: Aggregate>(&mut self, loaded: &Loaded<A>) -> Result<()> {
        let sql = self.place(
            "insert into freehold.stream_snapshot as s (stream, key, schema, version, state)
             values ($1, $2, $3, $4, $5::text::json)
             on conflict (stream, key) do update
             set schema = excluded.schema,
                 version = excluded.version,
                 state = excluded.state
             where s.schema <> excluded.schema or s.version < excluded.version",
        );
        let state = serde_json::to_string(&loaded.state)?;
        let (stream, key) = (loaded.id.stream(), loaded.id.key());
        self.execute(&sql, &[&stream, &key, &A::SCHEMA, &loaded.version, &state])
            .await?;
        Ok(())
    }
}
