//! What is asked of a field: `not.`, an operator, a value.

use super::allowance::Allowance;
use super::scan::{Scan, shown};
use super::{Comparison, Operand, Relation, Search, Sense, Test, Truth, field, value};
use crate::entity::problem::{Problem, nearest};

/// Where a test's value ends.
#[derive(Clone, Copy)]
pub(super) enum Ends {
    /// With the text: it is taken as it stands.
    WithText,
    /// At a comma or a parenthesis, unless it is quoted.
    InTree,
}

#[derive(Clone, Copy)]
enum Operator {
    Compare(Comparison),
    In,
    Is,
    IsDistinct,
    Relate(Relation),
    Search(Search),
}

const OPERATORS: [(&str, Operator); 25] = [
    ("eq", Operator::Compare(Comparison::Equal)),
    ("neq", Operator::Compare(Comparison::Unequal)),
    ("gt", Operator::Compare(Comparison::Greater)),
    ("gte", Operator::Compare(Comparison::GreaterOrEqual)),
    ("lt", Operator::Compare(Comparison::Less)),
    ("lte", Operator::Compare(Comparison::LessOrEqual)),
    ("like", Operator::Compare(Comparison::Like)),
    ("ilike", Operator::Compare(Comparison::LikeAnyCase)),
    ("match", Operator::Compare(Comparison::Match)),
    ("imatch", Operator::Compare(Comparison::MatchAnyCase)),
    ("in", Operator::In),
    ("is", Operator::Is),
    ("isdistinct", Operator::IsDistinct),
    ("cs", Operator::Relate(Relation::Contains)),
    ("cd", Operator::Relate(Relation::ContainedBy)),
    ("ov", Operator::Relate(Relation::Overlaps)),
    ("sl", Operator::Relate(Relation::StrictlyLeft)),
    ("sr", Operator::Relate(Relation::StrictlyRight)),
    ("nxr", Operator::Relate(Relation::NotRight)),
    ("nxl", Operator::Relate(Relation::NotLeft)),
    ("adj", Operator::Relate(Relation::Adjacent)),
    ("fts", Operator::Search(Search::Query)),
    ("plfts", Operator::Search(Search::Plain)),
    ("phfts", Operator::Search(Search::Phrase)),
    ("wfts", Operator::Search(Search::Web)),
];

/// Whether a value begins like a test: with an operator.
pub(in crate::entity) fn is_test(value: &str) -> bool {
    let plain = value.strip_prefix("not.").unwrap_or(value);
    let word = plain.split(['.', '(']).next().unwrap_or_default();
    word.len() < plain.len() && OPERATORS.iter().any(|(name, _)| *name == word)
}

const TRUTHS: [(&str, Truth); 5] = [
    ("null", Truth::Null),
    ("not_null", Truth::NotNull),
    ("true", Truth::True),
    ("false", Truth::False),
    ("unknown", Truth::Unknown),
];

/// Reads `not.eq.1` and its like.
pub(super) fn test(
    scan: &mut Scan<'_>,
    column: &str,
    ends: Ends,
    allowance: &Allowance<'_>,
) -> Result<(Sense, Test), Problem> {
    let sense = if scan.eat("not.") { Sense::Negated } else { Sense::Plain };
    let (name, operator) = operator(scan, column, ends)?;
    let in_parentheses = parentheses(scan)?;
    scan.expect(".", &format!("a dot after `{name}`"))?;
    let test = match (operator, in_parentheses.as_deref()) {
        (Operator::In, None) => {
            let values = value::list(scan, column)?;
            allowance.values(name, column, values.len())?;
            Test::In(values)
        }
        (Operator::Is, None) => Test::Is(truth(scan, column, ends)?),
        (Operator::IsDistinct, None) => Test::IsDistinct(value::one(scan, ends)),
        (Operator::Relate(relation), None) => Test::Relate(relation, value::one(scan, ends)),
        (Operator::Search(search), _) => Test::Search(search, in_parentheses, value::one(scan, ends)),
        (Operator::Compare(how), None) => {
            let value = value::one(scan, ends);
            check_patterns(how, name, column, std::slice::from_ref(&value), allowance)?;
            Test::Compare(how, Operand::One(value))
        }
        (Operator::Compare(how), Some(which @ ("any" | "all"))) if how != Comparison::Unequal => {
            let values = value::array(&value::one(scan, ends), name, column)?;
            allowance.values(&format!("{name}({which})"), column, values.len())?;
            check_patterns(how, name, column, &values, allowance)?;
            let operand = if which == "any" {
                Operand::Any(values)
            } else {
                Operand::All(values)
            };
            Test::Compare(how, operand)
        }
        (_, Some(word)) => return Err(bad_parentheses(name, column, word)),
    };
    if let Ends::WithText = ends {
        scan.end("the end")?;
    }
    Ok((sense, test))
}

