//! The whole notes system: three services and their databases, asked over HTTP as its users would.
//!
//! [`system`] starts and ends it; its programs must be built: `cargo build --workspace --bins`.

// Fixture
mod people;
mod system;

// Subjects
mod edits;
mod life;
mod sharing;
mod trespass;
