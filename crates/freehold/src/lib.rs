//! What one service links: it opens exactly one database.
//!
//! Read the modules in the order a write flows. A request arrives at [`entity`], which writes the service's own
//! tables; triggers that [`install`] wrote put a message into the outbox in the same transaction; the [`sequencer`]
//! gives it a position in the log; [`transport`] carries it to another service, where a [`subscription`] applies it
//! to that service's copies ([`replica`]) and moves its cursor in one transaction. [`service`] wires all of it.

// Ground floor
pub mod error;
pub mod message;
pub mod pg;

// Set-up
pub mod install;
pub mod settings;

// Producer half
pub mod entity;
pub mod sequencer;
pub mod transport;

// Consumer half
pub mod replica;
pub mod subscription;

// Roof
pub mod health;
pub mod service;

pub use error::Error;
pub use service::Service;
pub use settings::Settings;
