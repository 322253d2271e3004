//! Money, exactly.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Digits before the decimal point that are read: any such number fits, whatever is summed up of it.
const DIGITS_MAX: usize = 12;

/// An amount of money in whole cents; as text, `"29.80"`.
///
/// Reading takes a text of digits with at most two decimals, and nothing else: no sign, no exponent, no JSON number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Amount(u64);

/// The text is no amount.
#[derive(Debug, thiserror::Error)]
#[error("an amount is a text like \"29.80\": digits with at most two decimals")]
pub struct NotAnAmount;

impl Amount {
    /// The most that one payment may be: 1,000,000.00. More is a mistake of the caller.
    pub const MAX: Self = Self(100_000_000);

    /// So many cents.
    #[must_use]
    pub const fn of_cents(cents: u64) -> Self {
        Self(cents)
    }

    /// In cents.
    #[must_use]
    pub const fn cents(self) -> u64 {
        self.0
    }

    /// The sum.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; nothing if the other is more.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl FromStr for Amount {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let (whole, part) = match text.split_once('.') {
            Some((whole, part)) if matches!(part.len(), 1 | 2) => (whole, part),
            Some(_) => return Err(NotAnAmount),
            None => (text, ""),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > DIGITS_MAX || !digits(whole) || !digits(part) {
            return Err(NotAnAmount);
        }
        format!("{whole}{part:0<2}").parse().map(Self).map_err(|_| NotAnAmount)
    }
}

impl TryFrom<String> for Amount {
    type Error = NotAnAmount;

    fn try_from(text: String) -> Result<Self, NotAnAmount> {
        text.parse()
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.to_string()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_and_shown_exactly() {
        for (text, cents) in [
            ("29.80", 2980),
            ("29.8", 2980),
            ("0", 0),
            ("0.01", 1),
            ("007", 700),
            ("1000000.00", Amount::MAX.cents()),
        ] {
            assert_eq!(text.parse::<Amount>().map(Amount::cents).ok(), Some(cents), "{text}");
        }
        assert_eq!(Amount::of_cents(5).to_string(), "0.05");
        assert_eq!(Amount::of_cents(2980).to_string(), "29.80");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            ".",
            ".5",
            "5.",
            "1.234",
            "-1",
            "+1",
            "1e3",
            " 1",
            "1,50",
            "NaN",
            "١",
            "1.-1",
            "9999999999999",
        ] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
    }
}
