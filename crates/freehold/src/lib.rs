//! What one service links: it opens exactly one database.
//!
//! Read the modules in the order a write flows. A request arrives at [`entity`], which writes the service's own
//! tables; triggers that [`install`] wrote put a message into the outbox in the same transaction; the [`sequencer`]
//! gives it a position in the log; [`transport`] carries it to another service, where a [`subscription`] lets it take
//! effect: it keeps that service's copies true ([`replica`]), or is handled ([`handler`]) and moves a [`saga`] on.
//! What happens may also be kept as [`stream`]s, from which [`projection`]s are folded. [`service`] wires all of it.

// Ground floor
pub mod error;
pub mod message;
pub mod pg;
pub mod position;

// Set-up
pub mod install;
pub mod settings;

// Who is asking
mod access;

// Producer half
pub mod entity;
mod openapi;
pub mod sequencer;
pub mod transport;

// Consumer half
mod causal;
pub mod replica;
pub mod subscription;

// Behaviour
pub mod app;
mod due;
pub mod effect;
pub mod handler;
mod interfere;
mod parked;
mod plant;
pub mod projection;
mod route;
pub mod saga;
pub mod stream;
mod trace;
pub mod tx;

// Roof
pub mod health;
pub mod service;

// Proof
#[cfg(doctest)]
mod guide;
#[cfg(feature = "testing")]
pub mod testing;

pub use access::Subject;
pub use app::App;
pub use error::{Error, Result, refuse};
pub use handler::{Command, Event};
pub use position::Position;
pub use saga::{Answer, Call, Called, Saga, Started, Steps, call, invoke, local};
pub use service::Service;
pub use settings::Settings;
pub use stream::{Aggregate, ExpectedVersion, Folds, Loaded, NewEvent, RecordedEvent, StreamEvent, StreamId};
pub use tx::Tx;
