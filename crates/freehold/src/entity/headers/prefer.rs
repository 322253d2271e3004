//! `Prefer` (RFC 7240), with the preferences of PostgREST.

use axum::http::{HeaderMap, HeaderValue, StatusCode};

use crate::entity::problem::Problem;

/// Bytes of a time zone's name; the longest that is known has 32.
const TIMEZONE_BYTES_MAX: usize = 64;
/// Unknown preferences that a refusal repeats.
const REPEATED_MAX: usize = 8;

/// The preferences of a request that it carries out; others are as if they had not been said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::entity) struct Preferences {
    /// `return`
    pub(in crate::entity) answer: Return,
    /// `count`; none means that rows are not counted.
    pub(in crate::entity) count: Option<Count>,
    /// `resolution`; none means that a row that is there already is a conflict.
    pub(in crate::entity) resolution: Option<Resolution>,
    /// `missing`
    pub(in crate::entity) missing: Missing,
    /// `tx`; none means that what was changed stays.
    pub(in crate::entity) tx: Option<Tx>,
    /// `timezone`: the name has the form of a time zone's; whether it is one, the server knows.
    pub(in crate::entity) timezone: Option<String>,
    /// `max-affected`, which counts under `handling=strict` only.
    pub(in crate::entity) max_affected: Option<u64>,
    applied: Option<HeaderValue>,
}

/// What a write answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::entity) enum Return {
    /// Nothing but the status.
    Minimal,
    /// Nothing but the headers.
    HeadersOnly,
    /// The rows as they are now.
    Representation,
}

/// How all rows that fit are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::entity) enum Count {
    /// One by one.
    Exact,
    /// As the planner guesses.
    Planned,
    /// One by one where they are few, as the planner guesses where they are many.
    Estimated,
}

/// What becomes of a row that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::entity) enum Resolution {
    /// It is changed.
    MergeDuplicates,
    /// It stays.
    IgnoreDuplicates,
}

/// What a column gets that is listed and not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::entity) enum Missing {
    /// Its default.
    Default,
    /// Null.
    Null,
}

/// How the transaction ends when all went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::entity) enum Tx {
    /// What was changed stays.
    Commit,
    /// Nothing stays: the request was a trial.
    Rollback,
}

/// A preference's name, in the order in which `Preference-Applied` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::entity) enum Preference {
    Resolution,
    Missing,
    Return,
    Count,
    Tx,
    Handling,
    Timezone,
    MaxAffected,
}

/// What a read carries out.
pub(in crate::entity) const READ: &[Preference] = &[Preference::Count, Preference::Handling, Preference::Timezone];
/// What a POST of rows carries out.
pub(in crate::entity) const INSERT: &[Preference] = &[
    Preference::Resolution,
    Preference::Missing,
    Preference::Return,
    Preference::Count,
    Preference::Handling,
    Preference::Tx,
    Preference::Timezone,
];
/// What a PATCH or DELETE carries out.
pub(in crate::entity) const CHANGE: &[Preference] = &[
    Preference::Return,
    Preference::Count,
    Preference::Handling,
    Preference::Tx,
    Preference::Timezone,
    Preference::MaxAffected,
];
/// What a PUT carries out.
pub(in crate::entity) const PUT: &[Preference] = &[
    Preference::Return,
    Preference::Handling,
    Preference::Tx,
    Preference::Timezone,
];
/// What the call of a function carries out.
pub(in crate::entity) const CALL: &[Preference] = &[
    Preference::Count,
    Preference::Handling,
    Preference::Tx,
    Preference::Timezone,
    Preference::MaxAffected,
];
/// What stands for a whole request, whatever it carries out.
pub(in crate::entity) const WHOLE: &[Preference] = &[Preference::Tx, Preference::Handling, Preference::Timezone];

/// Reads every `Prefer` header; of each name the first that is understood counts.
///
/// What is not in `carried` is left out of the result. What is not known is ignored, unless `handling=strict` is said.
///
/// # Errors
/// A 400 with the list of what is not known, under `handling=strict`.
pub(in crate::entity) fn preferences(headers: &HeaderMap, carried: &[Preference]) -> Result<Preferences, Problem> {
    let mut said: Vec<(Preference, String)> = Vec::new();
    let mut unknown = Vec::new();
    let values = headers.get_all("prefer").iter();
    for item in values.flat_map(|value| value.as_bytes().split(|b| *b == b',')) {
        let item = String::from_utf8_lossy(item.trim_ascii());
        match understand(&item) {
            Some(name) if said.iter().any(|(known, _)| *known == name) => {}
            Some(name) => said.push((name, item.into_owned())),
            None if item.is_empty() => {}
            None => unknown.push(item.into_owned()),
        }
    }
    let strict = said.iter().any(|(_, text)| text == "handling=strict");
    if strict && !unknown.is_empty() {
        return Err(refuse(&unknown));
    }
    said.retain(|(name, _)| carried.contains(name) && (strict || *name != Preference::MaxAffected));
    said.sort();
    Ok(Preferences::of(&said))
}

