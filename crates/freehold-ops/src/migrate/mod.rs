//! Migrations: plain SQL files, `<system>/<service>/migrations/0001_orders.sql`, versioned per service.
//!
//! A runner of our own, because the known ones wrap every file in a transaction (or none), wait for locks without a
//! limit, know one database, and say which file failed but not where. Here each file runs in one transaction together
//! with its row in `<freehold schema>.migration`, so a failing file leaves its service at the previous version; a
//! statement gives up its wait for a lock before it has queued everybody else behind it, and is tried again; and an
//! error shows the line. Each service is migrated by itself: one that fails does not hold up the others.
//!
//! A file whose first line is `-- freehold: no-transaction` runs statement by statement, for `create index
//! concurrently` and its like. There are no down migrations: to go back, write a new file.

// the files
mod create;
mod file;
mod plan;
mod split;
// the database
mod history;
mod session;
// the run
mod apply;
mod outlook;
mod preview;
mod run;
// what went wrong
mod error;
mod fault;

pub use apply::{Applied, Limits, Progress, Report, To, apply};
pub use create::create;
pub use error::Error;
pub use fault::{Fault, Kept, Spot};
pub use file::{File, Mode, Version};
pub use outlook::{Outlook, hearing, outlook};
pub use plan::plan;
pub use preview::{Preview, Row, State, dry_run, status};
pub use session::Target;
