//! Power: all that sees more than one database, and the `freehold` command.
//!
//! [`folder`] reads a system; [`ground`] turns its manifest into servers, databases and installed services by way of
//! [`postgres`], [`secrets`], [`provision`] and [`migrate`]; [`isolation`] attacks the result, [`crash`] breaks it at work,
//! [`history`] looks for alterations of what must not change;
//! [`supervise`] runs it, each service as its [`program`] if it has one; [`events`], [`sagas`] and [`projections`] look into what runs;
//! [`cli`] prints.

// What there is
pub mod contracts;
pub mod docs;
pub mod folder;
pub mod ground;

// What it stands on
pub mod migrate;
pub mod postgres;
pub mod provision;
pub mod secrets;

// What proves and runs it
pub mod crash;
pub mod history;
pub mod isolation;
pub mod program;
pub mod supervise;

// What is looked into and helped on
pub mod events;
pub mod projections;
pub mod sagas;

// What people see
pub mod cli;
