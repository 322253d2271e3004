//! What was taken and given back, by idempotency key.
//!
//! The books are memory; the journal is what they are rebuilt from. Whatever stands here is on disk.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::amount::Amount;

/// The one currency that is taken.
pub(crate) const CURRENCY: &str = "EUR";

/// What a client asks to be paid.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Charge {
    /// The client's name for what is paid.
    pub(crate) order: String,
    /// How much.
    pub(crate) amount: Amount,
    /// Always `EUR`.
    #[serde(default = "currency")]
    pub(crate) currency: String,
    /// The means of payment, like `card`; some names are [modes](crate::Mode::of_method).
    pub(crate) method: String,
}

fn currency() -> String {
    CURRENCY.to_owned()
}

/// What became of a charge. It never changes: what is given back is a [`Refund`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The money was taken. Set by the desk, once per key; a refund may follow.
    Captured,
    /// It was not, and with this key never will be. Set by the desk.
    Declined,
    /// The whole of a captured payment was given back; only a [`Refund`] has it.
    Refunded,
}

/// An answered charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The provider's name for it, never given twice.
    pub id: String,
    /// The client's idempotency key.
    pub key: String,
    /// The client's name for what is paid.
    pub order: String,
    /// How much was taken, or was asked for.
    pub amount: Amount,
    /// Always `EUR`.
    pub currency: String,
    /// The means of payment.
    pub method: String,
    /// Taken or declined.
    pub status: Status,
    /// Why it was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Payment {
    fn answers(&self, charge: &Charge) -> bool {
        self.order == charge.order
            && self.amount == charge.amount
            && self.currency == charge.currency
            && self.method == charge.method
    }
}

/// A payment given back, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The provider's name for it, never given twice.
    pub id: String,
    /// The client's idempotency key.
    pub key: String,
    /// The payment that was given back.
    pub payment: String,
    /// The order it had paid.
    pub order: String,
    /// All of the payment.
    pub amount: Amount,
    /// Always `EUR`.
    pub currency: String,
    /// Always [`Status::Refunded`].
    pub status: Status,
}

/// Sums over everything that ever happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Taken.
    pub captured: Amount,
    /// Given back.
    pub refunded: Amount,
    /// Taken and not given back.
    pub net: Amount,
    /// How many payments were captured.
    pub payments: u64,
    /// How many were given back.
    pub refunds: u64,
    /// How many were declined.
    pub declined: u64,
}

/// One line of the journal: one thing that happened, for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// A charge was captured or declined.
    Payment(Payment),
    /// A payment was given back.
    Refund(Refund),
}

/// What a request wants done under its key.
#[derive(Debug, Clone)]
pub(crate) enum Wish {
    /// Take money.
    Charge(Charge),
    /// Give the payment of this id back.
    Refund {
        /// [`Payment::id`].
        payment: String,
    },
}

/// Why the books say no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The key stands for something else.
    #[error("this idempotency key was used for another request; a new request needs a new key")]
    OtherRequest,
    /// The first request with this key, or another refund of the payment, is not answered yet.
    #[error("a request with this idempotency key, or about this payment, is in progress; repeat it later")]
    InProgress,
    /// No payment has this id.
    #[error("there is no payment {0}")]
    NoSuchPayment(String),
    /// A declined payment cannot be given back.
    #[error("payment {0} was declined: there is nothing to give back")]
    NotCaptured(String),
    /// It was given back under another key.
    #[error("payment {0} was given back already, under another idempotency key")]
    AlreadyRefunded(String),
}

/// Which keys are spoken for. Payments and refunds have keys of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Claim {
    Charge,
    Refund,
    RefundOf,
}

/// All that happened, and what is happening.
#[derive(Debug, Default)]
pub(crate) struct Books {
    payments: Vec<Payment>,
    refunds: Vec<Refund>,
    totals: Totals,
    payment_by_key: HashMap<String, usize>,
    payment_by_id: HashMap<String, usize>,
    refund_by_key: HashMap<String, usize>,
    refund_by_payment: HashMap<String, usize>,
    claims: HashSet<(Claim, String)>,
}

