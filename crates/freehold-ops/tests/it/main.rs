//! The integration tests of the operator's side, one binary.

mod contracts;
mod crash;
mod docs;
mod history;
mod isolation;
mod locks;
mod migrate;
mod operator;
mod plan;
mod postgres;
mod program;
mod provision;
mod shop;
mod system;
