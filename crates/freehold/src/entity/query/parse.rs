//! The parts of a query string.

use std::borrow::Cow;

use super::{Comparison, Filter, Query, Sense, Test, Truth, list};
use crate::entity::limits::{FILTERS_MAX, IN_VALUES_MAX};
use crate::entity::problem::{Problem, nearest};

const OPERATORS: [&str; 10] = ["eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "in", "is"];
const OPERATORS_LISTED: &str = "known are eq, neq, gt, gte, lt, lte, like, ilike, in, is, each also after not.";
const NOT_YET: [&str; 5] = ["and", "or", "not.and", "not.or", "on_conflict"];

/// Reads a query string, percent-encoded as it came.
///
/// # Errors
/// A 400 that names the part that was not understood and what would have been.
pub fn parse(text: &str) -> Result<Query, Problem> {
    let mut query = Query::default();
    let (mut ordered, mut limited, mut shifted) = (Given::No, Given::No, Given::No);
    for part in text.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        match name.as_ref() {
            "select" if query.select.is_some() => return Err(twice("select")),
            "select" => query.select = Some(list::names("select", &value)?).filter(|c| !c.is_empty()),
            "columns" if query.columns.is_some() => return Err(twice("columns")),
            "columns" => query.columns = Some(list::names("columns", &value)?).filter(|c| !c.is_empty()),
            "order" => {
                ordered.once("order")?;
                query.order = list::order(&value)?;
            }
            "limit" => {
                limited.once("limit")?;
                query.limit = Some(parse_count("limit", &value)?);
            }
            "offset" => {
                shifted.once("offset")?;
                query.offset = parse_count("offset", &value)?;
            }
            name if NOT_YET.contains(&name) => {
                return Err(Problem::grammar(format!("`{name}` is not supported yet"))
                    .with_hint("filters are column=operator.value, and all of them must hold"));
            }
            _ if query.filters.len() == FILTERS_MAX => {
                return Err(Problem::grammar(format!("a request has at most {FILTERS_MAX} filters")));
            }
            _ => query.filters.push(parse_filter(name, &value)?),
        }
    }
    Ok(query)
}

#[derive(Clone, Copy)]
enum Given {
    No,
    Yes,
}

impl Given {
    fn once(&mut self, name: &str) -> Result<(), Problem> {
        let Given::No = std::mem::replace(self, Given::Yes) else {
            return Err(twice(name));
        };
        Ok(())
    }
}

fn twice(name: &str) -> Problem {
    Problem::grammar(format!("`{name}` is given twice")).with_hint("give it once, with a comma between entries")
}

/// Reads one percent-encoded part of a URL; `+` is a space, as forms write it.
fn decode(text: &str) -> Result<Cow<'_, str>, Problem> {
    if !text.bytes().any(|b| matches!(b, b'%' | b'+' | 0)) {
        return Ok(Cow::Borrowed(text));
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|_| Problem::grammar("the URL does not decode to UTF-8"))?;
    if decoded.contains('\0') {
        return Err(Problem::grammar(
            "the URL contains a NUL character, which PostgreSQL cannot store",
        ));
    }
    Ok(Cow::Owned(decoded.into_owned()))
}

fn parse_count(name: &str, value: &str) -> Result<u64, Problem> {
    value
        .parse::<u64>()
        .ok()
        .filter(|n| i64::try_from(*n).is_ok() && !value.starts_with('+'))
        .ok_or_else(|| Problem::grammar(format!("`{name}` must be a whole number, not `{value}`")))
}

fn parse_filter(column: Cow<'_, str>, value: &str) -> Result<Filter, Problem> {
    let (sense, rest) = match value.strip_prefix("not.") {
        Some(rest) => (Sense::Negated, rest),
        None => (Sense::Plain, value),
    };
    let Some((operator, operand)) = rest.split_once('.') else {
        let known = nearest(rest, OPERATORS.into_iter());
        let hint = known.map_or_else(
            || format!("write {column}=eq.{rest}; {OPERATORS_LISTED}"),
            |o| format!("write {column}={o}.value; {OPERATORS_LISTED}"),
        );
        return Err(Problem::grammar(format!("the filter on `{column}` has no operator")).with_hint(hint));
    };
    let compare = |how| Test::Compare(how, operand.to_owned());
    let like = |how| Test::Compare(how, operand.replace('*', "%"));
    let test = match operator {
        "eq" => compare(Comparison::Equal),
        "neq" => compare(Comparison::Unequal),
        "gt" => compare(Comparison::Greater),
        "gte" => compare(Comparison::GreaterOrEqual),
        "lt" => compare(Comparison::Less),
        "lte" => compare(Comparison::LessOrEqual),
        "like" => like(Comparison::Like),
        "ilike" => like(Comparison::LikeAnyCase),
        "in" => Test::In(parse_values(&column, operand)?),
        "is" => Test::Is(parse_truth(&column, operand)?),
        _ => {
            let message = format!("`{operator}` in the filter on `{column}` is no known operator");
            return Err(Problem::grammar(message).with_hint(OPERATORS_LISTED));
        }
    };
    Ok(Filter {
        column: column.into_owned(),
        sense,
        test,
    })
}