impl Books {
    /// What the key stands for already, if anything.
    ///
    /// # Errors
    ///
    /// The wish cannot be met, now or ever: every [`Refusal`] but [`Refusal::InProgress`].
    pub(crate) fn find(&self, key: &str, wish: &Wish) -> Result<Option<Entry>, Refusal> {
        match wish {
            Wish::Charge(charge) => match self.payment_by_key(key) {
                Some(payment) if payment.answers(charge) => Ok(Some(Entry::Payment(payment.clone()))),
                Some(_) => Err(Refusal::OtherRequest),
                None => Ok(None),
            },
            Wish::Refund { payment: id } => {
                if let Some(&at) = self.refund_by_key.get(key) {
                    return match &self.refunds[at] {
                        refund if refund.payment == *id => Ok(Some(Entry::Refund(refund.clone()))),
                        _ => Err(Refusal::OtherRequest),
                    };
                }
                let payment = self.payment(id).ok_or_else(|| Refusal::NoSuchPayment(id.clone()))?;
                if payment.status != Status::Captured {
                    return Err(Refusal::NotCaptured(id.clone()));
                }
                match self.refund_by_payment.contains_key(id) {
                    true => Err(Refusal::AlreadyRefunded(id.clone())),
                    false => Ok(None),
                }
            }
        }
    }

    /// Finds what the key stands for, or reserves it for the caller until [`Books::release`].
    ///
    /// # Errors
    ///
    /// As [`Books::find`], and [`Refusal::InProgress`] if the key, or the payment to be given back, is reserved.
    pub(crate) fn claim(&mut self, key: &str, wish: &Wish) -> Result<Option<Entry>, Refusal> {
        if let Some(entry) = self.find(key, wish)? {
            return Ok(Some(entry));
        }
        let claims = claims(key, wish);
        if claims.iter().any(|claim| self.claims.contains(claim)) {
            return Err(Refusal::InProgress);
        }
        self.claims.extend(claims);
        Ok(None)
    }

    /// Gives up what [`Books::claim`] reserved.
    pub(crate) fn release(&mut self, key: &str, wish: &Wish) {
        for claim in claims(key, wish) {
            self.claims.remove(&claim);
        }
    }

    /// Enters what is on disk. False, and nothing is entered, if its key or its payment has an entry already.
    pub(crate) fn enter(&mut self, entry: Entry) -> bool {
        match entry {
            Entry::Payment(payment) => self.enter_payment(payment),
            Entry::Refund(refund) => self.enter_refund(refund),
        }
    }

    fn enter_payment(&mut self, payment: Payment) -> bool {
        if self.payment_by_key.contains_key(&payment.key) || self.payment_by_id.contains_key(&payment.id) {
            return false;
        }
        match payment.status {
            Status::Captured => {
                self.totals.payments += 1;
                self.totals.captured = self.totals.captured.plus(payment.amount);
                self.totals.net = self.totals.net.plus(payment.amount);
            }
            _ => self.totals.declined += 1,
        }
        let at = self.payments.len();
        self.payment_by_key.insert(payment.key.clone(), at);
        self.payment_by_id.insert(payment.id.clone(), at);
        self.payments.push(payment);
        true
    }

    fn enter_refund(&mut self, refund: Refund) -> bool {
        if self.refund_by_key.contains_key(&refund.key) || self.refund_by_payment.contains_key(&refund.payment) {
            return false;
        }
        self.totals.refunds += 1;
        self.totals.refunded = self.totals.refunded.plus(refund.amount);
        self.totals.net = self.totals.net.minus(refund.amount);
        let at = self.refunds.len();
        self.refund_by_key.insert(refund.key.clone(), at);
        self.refund_by_payment.insert(refund.payment.clone(), at);
        self.refunds.push(refund);
        true
    }

    /// The payment of this id.
    pub(crate) fn payment(&self, id: &str) -> Option<&Payment> {
        self.payment_by_id.get(id).map(|&at| &self.payments[at])
    }

    /// The payment that was made under this key.
    pub(crate) fn payment_by_key(&self, key: &str) -> Option<&Payment> {
        self.payment_by_key.get(key).map(|&at| &self.payments[at])
    }

    /// All payments, declined ones too, in the order in which they happened.
    pub(crate) fn payments(&self) -> &[Payment] {
        &self.payments
    }

    /// The payments of one order; more than one was captured if its keys were not kept.
    pub(crate) fn payments_of(&self, order: &str) -> Vec<Payment> {
        let payments = self.payments.iter();
        payments.filter(|payment| payment.order == order).cloned().collect()
    }

    /// All refunds, in the order in which they happened.
    pub(crate) fn refunds(&self) -> &[Refund] {
        &self.refunds
    }

    /// The sums.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }
}

fn claims(key: &str, wish: &Wish) -> Vec<(Claim, String)> {
    match wish {
        Wish::Charge(_) => vec![(Claim::Charge, key.to_owned())],
        // One refund per payment: two keys must not both find it free.
        Wish::Refund { payment } => vec![(Claim::Refund, key.to_owned()), (Claim::RefundOf, payment.clone())],
    }
}
