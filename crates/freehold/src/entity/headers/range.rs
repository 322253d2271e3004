//! `Range: 0-24`: which rows of a list, beside `limit` and `offset`.

use axum::http::{HeaderMap, Method, StatusCode, header};
use freehold_manifest::model::Limits;

use crate::entity::problem::Problem;
use crate::entity::query::{Rows, check_offset};

/// The largest place PostgreSQL counts to.
const PLACE_MAX: u64 = i64::MAX as u64;

/// Which rows of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::entity) struct Window {
    /// Rows at most.
    pub(in crate::entity) limit: Option<u64>,
    /// Rows to leave out at the beginning.
    pub(in crate::entity) offset: u64,
}

/// The rows that `limit` and `offset` and the header `Range` of a GET have in common.
///
/// A range that is not understood, or in another unit than `items`, is ignored, as HTTP has it. `limit=0` wins over
/// every range.
///
/// # Errors
/// A 416 when there are none in common, a 400 when more rows are left out than the limit `offset` allows.
pub(in crate::entity) fn window(
    method: &Method,
    headers: &HeaderMap,
    rows: &Rows,
    limits: &Limits,
) -> Result<Window, Problem> {
    let asked = Window {
        limit: rows.limit,
        offset: rows.offset,
    };
    let Some((first, last)) = range(headers).filter(|_| method == Method::GET) else {
        return Ok(asked);
    };
    if last.is_some_and(|last| last < first) {
        return Err(none(
            "The lower boundary must be lower than or equal to the upper boundary in the Range header.",
        ));
    }
    if asked.limit == Some(0) {
        return Ok(asked);
    }
    let asked_last = asked.limit.map(|limit| asked.offset.saturating_add(limit - 1));
    let offset = first.max(asked.offset);
    let last = match (last, asked_last) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    if last.is_some_and(|last| last < offset) {
        return Err(none("The header Range and limit and offset have no row in common."));
    }
    check_offset(limits, offset)?;
    let limit = last.map(|last| (last - offset).saturating_add(1).min(PLACE_MAX));
    Ok(Window { limit, offset })
}

/// Reads the first and the last place; without a last one the range has no end.
fn range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    if headers.get("range-unit").is_some_and(|unit| unit != "items") {
        return None;
    }
    let (first, last) = headers.get(header::RANGE)?.to_str().ok()?.split_once('-')?;
    Some(match last {
        "" => (place(first)?, None),
        last => (place(first)?, Some(place(last)?)),
    })
}

/// Reads a place; one that is too large is the largest.
fn place(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(PLACE_MAX).min(PLACE_MAX))
}

fn none(details: &str) -> Problem {
    Problem::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "no-such-range",
        "PGRST103",
        "Requested range not satisfiable",
    )
    .with_details(details)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::headers::map;

    type Asked = (Option<u64>, u64);

    fn of(method: &Method, pairs: &[(&'static str, &'static str)], (limit, offset): Asked) -> Result<Asked, u16> {
        let rows = Rows {
            limit,
            offset,
            ..Rows::default()
        };
        window(method, &map(pairs), &rows, &Limits::default())
            .map(|w| (w.limit, w.offset))
            .map_err(|p| p.status().as_u16())
    }

    fn get(range: &'static str, asked: Asked) -> Result<Asked, u16> {
        of(&Method::GET, &[("range", range)], asked)
    }

    #[test]
    fn a_range_is_a_first_and_a_last_place() {
        let all = (None, 0);
        assert_eq!(get("0-24", all), Ok((Some(25), 0)));
        assert_eq!(get("10-10", all), Ok((Some(1), 10)));
        assert_eq!(get("5-", all), Ok((None, 5)));
        assert_eq!(get("0-", all), Ok((None, 0)));
        assert_eq!(get("0-99999999999999999999", all), Ok((Some(PLACE_MAX), 0)));
        let unit = [("range-unit", "items"), ("range", "1-2")];
        assert_eq!(of(&Method::GET, &unit, all), Ok((Some(2), 1)));
    }

    #[test]
    fn a_range_and_limit_and_offset_meet() {
        assert_eq!(get("0-24", (Some(10), 20)), Ok((Some(5), 20)));
        assert_eq!(get("5-24", (Some(10), 0)), Ok((Some(5), 5)));
        assert_eq!(get("5-", (Some(10), 0)), Ok((Some(5), 5)));
        assert_eq!(get("0-24", (None, 20)), Ok((Some(5), 20)));
        assert_eq!(get("0-24", (Some(5), 0)), Ok((Some(5), 0)));
        assert_eq!(get("0-24", (Some(u64::MAX), 1)), Ok((Some(24), 1)));
        assert_eq!(get("0-24", (Some(0), 7)), Ok((Some(0), 7)));
        assert_eq!(get("0-24", (Some(10), 25)), Err(416));
        assert_eq!(get("10-", (Some(10), 0)), Err(416));
    }

    #[test]
    fn what_is_no_range_of_items_is_ignored() {
        for range in [
            "",
            "-",
            "-5",
            "x-5",
            "1-x",
            "1",
            "+1-2",
            "1-+2",
            "bytes=0-5",
            "items=0-5",
            "0-4,6-9",
            " 0-4",
        ] {
            assert_eq!(get(range, (Some(3), 1)), Ok((Some(3), 1)), "{range}");
        }
        let bytes = [("range-unit", "bytes"), ("range", "1-2")];
        assert_eq!(of(&Method::GET, &bytes, (None, 0)), Ok((None, 0)));
        for method in [Method::HEAD, Method::POST, Method::PATCH, Method::DELETE] {
            assert_eq!(of(&method, &[("range", "5-2")], (None, 0)), Ok((None, 0)), "{method}");
        }
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_refused() {
        assert_eq!(get("5-2", (None, 0)), Err(416));
        assert_eq!(get("5-2", (Some(0), 0)), Err(416));
    }

    #[test]
    fn a_range_leaves_out_no_more_rows_than_an_offset_may() {
        assert_eq!(get("100000-", (None, 0)), Ok((None, 100_000)));
        assert_eq!(get("100001-", (None, 0)), Err(400));
        assert_eq!(get("99999999999999999999-", (None, 0)), Err(400));
    }
}
