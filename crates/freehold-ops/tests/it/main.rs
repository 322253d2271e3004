//! The integration tests of the operator's side, one binary.

mod migrate;
mod postgres;