fn operator<'t>(scan: &mut Scan<'t>, column: &str, ends: Ends) -> Result<(&'t str, Operator), Problem> {
    let word = scan.take_while(|c| !matches!(c, '.' | '(' | ')' | ','));
    let (column, said) = (shown(column), shown(word));
    let known = OPERATORS.iter().find(|(name, _)| *name == word);
    let near = || nearest(word, OPERATORS.iter().map(|(name, _)| *name));
    let listed = || {
        let names: Vec<_> = OPERATORS.iter().map(|(name, _)| *name).collect();
        format!("known are {}, each also after not.", names.join(", "))
    };
    if !scan.stands(".") && !scan.stands("(") {
        let sign = match ends {
            Ends::WithText => '=',
            Ends::InTree => '.',
        };
        let hint = match near() {
            Some(name) => format!("write {column}{sign}{name}.value; {}", listed()),
            None => format!("write {column}{sign}eq.{said}; {}", listed()),
        };
        return Err(Problem::grammar(format!("the filter on `{column}` has no operator")).with_hint(hint));
    }
    let Some((_, operator)) = known else {
        let message = format!("`{said}` in the filter on `{column}` is no known operator");
        let hint = near().map_or_else(listed, |name| format!("perhaps `{name}` is meant; {}", listed()));
        return Err(Problem::grammar(message).with_hint(hint));
    };
    Ok((word, *operator))
}

/// Reads the language of a search, or `any` or `all`.
fn parentheses(scan: &mut Scan<'_>) -> Result<Option<String>, Problem> {
    if !scan.eat("(") {
        return Ok(None);
    }
    let word = field::word(scan, "a word in the parentheses")?;
    scan.expect(")", "`)`")?;
    Ok(Some(word))
}

fn bad_parentheses(name: &str, column: &str, word: &str) -> Problem {
    let message = format!("`{name}` on `{}` does not know `({})`", shown(column), shown(word));
    Problem::grammar(message).with_hint(
        "`(any)` and `(all)` go with eq, gt, gte, lt, lte, like, ilike, match, imatch; a language goes with fts, plfts, phfts, wfts",
    )
}

fn truth(scan: &mut Scan<'_>, column: &str, ends: Ends) -> Result<Truth, Problem> {
    let word = match ends {
        Ends::WithText => scan.take_rest(),
        Ends::InTree => scan.take_while(|c| !matches!(c, ',' | ')')),
    };
    let word = word.trim_matches([' ', '\t']);
    let known = TRUTHS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    known.map(|(_, truth)| *truth).ok_or_else(|| {
        let message = format!("`is` on `{}` does not know `{}`", shown(column), shown(word));
        Problem::grammar(message).with_hint("known are null, not_null, true, false, unknown")
    })
}

fn check_patterns(
    how: Comparison,
    name: &str,
    column: &str,
    values: &[String],
    allowance: &Allowance<'_>,
) -> Result<(), Problem> {
    if !matches!(how, Comparison::Match | Comparison::MatchAnyCase) {
        return Ok(());
    }
    values
        .iter()
        .try_for_each(|value| allowance.pattern(name, column, value))
}

#[cfg(test)]
mod tests {
    use freehold_manifest::model::Limits;

    use super::*;
    use crate::entity::query::{Field, Filter, written};

    fn read(text: &str) -> Result<(Sense, Test), String> {
        let limits = Limits::default();
        let mut scan = Scan::new("a", text);
        test(&mut scan, "a", Ends::WithText, &Allowance::new(&limits)).map_err(|p| p.message().to_owned())
    }

    fn rewritten(text: &str) -> Result<String, String> {
        let (sense, test) = read(text)?;
        let (column, path) = ("a".to_owned(), Vec::new());
        let field = Field { column, path };
        Ok(written::test(&Filter { field, sense, test }, written::Ends::WithText))
    }

    #[test]
    fn every_operator_takes_its_value_as_it_stands_also_after_not() {
        for (name, operator) in OPERATORS {
            let value = match operator {
                Operator::In => r#"("1","x,y")"#,
                Operator::Is => "unknown",
                _ => r#" "x"),*.{,+ "#,
            };
            for not in ["", "not."] {
                let text = format!("{not}{name}.{value}");
                assert_eq!(rewritten(&text).as_ref(), Ok(&text), "{text}");
            }
        }
    }

