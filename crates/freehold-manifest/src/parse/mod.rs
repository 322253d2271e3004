//! TOML in; a declaration out, and a finding for everything that could not be read.

mod api;
mod behaviour;
mod contract;
mod fields;
mod limits;
mod names;
mod origins;
mod reader;
mod service;
mod streams;
mod system;

pub(crate) use contract::contracts;
pub(crate) use names::is_identifier;
pub(crate) use service::{absent_service, service, service_name};
pub(crate) use system::system;
