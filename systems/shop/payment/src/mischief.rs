//! What goes wrong on purpose, and for whom.
//!
//! Everything is decided from the seed and the idempotency key alone: a repeat with the same key meets the same world,
//! in this process and after a restart.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

/// The longest wait that may be asked for, in ms: ten minutes, longer than any client's patience.
const WAIT_MAX_MS: u64 = 600_000;

/// The most attempts that may be answered with an error: more would be an outage, not a fault.
const ATTEMPTS_MAX: u32 = 100;

/// What goes wrong, and how often. Rates are percent of idempotency keys; by default nothing goes wrong.
///
/// The modes `hang_before` to `error_after` exclude each other, so their rates add up to 100 at most. `decline` and the
/// webhook's rates are decided apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mischief {
    /// How many are [declined](Mode::Decline).
    pub decline: f64,
    /// How many [hang and nothing happens](Mode::HangBefore).
    pub hang_before: f64,
    /// How many [hang though the money was taken](Mode::HangAfter).
    pub hang_after: f64,
    /// How many are [answered late](Mode::Late).
    pub late: f64,
    /// How many are [in progress for a while](Mode::Pending).
    pub pending: f64,
    /// How many [fail and nothing happens](Mode::ErrorBefore).
    pub error_before: f64,
    /// How many [fail though the money was taken](Mode::ErrorAfter).
    pub error_after: f64,
    /// How many attempts of a key get the error, 1 to 100; counted since the process started.
    pub attempts: u32,
    /// How long a hanging request is held, in ms; then it is answered 504.
    pub hang_ms: u64,
    /// The longest delay of a late answer, and of a late webhook, in ms.
    pub late_ms: u64,
    /// How long a pending capture takes, in ms.
    pub pending_ms: u64,
    /// How many are told to the webhook at all, if there is one.
    pub webhook: f64,
    /// How many of those twice.
    pub webhook_twice: f64,
    /// How many of those late.
    pub webhook_late: f64,
    /// How many of those before the request is answered.
    pub webhook_first: f64,
    /// What happens to these orders, whatever the rates say.
    pub orders: BTreeMap<String, Mode>,
}

impl Default for Mischief {
    fn default() -> Self {
        Self {
            decline: 0.0,
            hang_before: 0.0,
            hang_after: 0.0,
            late: 0.0,
            pending: 0.0,
            error_before: 0.0,
            error_after: 0.0,
            attempts: 1,
            hang_ms: 30_000,
            late_ms: 2_000,
            pending_ms: 2_000,
            webhook: 100.0,
            webhook_twice: 0.0,
            webhook_late: 0.0,
            webhook_first: 0.0,
            orders: BTreeMap::new(),
        }
    }
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing does.
    None,
    /// The payment is declined, under this key for good. A refund is not.
    Decline,
    /// The first attempt is held until the client gives up; it never reached the books. The next one works.
    HangBefore,
    /// The attempt that takes the money is held until the client gives up. The next one gets the stored answer.
    HangAfter,
    /// The attempt that takes the money is answered late. A repeat meanwhile gets the stored answer.
    Late,
    /// The capture itself takes a while and goes on without the client. A repeat meanwhile gets 409.
    Pending,
    /// The first attempts get 500 or 503 and never reach the books.
    ErrorBefore,
    /// The first attempts get 500 or 503, though the first of them took the money.
    ErrorAfter,
}

impl Mode {
    /// What a method's name asks for: `declined-card`, `slow-card` (hangs after the capture) and `late-card`.
    #[must_use]
    pub fn of_method(method: &str) -> Option<Self> {
        match method {
            "declined-card" => Some(Self::Decline),
            "slow-card" => Some(Self::HangAfter),
            "late-card" => Some(Self::Late),
            _ => None,
        }
    }
}

/// The spec is not one, or asks for what cannot be.
#[derive(Debug, thiserror::Error)]
#[error("mischief: {0}")]
pub struct BadMischief(String);

impl FromStr for Mischief {
    type Err = BadMischief;

    /// Reads and checks a spec in JSON.
    fn from_str(text: &str) -> Result<Self, BadMischief> {
        // An array would be read too, member by member.
        if !text.trim_start().starts_with('{') {
            return Err(BadMischief("a spec is an object, like {\"decline\": 5}".into()));
        }
        let mischief: Self = serde_json::from_str(text).map_err(|error| BadMischief(error.to_string()))?;
        mischief.checked()
    }
}

impl Mischief {
    /// The same, if it is possible.
    ///
    /// # Errors
    ///
    /// A rate outside 0 to 100, rates of exclusive modes beyond 100 together, a wait or a number beyond its limit.
    pub fn checked(self) -> Result<Self, BadMischief> {
        let told = [self.webhook, self.webhook_twice, self.webhook_late, self.webhook_first];
        let rates = self.exclusive().map(|(_, rate)| rate);
        if [self.decline]
            .iter()
            .chain(&rates)
            .chain(&told)
            .any(|rate| !(0.0..=100.0).contains(rate))
        {
            return Err(BadMischief("a rate is a percentage, 0 to 100".into()));
        }
        if rates.iter().sum::<f64>() > 100.0 {
            return Err(BadMischief(
                "the rates of hang_before to error_after add up to more than 100".into(),
            ));
        }
        if [self.hang_ms, self.late_ms, self.pending_ms]
            .iter()
            .any(|&wait| wait > WAIT_MAX_MS)
        {
            return Err(BadMischief(format!("a wait is at most {WAIT_MAX_MS} ms")));
        }
        if !(1..=ATTEMPTS_MAX).contains(&self.attempts) {
            return Err(BadMischief(format!("attempts are 1 to {ATTEMPTS_MAX}")));
        }
        Ok(self)
    }