/// Which preference this is; none if its name or its value is not known.
fn understand(item: &str) -> Option<Preference> {
    Some(match item {
        "resolution=merge-duplicates" | "resolution=ignore-duplicates" => Preference::Resolution,
        "missing=default" | "missing=null" => Preference::Missing,
        "return=minimal" | "return=headers-only" | "return=representation" => Preference::Return,
        "count=exact" | "count=planned" | "count=estimated" => Preference::Count,
        "tx=commit" | "tx=rollback" => Preference::Tx,
        "handling=strict" | "handling=lenient" => Preference::Handling,
        _ => match item.split_once('=')? {
            ("timezone", name) if is_timezone(name) => Preference::Timezone,
            ("max-affected", most) if parse_most(most).is_some() => Preference::MaxAffected,
            _ => return None,
        },
    })
}

fn is_timezone(name: &str) -> bool {
    let belongs = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-' | b'/');
    (1..=TIMEZONE_BYTES_MAX).contains(&name.len()) && name.bytes().all(belongs)
}

fn parse_most(digits: &str) -> Option<u64> {
    digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

fn refuse(unknown: &[String]) -> Problem {
    let mut list: Vec<&str> = unknown.iter().take(REPEATED_MAX).map(String::as_str).collect();
    if unknown.len() > REPEATED_MAX {
        list.push("…");
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad-preference",
        "PGRST122",
        "Invalid preferences given with handling=strict",
    )
    .with_details(format!("Invalid preferences: {}", list.join(", ")))
}

impl Preferences {
    /// What `Preference-Applied` says.
    pub(in crate::entity) fn applied(&self) -> Option<HeaderValue> {
        self.applied.clone()
    }

    fn of(said: &[(Preference, String)]) -> Self {
        let value = |name| {
            let (_, text) = said.iter().find(|(known, _)| *known == name)?;
            text.split_once('=').map(|(_, value)| value)
        };
        let texts: Vec<&str> = said.iter().map(|(_, text)| text.as_str()).collect();
        Self {
            answer: match value(Preference::Return) {
                Some("representation") => Return::Representation,
                Some("headers-only") => Return::HeadersOnly,
                _ => Return::Minimal,
            },
            count: value(Preference::Count).map(|count| match count {
                "exact" => Count::Exact,
                "planned" => Count::Planned,
                _ => Count::Estimated,
            }),
            resolution: value(Preference::Resolution).map(|resolution| match resolution {
                "merge-duplicates" => Resolution::MergeDuplicates,
                _ => Resolution::IgnoreDuplicates,
            }),
            missing: match value(Preference::Missing) {
                Some("default") => Missing::Default,
                _ => Missing::Null,
            },
            tx: value(Preference::Tx).map(|tx| match tx {
                "rollback" => Tx::Rollback,
                _ => Tx::Commit,
            }),
            timezone: value(Preference::Timezone).map(str::to_owned),
            max_affected: value(Preference::MaxAffected).and_then(parse_most),
            applied: match texts.is_empty() {
                true => None,
                false => HeaderValue::try_from(texts.join(", ")).ok(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::headers::map;

    const ALL: &[Preference] = &[
        Preference::Resolution,
        Preference::Missing,
        Preference::Return,
        Preference::Count,
        Preference::Tx,
        Preference::Handling,
        Preference::Timezone,
        Preference::MaxAffected,
    ];

    fn read(prefer: &'static str) -> Preferences {
        preferences(&map(&[("prefer", prefer)]), ALL).expect("nothing is refused")
    }

    fn applied(prefer: &'static str, carried: &[Preference]) -> String {
        let found = preferences(&map(&[("prefer", prefer)]), carried).expect("nothing is refused");
        let applied = found.applied().map(|value| value.to_str().map(str::to_owned));
        applied.unwrap_or_else(|| Ok(String::new())).expect("it is text")
    }

    #[test]
    fn nothing_said_is_the_least() {
        let expected = Preferences {
            answer: Return::Minimal,
            count: None,
            resolution: None,
            missing: Missing::Null,
            tx: None,
            timezone: None,
            max_affected: None,
            applied: None,
        };
        assert_eq!(preferences(&HeaderMap::new(), ALL).ok(), Some(expected.clone()));
        for prefer in [
            "",
            ",",
            "x",
            "return",
            "return=",
            "return=all",
            "Return=minimal",
            "count=none",
            "timezone=",
        ] {
            assert_eq!(read(prefer), expected, "{prefer}");
        }
    }

    #[test]
    fn every_value_is_understood() {
        assert_eq!(read("return=minimal").answer, Return::Minimal);
        assert_eq!(read("return=headers-only").answer, Return::HeadersOnly);
        assert_eq!(read("return=representation").answer, Return::Representation);
        assert_eq!(read("count=exact").count, Some(Count::Exact));
        assert_eq!(read("count=planned").count, Some(Count::Planned));
        assert_eq!(read("count=estimated").count, Some(Count::Estimated));
        assert_eq!(
            read("resolution=merge-duplicates").resolution,
            Some(Resolution::MergeDuplicates)
        );
        assert_eq!(
            read("resolution=ignore-duplicates").resolution,
            Some(Resolution::IgnoreDuplicates)
        );
        assert_eq!(read("missing=default").missing, Missing::Default);
        assert_eq!(read("missing=null").missing, Missing::Null);
        assert_eq!(read("tx=rollback").tx, Some(Tx::Rollback));
        assert_eq!(read("tx=commit").tx, Some(Tx::Commit));
        let zone = |prefer| read(prefer).timezone;
        assert_eq!(
            zone("timezone=America/Los_Angeles").as_deref(),
            Some("America/Los_Angeles")
        );
        assert_eq!(zone("timezone=Etc/GMT+1").as_deref(), Some("Etc/GMT+1"));
        assert_eq!(zone("timezone=UTC'; drop"), None);
    }

    #[test]
    fn the_first_of_each_name_counts_wherever_it_stands() {
        let headers = map(&[
            ("prefer", "count=exact,  tx=x, wait=5"),
            (
                "prefer",
                "count=planned , return=representation,return=minimal, tx=rollback",
            ),
        ]);
        let found = preferences(&headers, ALL).expect("nothing is refused");
        assert_eq!(found.count, Some(Count::Exact));
        assert_eq!(found.answer, Return::Representation);
        assert_eq!(found.tx, Some(Tx::Rollback));
    }

    #[test]
    fn what_is_carried_out_is_said_in_one_order() {
        let all = "max-affected=5, timezone=UTC, handling=strict, tx=rollback, count=exact, return=minimal, \
                   missing=default, resolution=merge-duplicates";
        assert_eq!(
            applied(all, ALL),
            "resolution=merge-duplicates, missing=default, return=minimal, count=exact, tx=rollback, handling=strict, \
             timezone=UTC, max-affected=5"
        );
        assert_eq!(applied(all, READ), "count=exact, handling=strict, timezone=UTC");
        assert_eq!(
            applied(all, CALL),
            "count=exact, tx=rollback, handling=strict, timezone=UTC, max-affected=5"
        );
        assert_eq!(
            applied(all, PUT),
            "return=minimal, tx=rollback, handling=strict, timezone=UTC"
        );
        assert_eq!(
            applied(all, INSERT),
            "resolution=merge-duplicates, missing=default, return=minimal, count=exact, tx=rollback, handling=strict, \
             timezone=UTC"
        );
        assert_eq!(
            applied(all, CHANGE),
            "return=minimal, count=exact, tx=rollback, handling=strict, timezone=UTC, max-affected=5"
        );
        assert_eq!(applied("wait=5", ALL), "");
    }

    #[test]
    fn what_is_not_carried_out_is_as_if_it_had_not_been_said() {
        let headers = map(&[("prefer", "tx=rollback, return=representation, count=exact")]);
        let found = preferences(&headers, READ).expect("nothing is refused");
        assert_eq!((found.tx, found.answer), (None, Return::Minimal));
        assert_eq!(found.count, Some(Count::Exact));
    }

    #[test]
    fn max_affected_counts_under_strict_handling_only() {
        assert_eq!(read("max-affected=10").max_affected, None);
        assert_eq!(read("handling=lenient, max-affected=10").max_affected, None);
        assert_eq!(read("max-affected=10, handling=strict").max_affected, Some(10));
        assert_eq!(read("handling=strict, max-affected=0").max_affected, Some(0));
        assert_eq!(applied("max-affected=10", ALL), "");
    }

    #[test]
    fn strict_handling_refuses_what_is_not_known() {
        let refused = |prefer| {
            let problem = preferences(&map(&[("prefer", prefer)]), READ).err()?;
            assert_eq!((problem.status().as_u16(), problem.code()), (400, "PGRST122"));
            assert_eq!(problem.message(), "Invalid preferences given with handling=strict");
            let answer: serde_json::Value = serde_json::from_slice(problem.into_answer().body()).ok()?;
            Some(answer.get("details")?.as_str()?.to_owned())
        };
        let invalid = |list: &str| Some(format!("Invalid preferences: {list}"));
        assert_eq!(
            refused("handling=strict, foo, count=exact, bar=1"),
            invalid("foo, bar=1")
        );
        assert_eq!(refused("max-affected=x, handling=strict"), invalid("max-affected=x"));
        assert_eq!(refused("max-affected=, handling=strict"), invalid("max-affected="));
        assert_eq!(refused("handling=strict, timezone=a b"), invalid("timezone=a b"));
        assert_eq!(
            refused("handling=strict,1,2,3,4,5,6,7,8,9"),
            invalid("1, 2, 3, 4, 5, 6, 7, 8, …")
        );
        assert_eq!(refused("handling=strict, tx=rollback, return=minimal,"), None);
        // The first word about handling counts.
        assert_eq!(refused("handling=lenient, handling=strict, foo"), None);
    }
}
