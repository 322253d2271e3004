//! The integration tests of the operator's side, one binary.

mod crash;
mod isolation;
mod migrate;
mod operator;
mod postgres;
mod program;
mod provision;
mod shop;
mod system;
