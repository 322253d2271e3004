//! The whole shop: three services, their databases and the payment provider, asked over HTTP like a customer would.
//!
//! [`shop`] starts and ends it; its programs must be built: `cargo build --workspace --bins`.

// Fixture
mod shop;

// Subjects
mod cancelling;
mod crowd;
mod matrix;
mod outage;
mod placing;
mod rehearsing;
