//! Power.

pub mod migrate;
pub mod postgres;
