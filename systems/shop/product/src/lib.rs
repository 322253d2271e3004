//! What the product service does besides serving its tables: it promises stock to orders, and keeps the promise or takes
//! it back.
//!
//! [`stock`] is all of it: three commands of an order's saga, and the news that an order is confirmed, which no saga
//! sends: whoever confirms an order says so, and this service sells what it had promised.

pub mod sales;
pub mod stock;

use freehold::{Result, Service};

/// The service, its settings read from the environment.
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
        .obey(stock::reserve_stock)
        .obey(stock::release_stock)
        .obey(stock::return_stock)
        .on(stock::order_confirmed)
        .on(sales::order_cancelled)
}
