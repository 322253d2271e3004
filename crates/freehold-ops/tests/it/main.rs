//! The integration tests of the operator's side, one binary.

mod isolation;
mod migrate;
mod postgres;
mod provision;
mod shop;
mod system;
