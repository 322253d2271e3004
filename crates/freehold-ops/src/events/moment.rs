//! A time as a database told it, for sorting and for reading.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

/// Microseconds since 1970 in UTC: what PostgreSQL's `timestamptz` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

impl Moment {
    /// Seconds from `earlier` until this; negative if it is the later one.
    #[must_use]
    pub fn since(self, earlier: Self) -> f64 {
        (self.0 - earlier.0) as f64 / MICROS_PER_SECOND as f64
    }

    fn parts(self) -> (i64, i64, i64, i64, i64) {
        let seconds = self.0.div_euclid(MICROS_PER_SECOND);
        let (year, month, day) = civil(seconds.div_euclid(SECONDS_PER_DAY));
        (
            year,
            month,
            day,
            seconds.rem_euclid(SECONDS_PER_DAY),
            self.0.rem_euclid(MICROS_PER_SECOND),
        )
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let micros = |d: std::time::Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => micros(after),
            Err(before) => -micros(before.duration()),
        })
    }
}

/// For people: `2026-01-02 03:04:05.678Z`.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, second, micro) = self.parts();
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let milli = micro / 1000;
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03}Z"
        )
    }
}

/// For programs: RFC 3339 with microseconds.
impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (year, month, day, second, micro) = self.parts();
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        serializer.collect_str(&format_args!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}Z"
        ))
    }
}

/// The date of a day counted from 1970-01-01, in the Gregorian calendar (H. Hinnant, `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_its_date_and_time() {
        for (micros, text) in [
            (0, "1970-01-01 00:00:00.000Z"),
            (951_782_400_000_000, "2000-02-29 00:00:00.000Z"),
            (1_767_323_045_678_901, "2026-01-02 03:04:05.678Z"),
            (4_107_542_399_999_999, "2100-02-28 23:59:59.999Z"),
            (-1, "1969-12-31 23:59:59.999Z"),
        ] {
            assert_eq!(Moment(micros).to_string(), text);
        }
    }

    #[test]
    fn a_program_is_told_the_microseconds() {
        let told = serde_json::to_string(&Moment(1_767_323_045_678_901)).expect("a moment is text");
        assert_eq!(told, "\"2026-01-02T03:04:05.678901Z\"");
    }
}
