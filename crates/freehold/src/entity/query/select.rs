//! `select`: columns, aggregates, and related rows inside each other.

use super::allowance::Allowance;
use super::scan::{Scan, shown};
use super::{Aggregate, Chosen, Embed, Field, Item, Join, Shape, field};
use crate::entity::problem::{Problem, nearest};

const AGGREGATES: [(&str, Aggregate); 5] = [
    ("avg", Aggregate::Average),
    ("count", Aggregate::Count),
    ("max", Aggregate::Greatest),
    ("min", Aggregate::Least),
    ("sum", Aggregate::Sum),
];

/// Reads the value of `select`; an empty one has no entries.
pub(super) fn select(text: &str, allowance: &mut Allowance<'_>) -> Result<Vec<Item>, Problem> {
    let mut scan = Scan::new("select", text);
    let items = items(&mut scan, 0, allowance)?;
    scan.end("a comma")?;
    Ok(items)
}

/// Reads entries up to a closing parenthesis or the end, inside of `depth` relations.
fn items(scan: &mut Scan<'_>, depth: u64, allowance: &mut Allowance<'_>) -> Result<Vec<Item>, Problem> {
    let mut items = Vec::new();
    scan.skip_blank();
    if scan.is_over() || scan.stands(")") {
        return Ok(items);
    }
    loop {
        allowance.entry()?;
        items.push(item(scan, depth, allowance)?);
        scan.skip_blank();
        if !scan.eat(",") {
            return Ok(items);
        }
    }
}

fn item(scan: &mut Scan<'_>, depth: u64, allowance: &mut Allowance<'_>) -> Result<Item, Problem> {
    scan.skip_blank();
    if scan.eat("*") {
        return Ok(Item::All);
    }
    if scan.eat("...") {
        let relation = field::name(scan)?;
        return embed(scan, (None, relation, Shape::Spread), depth, allowance);
    }
    let mut quoted = scan.stands("\"");
    let mut name = field::name(scan)?;
    let mut alias = None;
    if scan.stands(":") && !scan.stands("::") {
        scan.eat(":");
        scan.skip_blank();
        if scan.stands("...") {
            return Err(scan
                .expected("a name")
                .with_hint("what is spread has no name of its own"));
        }
        quoted = scan.stands("\"");
        alias = Some(std::mem::replace(&mut name, field::name(scan)?));
    }
    if name == "count" && !quoted && scan.eat("()") {
        let cast = cast(scan)?;
        return Ok(Item::Count { alias, cast });
    }
    if scan.stands("!") || scan.stands("(") {
        return embed(scan, (alias, name, Shape::Nested), depth, allowance);
    }
    let path = field::steps(scan)?;
    scan.skip_blank();
    let cast_before = cast(scan)?;
    let aggregate = match scan.eat(".") {
        true => Some((aggregate(scan)?, cast(scan)?)),
        false => None,
    };
    Ok(Item::Field(Chosen {
        field: Field { column: name, path },
        alias,
        cast: cast_before,
        aggregate,
    }))
}

fn cast(scan: &mut Scan<'_>) -> Result<Option<String>, Problem> {
    match scan.eat("::") {
        true => field::word(scan, "a type").map(Some),
        false => Ok(None),
    }
}

fn aggregate(scan: &mut Scan<'_>) -> Result<Aggregate, Problem> {
    let before = scan.clone();
    let word = scan.take_while(|c| c.is_ascii_alphabetic());
    let known = AGGREGATES.iter().find(|(name, _)| *name == word);
    let Some((_, aggregate)) = known else {
        let near = nearest(word, AGGREGATES.iter().map(|(name, _)| *name));
        let meant = near.map_or_else(String::new, |name| format!("perhaps `{name}()` is meant; "));
        return Err(before.expected("an aggregate").with_hint(format!(
            "{meant}known are avg(), count(), max(), min(), sum(), each after a column and a dot"
        )));
    };
    scan.expect("()", "`()`")?;
    scan.skip_blank();
    Ok(*aggregate)
}

/// Reads what follows the name of a relation.
fn embed(
    scan: &mut Scan<'_>,
    (alias, relation, shape): (Option<String>, String, Shape),
    depth: u64,
    allowance: &mut Allowance<'_>,
) -> Result<Item, Problem> {
    allowance.embed(depth + 1)?;
    let (mut hint, mut join) = (None, None);
    while scan.eat("!") {
        let quoted = scan.stands("\"");
        let word = field::name(scan)?;
        let twice = match word.as_str() {
            "inner" if !quoted => join.replace(Join::Inner).is_some(),
            "left" if !quoted => join.replace(Join::Left).is_some(),
            _ => hint.replace(word).is_some(),
        };
        if twice {
            let message = format!("`{}` in `select` has more than one hint or join", shown(&relation));
            return Err(Problem::grammar(message).with_hint("write relation!hint!inner(…) or relation!hint!left(…)"));
        }
    }
    scan.expect("(", "`(`")?;
    let select = items(scan, depth + 1, allowance)?;
    scan.expect(")", "a comma or `)`")?;
    Ok(Item::Embed(Embed {
        relation,
        alias,
        hint,
        join: join.unwrap_or(Join::Left),
        shape,
        select,
    }))
}

#[cfg(test)]
mod tests {
    use freehold_manifest::model::Limits;

    use super::*;
    use crate::entity::query::{Arrow, Key, Step, written};

    fn read(text: &str) -> Result<Vec<Item>, String> {
        select(text, &mut Allowance::new(&Limits::default())).map_err(|p| p.message().to_owned())
    }

