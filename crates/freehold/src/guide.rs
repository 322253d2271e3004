//! The code of the guide and the README, compiled and run as it is read: `cargo test --doc`.

// A link in `pages`, so that the page's `include_str!("../freehold.toml")` finds a file: it is looked for from there.
#[doc = include_str!("guide/pages/behaviour.md")]
mod behaviour {}

#[doc = include_str!("../../../docs/guide/sagas.md")]
mod sagas {}

#[doc = include_str!("../../../docs/guide/event-sourcing.md")]
mod event_sourcing {}

#[doc = include_str!("../../../README.md")]
mod readme {}
