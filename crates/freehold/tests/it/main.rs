//! The library against a real PostgreSQL.

mod behaviour;
mod copies;
mod entity;
mod entity_catalog;
mod entity_change;
mod entity_fuzz;
mod entity_hidden;
mod entity_read;
mod entity_refuse;
mod entity_settle;
mod entity_write;
mod fixture;
mod install;
#[cfg(feature = "testing")]
mod matrix;
mod sequencer;