fn parse_truth(column: &str, word: &str) -> Result<Truth, Problem> {
    Ok(match word.to_ascii_lowercase().as_str() {
        "null" => Truth::Null,
        "not_null" => Truth::NotNull,
        "true" => Truth::True,
        "false" => Truth::False,
        "unknown" => Truth::Unknown,
        _ => {
            let message = format!("`is` on `{column}` does not know `{word}`");
            return Err(Problem::grammar(message).with_hint("known are null, not_null, true, false, unknown"));
        }
    })
}

fn parse_values(column: &str, operand: &str) -> Result<Vec<String>, Problem> {
    let list = operand
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .ok_or_else(|| {
            Problem::grammar(format!("`in` on `{column}` needs a list in parentheses"))
                .with_hint(format!("write {column}=in.(1,2,\"a,b\")"))
        })?;
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let values = list::split(list)?;
    if values.len() > IN_VALUES_MAX {
        return Err(Problem::grammar(format!(
            "`in` on `{column}` has more than {IN_VALUES_MAX} values"
        )));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::query::{Direction, Nulls, Sort};

    fn filter(text: &str) -> Result<Filter, String> {
        let mut query = parse(text).map_err(|p| p.message().to_owned())?;
        query.filters.pop().ok_or_else(|| "no filter".to_owned())
    }

    #[test]
    fn a_filter_is_a_column_an_operator_and_a_value() {
        let equal = |value: &str| Test::Compare(Comparison::Equal, value.to_owned());
        for (text, column, sense, test) in [
            ("a=eq.1", "a", Sense::Plain, equal("1")),
            ("a=eq.", "a", Sense::Plain, equal("")),
            ("a=eq.x.y", "a", Sense::Plain, equal("x.y")),
            ("a=eq.\"x\"", "a", Sense::Plain, equal("\"x\"")),
            ("a%20b=not.eq.x%2By+z", "a b", Sense::Negated, equal("x+y z")),
            ("a=is.NULL", "a", Sense::Plain, Test::Is(Truth::Null)),
            (
                "a=like.*x*",
                "a",
                Sense::Plain,
                Test::Compare(Comparison::Like, "%x%".into()),
            ),
            ("a=in.()", "a", Sense::Plain, Test::In(vec![])),
            (
                r#"a=in.(1,"b,\"c\\",)"#,
                "a",
                Sense::Plain,
                Test::In(vec!["1".into(), r#"b,"c\"#.into(), String::new()]),
            ),
        ] {
            let expected = Filter {
                column: column.into(),
                sense,
                test,
            };
            assert_eq!(filter(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "a",
            "a=",
            "a=1",
            "a=foo.1",
            "a=not.1",
            "a=in.1",
            "a=in.(1",
            "a=in.(\"x)",
            "a=in.(\"x\"y)",
            "a=is.maybe",
            "limit=x",
            "limit=+1",
            "limit=1&limit=2",
            "offset=-1",
            "order=a.up",
            "order=a.desc.asc",
            "order=a,a",
            "order=,",
            "select=a&select=b",
            "select=a:b",
            "select=a(b)",
            "select=a,*",
            "select=a,a",
            "or=(a.eq.1)",
            "a=eq.%00",
            "a=eq.%ff",
            "on_conflict=a",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"a=eq.1&".repeat(65)).is_err(), "too many filters");
        assert!(
            parse(&format!("a=in.({})", "1,".repeat(1_000))).is_err(),
            "too many values"
        );
    }

    #[test]
    fn order_select_limit_and_offset_are_read() {
        let query = parse("select=a,\"b,c\"&order=a.desc.nullslast,b&limit=5&offset=7&columns=x");
        let sort = |column: &str, direction, nulls| Sort {
            column: column.into(),
            direction,
            nulls,
        };
        let expected = Query {
            select: Some(vec!["a".into(), "b,c".into()]),
            columns: Some(vec!["x".into()]),
            filters: vec![],
            order: vec![
                sort("a", Direction::Descending, Some(Nulls::Last)),
                sort("b", Direction::Ascending, None),
            ],
            limit: Some(5),
            offset: 7,
        };
        assert_eq!(query.ok(), Some(expected));
        assert_eq!(parse("select=*&&").ok(), Some(Query::default()));
        assert_eq!(parse("").ok(), Some(Query::default()));
    }
}
