//! A third party that knows a repeated request by its key, as a payment provider does.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// What was asked for under a key: the order, and what.
static BOOKS: LazyLock<Mutex<HashMap<Uuid, (String, Entry)>>> = LazyLock::new(Mutex::default);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Deposit,
    Charge,
    /// A deposit that was given back.
    GivenBack,
}

fn books() -> MutexGuard<'static, HashMap<Uuid, (String, Entry)>> {
    BOOKS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(order: &str, entry: Entry) -> usize {
    books()
        .values()
        .filter(|(of, what)| of == order && *what == entry)
        .count()
}

pub(super) fn deposits(order: &str) -> usize {
    count(order, Entry::Deposit)
}

pub(super) fn charges(order: &str) -> usize {
    count(order, Entry::Charge)
}

pub(super) fn deposit(key: Uuid, order: &str) {
    books().entry(key).or_insert_with(|| (order.to_owned(), Entry::Deposit));
}

pub(super) fn charge(key: Uuid, order: &str) {
    books().entry(key).or_insert_with(|| (order.to_owned(), Entry::Charge));
}

/// Gives back what was deposited, if anything was.
pub(super) fn give_back(order: &str) {
    for (of, entry) in books().values_mut() {
        if of == order && *entry == Entry::Deposit {
            *entry = Entry::GivenBack;
        }
    }
}

pub(super) fn forget(order: &str) {
    books().retain(|_, (of, _)| of != order);
}
