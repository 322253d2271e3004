//! Power: all that sees more than one database, and the `freehold` command.
//!
//! [`folder`] reads a system; [`ground`] turns its manifest into servers, databases and installed services by way of
//! [`postgres`], [`secrets`], [`provision`] and [`migrate`]; [`isolation`] attacks the result, [`crash`] breaks it at work;
//! [`supervise`] runs it, each service as its [`program`] if it has one; [`events`] and [`sagas`] look into what runs;
//! [`cli`] prints.

// What there is
pub mod folder;
pub mod ground;

// What it stands on
pub mod migrate;
pub mod postgres;
pub mod provision;
pub mod secrets;

// What proves and runs it
pub mod crash;
pub mod isolation;
pub mod program;
pub mod supervise;

// What is looked into and helped on
pub mod events;
pub mod sagas;

// What people see
pub mod cli;
