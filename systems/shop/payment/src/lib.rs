//! A card processor for the shop to be tested against: it takes money, exactly once per idempotency key, and answers
//! as badly as it is told to.
//!
//! It stands for a third party. It has its own state, speaks HTTP, and shares no code with the services that call it.
//! [`Provider::start`] runs it inside a test; the program `shop-payment` runs it as a process.
//!
//! A request comes in by `api`. `desk` lets it meet the `mischief` of its key, settles it against the `books` and has
//! it on disk in the `journal` before it is answered; `webhook` tells it a second time.

// What it counts
mod amount;
mod books;

// What lasts
mod journal;

// What goes wrong on purpose
mod mischief;
mod webhook;

// What answers
mod api;
mod desk;
mod problem;

// What runs it
mod provider;

pub use amount::{Amount, NotAnAmount};
pub use books::{Payment, Refund, Status, Totals};
pub use mischief::{BadMischief, Mischief, Mode};
pub use provider::{Error, Options, Provider};

/// The page for people; its example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
