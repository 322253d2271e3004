//! The library against a real PostgreSQL.

mod access;
mod behaviour;
mod catalog_functions;
mod causal;
mod copies;
mod entity;
mod entity_catalog;
mod entity_change;
mod entity_embed;
mod entity_fuzz;
mod entity_headers;
mod entity_hidden;
mod entity_hostile;
mod entity_idempotency;
mod entity_paging;
mod entity_property;
mod entity_read;
mod entity_refuse;
mod entity_rpc;
mod entity_settle;
mod entity_transaction;
mod entity_write;
mod fixture;
mod history;
mod install;
mod load;
#[cfg(feature = "testing")]
mod matrix;
mod sequencer;
mod streams;
