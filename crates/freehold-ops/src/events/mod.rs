//! What the operator sees and does of messages: logs, who heard what, keys that are set aside.
//!
//! [`database`] enters the services' databases, each with credentials of its own; [`message`] is a row of a log, [`tail`]
//! reads the logs together, [`shown`] tells all of one message, [`parked`] lists the keys that are set aside, and
//! [`redrive`] and [`skip`] set them going again.

// Where it is read
pub mod database;
pub mod moment;

// What is read
pub mod message;
pub mod parked;
pub mod shown;
pub mod tail;

// What is done
pub mod redrive;
pub mod skip;

pub use database::{Database, Reached};
pub use message::Message;
pub use moment::Moment;
