//! The embedded server: a private PostgreSQL per folder, run from the binaries the machine has.
//!
//! A [`Server`] lives in a state folder (`<system>/.freehold/`, or a folder below it per service) and keeps its data
//! between runs. It can be entered over a unix socket and over 127.0.0.1, with SCRAM passwords only, and only by the
//! roles that [`Server::set_access`] lets in. Nothing here is global: as many servers as folders.
//!
//! What survives what: a crash of ours leaves PostgreSQL running, and the next [`Server::start`] adopts it; a crash
//! of PostgreSQL is recovered from its write-ahead log by the next start; a crash in the middle of creating the data
//! folder is repaired, because the folder gets its name only when it is finished.

// the words
mod access;
mod error;
mod settings;
// the machine
mod binaries;
mod files;
mod runner;
// the folder
mod cluster;
mod lock;
mod place;
mod postmaster;
// the server
mod launch;
mod server;

pub use access::AccessRule;
pub use binaries::{Binaries, MAJOR_MIN, Search};
pub use error::Error;
pub use lock::Lock;
pub use server::{Endpoint, Server, Stop};

/// The superuser of every private server. Only the operator's commands use it.
pub const ADMIN: &str = "freehold_admin";
