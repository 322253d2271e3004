//! Accounts, sessions and tokens: what the auth service of a system links.
//!
//! The service owns the tables of [`MIGRATION`] in its own database, like any service; [`accounts`] adds to it the
//! [`routes`] that clients call and the background work behind them. Its program is a few lines:
//!
//! ```no_run
//! # async fn example(manifest: &str) -> freehold::Result<()> {
//! let settings = freehold_auth::Settings::from_env().map_err(freehold::Error::other)?;
//! let service = freehold::Service::open(manifest)?;
//! freehold_auth::accounts(service, settings).run().await
//! # }
//! ```
//!
//! Other services need nothing of this crate: they verify access tokens by the key set that this one publishes, and hear its
//! [`events`].

// Ground floor
mod audit;
pub mod error;
mod plant;
mod secret;
pub mod settings;
mod throttle;

// What comes in
mod client;
mod email;
mod password;
mod request;

// Who somebody is
mod hashing;
mod keys;
mod one_time;
mod session;
mod signed_in;

// What is said
pub mod events;
mod mail;

// Afterwards
mod asked;
mod sweep;

// Surface
pub mod routes;

pub use error::{Error, Result};
pub use settings::Settings;

use std::sync::Arc;

use axum::Extension;
use freehold::Service;
use tokio::sync::Notify;

/// The tables of accounts, to be taken as a migration of the service: copy it, and let a test compare the copy with it.
pub const MIGRATION: &str = include_str!("../migrations/0001_accounts.sql");

/// What routes and background work share.
pub(crate) struct Accounts {
    settings: Settings,
    hashing: hashing::Hashing,
    keys: keys::Keys,
    /// A request was written down.
    asked: Notify,
    /// A mail was written down.
    posted: Notify,
}

/// Adds accounts to a service.
///
/// Any number of instances may run. What they must agree on, such as how often somebody has guessed, is in the database.
#[must_use]
pub fn accounts(service: Service, settings: Settings) -> Service {
    let accounts = Arc::new(Accounts {
        hashing: hashing::Hashing::new(settings.hashes),
        keys: keys::Keys::new(&settings),
        asked: Notify::new(),
        posted: Notify::new(),
        settings,
    });
    let (keys, asked, mail) = (Arc::clone(&accounts), Arc::clone(&accounts), Arc::clone(&accounts));
    service
        .routes(routes::routes().layer(Extension(accounts)))
        .background("signing keys", move |app| keys::run(Arc::clone(&keys), app))
        .background("account requests", move |app| asked::run(Arc::clone(&asked), app))
        .background("mail", move |app| mail::run(Arc::clone(&mail), app))
        .background("sweeping of accounts", sweep::run)
}
