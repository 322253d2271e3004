//! Isolation, attacked: every service tries, with its own credentials, to reach what is not its own.
//!
//! [`verify()`] runs each attack of each ordered pair of services, and of each service on itself, and gives a [`Matrix`]:
//! what was refused, by which SQLSTATE, and what succeeded. An attack that fails for a reason nobody expects counts as
//! inconclusive, never as refused. Each attack runs in a transaction that is rolled back, or cleans up after itself.
//! With feature `plant`, module `plant` opens a wall on purpose: the same attacks must then find it.

// the words
mod attack;
mod error;
mod matrix;
mod remainder;
// the field
mod scene;
mod territory;
// the attacks
mod attacks;
// running them
mod replication;
mod trial;
mod verify;
// the test of the test
#[cfg(feature = "plant")]
pub mod plant;

pub use attack::{Actor, Attack, Target};
pub use attacks::all as attacks;
pub use error::Error;
pub use matrix::{Matrix, Outcome, Trial};
pub use remainder::Remainder;
pub use verify::verify;
