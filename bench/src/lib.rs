//! The commands that the services of the saga bench exchange.

use serde::{Deserialize, Serialize};

/// Takes one piece of an item for a purchase.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reserve {
    /// For whom.
    pub purchase: String,
    /// Of what.
    pub item: i32,
}

/// Gives it back.
#[derive(Debug, Serialize, Deserialize)]
pub struct Release {
    /// For whom.
    pub purchase: String,
}

/// Something happened to a key.
#[derive(Debug, Serialize, Deserialize)]
pub struct Bought {
    /// In which round of the bench.
    pub round: i32,
    /// To whom.
    pub key: String,
    /// The how-manieth time.
    pub number: i32,
}

impl freehold::Event for Bought {
    const NAME: &'static str = "buyer.bought";
}

impl freehold::Command for Reserve {
    const NAME: &'static str = "store.reserve";
    type Reply = ();
}

impl freehold::Command for Release {
    const NAME: &'static str = "store.release";
    type Reply = ();
}
