//! What the operator sees and does of sagas: which there are, the story of one over all services, and the three ways to
//! help one that is stuck.

// What there is
pub mod list;

// The story of one
mod correspondence;
pub mod story;

// What is done
pub mod act;

pub use list::Saga;