    fn exclusive(&self) -> [(Mode, f64); 6] {
        [
            (Mode::HangBefore, self.hang_before),
            (Mode::HangAfter, self.hang_after),
            (Mode::Late, self.late),
            (Mode::Pending, self.pending),
            (Mode::ErrorBefore, self.error_before),
            (Mode::ErrorAfter, self.error_after),
        ]
    }

    /// The world that this key meets. `name` tells the keys of payments from those of refunds.
    pub(crate) fn world(&self, seed: u64, name: &str, key: &str, order: &str, method: Option<&str>) -> World {
        let mut chance = fastrand::Rng::with_seed(hash(seed, &[name, key]));
        let mut percent = || chance.f64() * 100.0;
        // Always the same draws in the same order: another rate for one thing changes nothing about the others.
        let (decline, trouble, status, delay) = (percent(), percent(), percent(), percent());
        let (told, twice, late, first) = (percent(), percent(), percent(), percent());

        let part = |wait_ms: u64| Duration::from_millis(wait_ms).mul_f64(delay / 100.0);
        let whole = Duration::from_millis;
        let forced = self
            .orders
            .get(order)
            .copied()
            .or_else(|| method.and_then(Mode::of_method));
        let (mode, declined, answer_late) = match forced {
            Some(mode) => (mode, mode == Mode::Decline, whole(self.late_ms)),
            None => (self.drawn(trouble), decline < self.decline, part(self.late_ms)),
        };
        World {
            mode,
            declined,
            attempts: self.attempts,
            status: if status < 50.0 {
                StatusCode::INTERNAL_SERVER_ERROR
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            },
            hang: whole(self.hang_ms),
            late: answer_late,
            pending: whole(self.pending_ms),
            told: Telling {
                times: match (told < self.webhook, twice < self.webhook_twice) {
                    (false, _) => 0,
                    (true, false) => 1,
                    (true, true) => 2,
                },
                delay: if late < self.webhook_late {
                    part(self.late_ms)
                } else {
                    Duration::ZERO
                },
                first: first < self.webhook_first,
            },
        }
    }

    fn drawn(&self, mut percent: f64) -> Mode {
        for (mode, rate) in self.exclusive() {
            if percent < rate {
                return mode;
            }
            percent -= rate;
        }
        Mode::None
    }
}

/// What one key meets.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) mode: Mode,
    pub(crate) declined: bool,
    /// How many attempts get an error.
    pub(crate) attempts: u32,
    /// The error they get.
    pub(crate) status: StatusCode,
    pub(crate) hang: Duration,
    pub(crate) late: Duration,
    pub(crate) pending: Duration,
    pub(crate) told: Telling,
}

/// How the webhook hears of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Telling {
    pub(crate) times: u32,
    pub(crate) delay: Duration,
    /// Before the request is answered.
    pub(crate) first: bool,
}

/// FNV-1a, 64 bits, with the seed mixed in: the same on every machine and in every build.
fn hash(seed: u64, texts: &[&str]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325;
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    seed.to_le_bytes().into_iter().chain(bytes).fold(start, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modes(mischief: &Mischief, seed: u64) -> Vec<Mode> {
        let key = |n: u32| format!("key-{n}");
        (0..10_000)
            .map(|n| mischief.world(seed, "payment", &key(n), "order", None).mode)
            .collect()
    }

    #[test]
    fn the_same_seed_and_key_meet_the_same_world() {
        let mischief: Mischief = r#"{"hang_before": 20, "late": 30, "error_after": 10}"#.parse().expect("a spec");
        assert_eq!(modes(&mischief, 7), modes(&mischief, 7));
        assert_ne!(modes(&mischief, 7), modes(&mischief, 8));
    }

    #[test]
    fn rates_are_kept() {
        let mischief: Mischief = r#"{"hang_before": 20, "late": 30, "error_after": 0.5}"#
            .parse()
            .expect("a spec");
        let modes = modes(&mischief, 1);
        let share = |mode| modes.iter().filter(|&&m| m == mode).count();
        assert!(
            (1_850..2_150).contains(&share(Mode::HangBefore)),
            "{}",
            share(Mode::HangBefore)
        );
        assert!((2_830..3_170).contains(&share(Mode::Late)), "{}", share(Mode::Late));
        assert!(
            (20..90).contains(&share(Mode::ErrorAfter)),
            "{}",
            share(Mode::ErrorAfter)
        );
        assert_eq!(share(Mode::HangAfter), 0);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for spec in [
            r#"{"decline": 101}"#,
            r#"{"late": -1}"#,
            r#"{"late": 60, "hang_after": 60}"#,
            r#"{"hang_ms": 600001}"#,
            r#"{"attempts": 0}"#,
            r#"{"declines": 5}"#,
            r#"{"orders": {"a": "explode"}}"#,
            "[]",
            "",
        ] {
            assert!(spec.parse::<Mischief>().is_err(), "{spec}");
        }
    }
}
