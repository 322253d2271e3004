//! What carries messages between services. A transport knows no table, and the entity API knows no transport.
//!
//! The feed is the one there is: the subscriber reads the producer's log over HTTP ([`feed`] serves it,
//! [`reader`] reads it), a new copy begins from a snapshot of the owner's rows ([`snapshot`]), and a reader that must not miss a
//! write asks where in the log it is (`position`).

pub mod feed;
pub(crate) mod position;
pub mod reader;
pub mod snapshot;
