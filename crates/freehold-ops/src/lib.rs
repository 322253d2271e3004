//! Power: all that sees more than one database, and the `freehold` command.
//!
//! [`folder`] reads a system; [`ground`] turns its manifest into servers, databases and installed services by way of
//! [`postgres`], [`secrets`], [`provision`] and [`migrate`]; [`isolation`] attacks the result; [`supervise`] runs it;
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
pub mod isolation;
pub mod supervise;

// What people see
pub mod cli;
