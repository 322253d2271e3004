use super::*;
use crate::entity::query::{Comparison, Direction, Field, Item, Operand, Sort, Test, Truth};

fn read(text: &str) -> Result<Query, String> {
    parse(text, &Limits::default(), &["a", "tag"]).map_err(|p| p.message().to_owned())
}

fn limit_of(text: &str) -> Option<String> {
    let problem = parse(text, &Limits::default(), &[]).err()?;
    assert_eq!(problem.status(), 400);
    assert_eq!(problem.code(), "PGRST100");
    let answer = problem.into_answer();
    let members: serde_json::Value = serde_json::from_slice(answer.body()).expect("a problem is JSON");
    members.get("limit").and_then(|l| l.as_str()).map(str::to_owned)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn column(name: &str) -> Field {
    Field {
        column: name.to_owned(),
        path: Vec::new(),
    }
}

fn equal(name: &str, value: &str) -> Clause {
    Clause::Test(Filter {
        field: column(name),
        sense: Sense::Plain,
        test: Test::Compare(Comparison::Equal, Operand::One(value.to_owned())),
    })
}

fn ascending(name: &str) -> Sort {
    Sort {
        relation: None,
        field: column(name),
        direction: Direction::Ascending,
        nulls: None,
    }
}

#[test]
fn nothing_asked_is_everything() {
    for text in ["", "&&", "select=", "select", "order=", "columns=", "on_conflict="] {
        assert_eq!(read(text), Ok(Query::default()), "{text}");
    }
}

#[test]
fn every_reserved_word_is_read() {
    let expected = Query {
        select: vec![Item::All],
        columns: Some(names(&["x", "y z"])),
        on_conflict: Some(names(&["k"])),
        rows: Rows {
            filters: vec![Clause::Tree {
                logic: Logic::Or,
                sense: Sense::Plain,
                clauses: vec![equal("b", "1")],
            }],
            order: vec![ascending("b")],
            limit: Some(5),
            offset: 7,
        },
        after: Some("abc".to_owned()),
        ..Query::default()
    };
    let text = "select=*&columns=x,\"y+z\",x&on_conflict=k&order=b,b&limit=5&offset=7&or=(b.eq.1)&after=abc";
    assert_eq!(read(text), Ok(expected));
}

#[test]
fn parts_of_one_embedded_relation_are_one_entry() {
    let query = read("i.t.b=eq.1&i.limit=3&i.\"order\"=eq.2&i.t.order=b&i.offset=1&i.t.limit=9").expect("it is valid");
    let i = Rows {
        filters: vec![equal("order", "2")],
        limit: Some(3),
        offset: 1,
        ..Rows::default()
    };
    let t = Rows {
        filters: vec![equal("b", "1")],
        order: vec![ascending("b")],
        limit: Some(9),
        ..Rows::default()
    };
    assert_eq!(query.rows, Rows::default());
    assert_eq!(query.nested, [(names(&["i"]), i), (names(&["i", "t"]), t)]);
}

#[test]
fn not_stands_before_and_or_or_before_the_path() {
    let both = |logic, sense| {
        vec![Clause::Tree {
            logic,
            sense,
            clauses: vec![equal("b", "1"), equal("c", "2")],
        }]
    };
    for (key, path, logic, sense) in [
        ("and", "", Logic::And, Sense::Plain),
        ("not.or", "", Logic::Or, Sense::Negated),
        ("i.or", "i", Logic::Or, Sense::Plain),
        ("i.not.and", "i", Logic::And, Sense::Negated),
        ("not.i.and", "i", Logic::And, Sense::Negated),
        ("\"not\".or", "not", Logic::Or, Sense::Plain),
    ] {
        let query = read(&format!("{key}=(b.eq.1,c.eq.2)")).expect(key);
        let (found, rows) = match query.nested.into_iter().next() {
            Some((found, rows)) => (found.concat(), rows),
            None => (String::new(), query.rows),
        };
        assert_eq!((found.as_str(), rows.filters), (path, both(logic, sense)), "{key}");
    }
}

#[test]
fn an_argument_is_not_read_any_further() {
    let query = read("a=eq.1%2B&tag=x+y&tag=&b=eq.1&limit=1&tag.b=is.null").expect("it is valid");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        query.arguments,
        [pair("a", "eq.1+"), pair("tag", "x y"), pair("tag", "")]
    );
    assert_eq!(query.rows.filters, [equal("b", "1")]);
    assert_eq!(query.nested.len(), 1);
    let reserved = parse("limit=3&or=(a.eq.1)", &Limits::default(), &["limit", "or"]).expect("it is valid");
    assert_eq!(reserved.arguments, []);
    assert_eq!(reserved.rows.limit, Some(3));
}