    #[test]
    fn an_entry_is_a_column_with_all_that_can_stand_around_it() {
        let step = |arrow, key| Step { arrow, key };
        let expected = Chosen {
            field: Field {
                column: "b c".to_owned(),
                path: vec![
                    step(Arrow::Json, Key::Name("d".to_owned())),
                    step(Arrow::Json, Key::Index(-1)),
                    step(Arrow::Text, Key::Name("e f".to_owned())),
                ],
            },
            alias: Some("a".to_owned()),
            cast: Some("double precision".to_owned()),
            aggregate: Some((Aggregate::Sum, Some("text".to_owned()))),
        };
        let text = " a : b c->d->-1->>e f ::double precision.sum()::text ";
        assert_eq!(read(text), Ok(vec![Item::Field(expected)]));
    }

    #[test]
    fn what_is_related_stands_in_parentheses() {
        let expected = Embed {
            relation: "items".to_owned(),
            alias: Some("lines".to_owned()),
            hint: Some("order_id".to_owned()),
            join: Join::Inner,
            shape: Shape::Nested,
            select: vec![Item::All],
        };
        for text in ["lines:items!order_id!inner(*)", "lines:items!inner!order_id( * )"] {
            assert_eq!(read(text), Ok(vec![Item::Embed(expected.clone())]), "{text}");
        }
    }

    #[test]
    fn every_form_is_read() {
        for (text, written) in [
            ("", ""),
            (" ", ""),
            ("*", "*"),
            (" * , a ", r#"*,"a""#),
            ("a,b", r#""a","b""#),
            ("a,a", r#""a","a""#),
            ("a b", r#""a b""#),
            ("a-b", r#""a-b""#),
            (r#""a,b.c(d)":e"#, r#""a,b.c(d)":"e""#),
            (r#""a\"\\b""#, r#""a\"\\b""#),
            ("größe", r#""größe""#),
            ("a:b", r#""a":"b""#),
            ("b::text", r#""b"::text"#),
            ("a:b::int", r#""a":"b"::int"#),
            ("a->b", r#""a"->"b""#),
            ("a->>b", r#""a"->>"b""#),
            ("a->0", r#""a"->0"#),
            ("a->>-78::int", r#""a"->>-78::int"#),
            ("i(a->0)", r#""i"("a"->0)"#),
            ("a->0x->1.sum()", r#""a"->"0x"->1.sum()"#),
            ("a->!@#$%^&*_a::cast", r#""a"->"!@#$%^&*_a"::cast"#),
            ("a->b-c->>d-e", r#""a"->"b-c"->>"d-e""#),
            (r#"a->"0"->>"x.y""#, r#""a"->"0"->>"x.y""#),
            (
                "a.sum(),a.avg(),a.min(),a.max(),a.count()",
                r#""a".sum(),"a".avg(),"a".min(),"a".max(),"a".count()"#,
            ),
            ("a::numeric.sum()::text", r#""a"::numeric.sum()::text"#),
            ("count()", "count()"),
            ("n:count()::text", r#""n":count()::text"#),
            ("count", r#""count""#),
            ("count.sum()", r#""count".sum()"#),
            (r#""count"(a)"#, r#""count"("a")"#),
            ("i()", r#""i"()"#),
            ("i( )", r#""i"()"#),
            ("i(*),b", r#""i"(*),"b""#),
            ("a:i(*)", r#""a":"i"(*)"#),
            ("i!h(*)", r#""i"!"h"(*)"#),
            ("i!inner(*)", r#""i"!inner(*)"#),
            ("i!left(*)", r#""i"(*)"#),
            ("i!leftover(*)", r#""i"!"leftover"(*)"#),
            (r#"i!"inner"!left(*)"#, r#""i"!"inner"(*)"#),
            ("...i(a,b:c)", r#"..."i"("a","b":"c")"#),
            ("...i!h!inner(count())", r#"..."i"!"h"!inner(count())"#),
            (
                "a,i(b,...j(c,k:l!x(*) ) ),d",
                r#""a","i"("b",..."j"("c","k":"l"!"x"(*))),"d""#,
            ),
        ] {
            let read = read(text).map(|items| written::items(&items));
            assert_eq!(read.as_deref(), Ok(written), "{text}");
        }
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for text in [
            ",",
            "a,",
            ",a",
            "a,,b",
            "a b\"",
            "\"a",
            "a:",
            ":a",
            "a:b:c",
            "a:*",
            "*a",
            "**",
            "a::",
            "a::int::text",
            "a::int[]",
            "a::numeric(3)",
            "a->",
            "a->>",
            "a->>b->c",
            "a->>b->>c",
            "a->-x",
            "a->--1",
            "a->>-78xy",
            "a->99999999999",
            "a.b",
            "a.sum",
            "a.sum(",
            "a.sum(b)",
            "a.total()",
            "a.sum().avg()",
            "a.",
            "count(",
            "count()x",
            "i(",
            "i(a",
            "i(a))",
            "i)",
            "i(a)b",
            "i(a,)",
            "i(,)",
            "i!(a)",
            "i!a!b(c)",
            "i!inner!left(a)",
            "i!inner",
            "i!h",
            "i!a!inner!b(c)",
            "a:...i(b)",
            "...i",
            "...(a)",
            "..i(a)",
            "i->x(a)",
            "i::int(a)",
            "a(b)::int",
            "a;b",
            "a'b",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
