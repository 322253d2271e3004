//! What the order service does besides serving its tables: it places orders and cancels them, each as a saga over three
//! databases and a payment provider.
//!
//! [`routes`] takes a [`request`] and starts [`place`] or [`cancel`]; both ask the product service by the commands of
//! [`stock`], the provider by [`payment`], and tell everybody by the facts of [`events`].

// What comes in
pub mod request;
pub mod routes;

// What is done
pub mod cancel;
pub mod place;

// Whom it speaks to
pub mod events;
pub mod payment;
pub mod stock;

use freehold::{Result, Service};

/// The service, its settings read from the environment; `SHOP_PAYMENT_URL` says where the payment provider is.
///
/// Without that one it starts too: orders are taken, and wait where they would be paid.
///
/// # Errors
/// [`freehold::Error::Setting`] names a variable that is missing.
pub fn service() -> Result<Service> {
    Ok(behaving(Service::open(include_str!("../freehold.toml"))?))
}

/// Adds to a service what this one does.
#[must_use]
pub fn behaving(service: Service) -> Service {
    service
        .saga::<place::PlaceOrder>()
        .saga::<cancel::CancelOrder>()
        .routes(routes::routes())
}