#[test]
fn keys_are_paths_fields_and_quoted_names() {
    let key = |text: &str| {
        let query = read(&format!("{text}=is.null")).expect(text);
        match query.nested.into_iter().next() {
            Some((path, rows)) => (path, rows.filters),
            None => (Vec::new(), query.rows.filters),
        }
    };
    let is_null = |field: Field| {
        vec![Clause::Test(Filter {
            field,
            sense: Sense::Plain,
            test: Test::Is(Truth::Null),
        })]
    };
    for (text, path, name) in [
        ("b", &[] as &[&str], "b"),
        ("a+b-c_$1", &[], "a b-c_$1"),
        ("+b+", &[], "b"),
        ("\"+b.c\\\"\\\\\"", &[], " b.c\"\\"),
        ("gr%C3%B6%C3%9Fe", &[], "größe"),
        ("i.t.b", &["i", "t"], "b"),
        ("\"i.i\".b", &["i.i"], "b"),
        ("i.select", &["i"], "select"),
        ("\"select\"", &[], "select"),
        ("\"and\"", &[], "and"),
    ] {
        assert_eq!(key(text), (names(path), is_null(column(name))), "{text}");
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    for text in [
        "b",
        "b=",
        "=eq.1",
        ".b=eq.1",
        "b.=eq.1",
        "i..b=eq.1",
        "b c(d)=eq.1",
        "*=eq.1",
        "\"b=eq.1",
        "limit=x",
        "limit=",
        "limit=+1",
        "limit=-1",
        "limit=99999999999999999999",
        "limit=9223372036854775808",
        "offset=-1",
        ".limit=1",
        "i..limit=1",
        "i->x.limit=1",
        "limit=1&limit=2",
        "i.limit=1&\"i\".limit=2",
        "order=a&order=b",
        "select=a&select=b",
        "select&select",
        "columns=a&columns=b",
        "on_conflict=a&on_conflict=a",
        "after=a&after=b",
        "columns=*",
        "columns=a,",
        "columns=a->b",
        "a b=eq.%00",
        "b=eq.%ff",
        "b=eq.\0",
        "%ff=eq.1",
    ] {
        let refused = parse(text, &Limits::default(), &[]).err();
        let refused = refused.map(|p| (p.status().as_u16(), p.code().to_owned()));
        assert_eq!(refused, Some((400, "PGRST100".to_owned())), "{text}");
    }
}

#[test]
fn a_refusal_names_the_thing_and_the_place() {
    for (text, message) in [
        ("b=foo", "the filter on `b` has no operator"),
        ("b=foo.1", "`foo` in the filter on `b` is no known operator"),
        ("b=is.maybe", "`is` on `b` does not know `maybe`"),
        ("i.limit=1&i.limit=1", "`i.limit` is given twice"),
        ("limit=x", "`limit` must be a whole number, not `x`"),
        (
            "select=b)c",
            "`select` is not understood from `)c` on: a comma is expected",
        ),
        ("select=b(c", "`select` ends too early: a comma or `)` is missing"),
        (
            "order=b.up",
            "`order` is not understood from `.up` on: a comma, or .asc or .desc, then .nullsfirst or .nullslast is expected",
        ),
        ("or=(b.eq.1", "`or` ends too early: a comma or `)` is missing"),
        (
            "b->>c->d=eq.1",
            "`b->>c->d` is not understood from `->d` on: the end of the path after `->>`, which gives text is expected",
        ),
    ] {
        let refused = parse(text, &Limits::default(), &[]).map_err(|p| p.message().to_owned());
        assert_eq!(refused, Err(message.to_owned()), "{text}");
    }
}

#[test]
fn what_is_beyond_a_limit_is_refused_by_its_name() {
    let many = |one: &str, times: usize| vec![one; times].join(",");
    let nested =
        |open: &str, depth: usize, inside: &str| format!("{}{inside}{}", open.repeat(depth), ")".repeat(depth));
    for (limit, within, beyond) in [
        ("filters", "b=eq.1&".repeat(64), "b=eq.1&".repeat(65)),
        (
            "filters",
            format!("or=({})", many("b.eq.1", 64)),
            format!("c=eq.1&or=({})", many("b.eq.1", 64)),
        ),
        (
            "filter_depth",
            format!("and=({})", nested("or(", 7, "b.eq.1")),
            format!("and=({})", nested("or(", 8, "b.eq.1")),
        ),
        (
            "in_values",
            format!("b=in.({})", many("1", 1_000)),
            format!("b=in.({})", many("1", 1_001)),
        ),
        (
            "in_values",
            format!("b=eq(any).{{{}}}", many("1", 1_000)),
            format!("b=like(all).{{{}}}", many("1", 1_001)),
        ),
        (
            "embed_depth",
            format!("select={}", nested("i(", 5, "b")),
            format!("select={}", nested("i(", 6, "b")),
        ),
        (
            "embed_depth",
            "i.i.i.i.i.b=eq.1".to_owned(),
            "i.i.i.i.i.i.b=eq.1".to_owned(),
        ),
        (
            "embeds",
            format!("select={}", many("i()", 20)),
            format!("select={}", many("i()", 21)),
        ),
        (
            "embeds",
            (0..20).map(|n| format!("i{n}.limit=1&")).collect(),
            (0..21).map(|n| format!("i{n}.limit=1&")).collect(),
        ),
        (
            "pattern_bytes",
            format!("b=match.{}", "x".repeat(256)),
            format!("b=not.imatch.{}", "x".repeat(257)),
        ),
        (
            "pattern_bytes",
            format!("b=match(any).{{x,{}}}", "x".repeat(256)),
            format!("or=(b.match(any).{{x,{}}})", "x".repeat(257)),
        ),
        ("offset", "offset=100000".to_owned(), "offset=100001".to_owned()),
        ("offset", "i.offset=100000".to_owned(), "i.offset=100001".to_owned()),
    ] {
        assert!(
            parse(&within, &Limits::default(), &[]).is_ok(),
            "within {limit}: {within}"
        );
        assert_eq!(limit_of(&beyond).as_deref(), Some(limit), "{beyond}");
    }
}

#[test]
fn a_pattern_limit_of_nothing_refuses_every_pattern() {
    let limits = Limits {
        pattern_bytes: 0,
        ..Limits::default()
    };
    let refused = parse("b=match.x", &limits, &[]).map_err(|p| p.message().to_owned());
    let message = "`match` on `b` is refused here: the limit `pattern_bytes` is 0";
    assert_eq!(refused, Err(message.to_owned()));
    assert!(parse("b=match.", &limits, &[]).is_err());
    assert!(parse("b=like.x", &limits, &[]).is_ok());
}

#[test]
fn lists_have_at_most_1600_entries() {
    let list = |count: usize| (0..count).map(|n| format!("c{n}")).collect::<Vec<_>>().join(",");
    for part in ["select", "order", "columns", "on_conflict"] {
        assert!(read(&format!("{part}={}", list(1_600))).is_ok(), "{part}");
        assert!(read(&format!("{part}={}", list(1_601))).is_err(), "{part}");
    }
}

#[test]
fn no_limit_of_a_manifest_lets_a_request_exhaust_the_stack() {
    let limits = Limits {
        embed_depth: u64::MAX,
        embeds: u64::MAX,
        filter_depth: u64::MAX,
        filters: u64::MAX,
        ..Limits::default()
    };
    for text in [
        format!("select={}", "a(".repeat(100_000)),
        format!("or={}", "(and".repeat(100_000)),
        format!("or=({}", "not.or(".repeat(100_000)),
        format!("{}b=eq.1", "a.".repeat(100_000)),
    ] {
        assert!(parse(&text, &limits, &[]).is_err());
    }
}
