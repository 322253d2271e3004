//! What carries messages between services. A transport knows no table, and the entity API knows no transport.
//!
//! The feed is the one there is: the subscriber reads the producer's log over HTTP ([`feed`] serves it,
//! [`reader`] reads it), and a new copy begins from a snapshot of the owner's rows ([`snapshot`]).

pub mod feed;
pub mod reader;
pub mod snapshot;
