//! `[api.limits]`: what one request may ask for, each limit within bounds of its own.

use std::ops::RangeInclusive;

use super::fields::Fields;
use super::reader::Reader;
use crate::declared::At;
use crate::model::Limits;

/// One key of `[api.limits]`.
struct Bounded {
    key: &'static str,
    range: RangeInclusive<u64>,
    of: fn(&mut Limits) -> &mut u64,
}

/// Every limit with the values it can have: wide, to keep out what could only be a slip of the pen.
const BOUNDED: &[Bounded] = &[
    bounded("rows", 1..=1_000_000, |l| &mut l.rows),
    // The HTTP library reads no longer ones; a shorter one would refuse ordinary queries.
    bounded("url_bytes", 256..=65_534, |l| &mut l.url_bytes),
    // One value of PostgreSQL.
    bounded("body_bytes", 1..=(1 << 30) - 1, |l| &mut l.body_bytes),
    // Beyond it, readers of JSON begin to run out of stack.
    bounded("body_depth", 1..=256, |l| &mut l.body_depth),
    bounded("body_rows", 1..=1_000_000, |l| &mut l.body_rows),
    // Each relation is a join.
    bounded("embed_depth", 1..=16, |l| &mut l.embed_depth),
    bounded("embeds", 1..=100, |l| &mut l.embeds),
    bounded("filters", 1..=1_000, |l| &mut l.filters),
    bounded("filter_depth", 1..=64, |l| &mut l.filter_depth),
    bounded("in_values", 1..=100_000, |l| &mut l.in_values),
    // A pattern costs more than its length says.
    bounded("pattern_bytes", 0..=4_096, |l| &mut l.pattern_bytes),
    bounded("offset", 0..=1_000_000_000, |l| &mut l.offset),
    // A request that takes longer is a job.
    bounded("statement_ms", 1..=TEN_MINUTES_MS, |l| &mut l.statement_ms),
    bounded("wait_ms", 1..=TEN_MINUTES_MS, |l| &mut l.wait_ms),
    bounded("operations", 1..=10_000, |l| &mut l.operations),
    bounded("client_requests", 1..=100_000, |l| &mut l.client_requests),
    bounded("requests", 1..=100_000, |l| &mut l.requests),
    bounded("bodies_bytes", 1..=1 << 40, |l| &mut l.bodies_bytes),
];

const TEN_MINUTES_MS: u64 = 10 * 60 * 1_000;

const fn bounded(key: &'static str, range: RangeInclusive<u64>, of: fn(&mut Limits) -> &mut u64) -> Bounded {
    Bounded { key, range, of }
}

/// Reads `[api.limits]`; what is not said, or wrong, is as it is by default.
pub(super) fn limits(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Limits {
    let known: Vec<&str> = BOUNDED.iter().map(|bounded| bounded.key).collect();
    reader.only(fields, &known);
    let mut limits = Limits::default();
    let mut bodies: Option<At<u64>> = None;
    for bounded in BOUNDED {
        let Some(limit) = reader.whole(fields, bounded.key, bounded.range.clone()) else {
            continue;
        };
        *(bounded.of)(&mut limits) = limit.value;
        if matches!(bounded.key, "body_bytes" | "bodies_bytes") {
            bodies = Some(limit);
        }
    }
    if let Some(said) = bodies
        && limits.bodies_bytes < limits.body_bytes
    {
        let message = format!(
            "all bodies at once may have {} bytes, and one alone {}",
            limits.bodies_bytes, limits.body_bytes
        );
        let help = "let `bodies_bytes` be several times `body_bytes`".to_owned();
        reader.invalid(&said.span, message, "a large body could never be taken", Some(help));
    }
    limits
}