    #[test]
    fn a_value_is_what_follows_the_first_dot() {
        let one = |how, value: &str| Ok((Sense::Plain, Test::Compare(how, Operand::One(value.to_owned()))));
        assert_eq!(read("eq."), one(Comparison::Equal, ""));
        assert_eq!(read("eq.x.y"), one(Comparison::Equal, "x.y"));
        assert_eq!(read("eq.\"x\""), one(Comparison::Equal, "\"x\""));
        assert_eq!(read("like.*x*"), one(Comparison::Like, "*x*"));
        assert_eq!(read("eq.not.null"), one(Comparison::Equal, "not.null"));
    }

    #[test]
    fn is_knows_five_words_in_any_case() {
        for (text, truth) in [
            ("is.null", Truth::Null),
            ("is.NULL", Truth::Null),
            ("is.Not_Null", Truth::NotNull),
            ("is.TRUE", Truth::True),
            ("is.false ", Truth::False),
            ("is.unknown", Truth::Unknown),
        ] {
            assert_eq!(read(text), Ok((Sense::Plain, Test::Is(truth))), "{text}");
        }
    }

    #[test]
    fn in_takes_a_list() {
        let list = |values: &[&str]| Ok((Sense::Plain, Test::In(values.iter().map(|v| (*v).to_owned()).collect())));
        for (text, values) in [
            ("in.()", &[] as &[&str]),
            ("in.(\"\")", &[]),
            ("in.(1)", &["1"]),
            ("in. ( 1,2 ) ", &["1", "2 "]),
            ("in.(1,)", &["1", ""]),
            (r#"in.(1,"b,\"c\\",)"#, &["1", r#"b,"c\"#, ""]),
            (r#"in.("x)","(y")"#, &["x)", "(y"]),
            // A quote that is not closed before a comma or the end is a character like others.
            (r#"in.(5",6"x,"7)"#, &["5\"", "6\"x", "\"7"]),
            (r#"in.("x"y,z)"#, &["\"x\"y", "z"]),
        ] {
            assert_eq!(read(text), list(values), "{text}");
        }
    }

    #[test]
    fn any_and_all_take_an_array() {
        for (text, written) in [
            ("eq(any).{1,2}", r#"eq(any).{"1","2"}"#),
            ("not.like(all).{*a*,b}", r#"not.like(all).{"*a*","b"}"#),
            ("gte(any).{}", "gte(any).{}"),
            ("ilike(any). { a b , \"c,d\" } ", r#"ilike(any).{"a b","c,d"}"#),
            (
                r#"imatch(any).{"^\"\\d",x\,y,\ z\ }"#,
                r#"imatch(any).{"^\"\\d","x,y"," z "}"#,
            ),
            (r#"eq(all).{"null",\null,"{}"}"#, r#"eq(all).{"null","null","{}"}"#),
        ] {
            assert_eq!(rewritten(text).as_deref(), Ok(written), "{text}");
        }
    }

    #[test]
    fn a_search_may_name_its_language() {
        let search = |how, language: Option<&str>, value: &str| {
            let test = Test::Search(how, language.map(str::to_owned), value.to_owned());
            Ok((Sense::Plain, test))
        };
        assert_eq!(
            read("fts(english).a & b"),
            search(Search::Query, Some("english"), "a & b")
        );
        assert_eq!(read("wfts.(a)"), search(Search::Web, None, "(a)"));
    }

    #[test]
    fn what_is_no_test_is_refused() {
        for text in [
            "",
            "1",
            "eq",
            "not",
            "not.",
            "not.1",
            "not.not.eq.1",
            "eqx.1",
            "EQ.1",
            "foo.1",
            ".1",
            "eq().1",
            "eq(any)",
            "eq(any.{1}",
            "eq(some).{1}",
            "neq(any).{1}",
            "cs(any).{1}",
            "is(any).null",
            "in(any).(1)",
            "isdistinct(any).{1}",
            "eq(any).1",
            "eq(any).(1)",
            "eq(any).{1",
            "eq(any).{1,}",
            "eq(any).{,}",
            "eq(any).{1,NULL}",
            "eq(any).{{1}}",
            "eq(any).{a\"b\"}",
            "eq(any).{\"a\"b}",
            "eq(any).{\"a}",
            "eq(any).{a\\}",
            "eq(any).{1}x",
            "fts().x",
            "fts(english.x",
            "fts(a.b).x",
            "in.1",
            "in.(1",
            "in.(1)x",
            "in.",
            "in.)",
            "is.",
            "is.maybe",
            "is.nullx",
            "is.not null",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
