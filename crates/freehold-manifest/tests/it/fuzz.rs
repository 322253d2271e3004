//! No input makes it panic, and every finding can be shown.
//!
//! On a failure proptest prints the smallest input and the seed; `PROPTEST_CASES` sets the number of cases.

use std::time::{Duration, Instant};

use freehold_manifest::{SourceFile, Sources, locks, read, read_service, service_names};
use proptest::prelude::*;

use crate::example::{self, shop};

/// Cases per property where `PROPTEST_CASES` says nothing: a second or two in all.
const CASES_DEFAULT: u32 = 96;
/// Deeper than any stack: what must be refused, not followed.
const DEEP: usize = 10_000;

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases.unwrap_or(CASES_DEFAULT))
    }
}

/// Reads, and shows whatever was found.
fn survive(sources: &Sources) {
    let _ = service_names(&sources.system);
    let checked = read(sources);
    for finding in &checked.diagnostics {
        for place in finding.place.iter().chain(&finding.also) {
            let text = &sources.file(&place.file).expect("a known file").text;
            assert!(text.get(place.span.clone()).is_some(), "{finding:?}");
            assert!(place.line > 0 && place.column > 0);
        }
        assert!(!finding.render(sources, false).is_empty());
        assert!(!finding.render(sources, true).is_empty());
    }
    for service in sources.services.values() {
        let alone = read_service(&service.manifest);
        // Alone it is judged by less than the whole.
        assert!(alone.is_ok() || checked.system.is_none());
    }
    assert_eq!(
        checked.system.is_none(),
        checked
            .diagnostics
            .iter()
            .any(|finding| finding.severity == freehold_manifest::Severity::Error)
    );
}

/// A contract of orders, which the shop keeps in part.
const CONTRACT: &str = "service = \"order\"\nmigration = 1\nevents = [\"order.placed\", \"order.gone\"]\n\
    [payloads.\"order.placed\"]\nid = \"int8 not null\"\n[commands]\n\"order.expire\" = [\"order\"]\n\
    [tables.orders]\nkey = [\"id\"]\n[tables.orders.columns]\nid = \"bigint not null\"\nstatus = \"varchar(9)\"\n";

/// Which text of the shop is broken.
#[derive(Debug, Clone, Copy)]
enum Target {
    System,
    Manifest,
    Migration,
    Contract,
}

const TARGETS: [Target; 4] = [Target::System, Target::Manifest, Target::Migration, Target::Contract];

fn with_text(target: Target, text: &str) -> Sources {
    let mut sources = shop();
    let order = sources.services.get_mut("order").expect("the order service");
    match target {
        Target::System => sources.system.text = text.to_owned(),
        Target::Manifest => order.manifest.text = text.to_owned(),
        Target::Migration => order.migrations[0].text = text.to_owned(),
        Target::Contract => {
            order.contract = Some(SourceFile {
                path: "order/contract.toml".to_owned(),
                text: text.to_owned(),
            });
        }
    }
    sources
}

fn original(target: Target) -> &'static str {
    match target {
        Target::System => example::SYSTEM,
        Target::Manifest => example::ORDER,
        Target::Migration => example::ORDER_SQL,
        Target::Contract => CONTRACT,
    }
}

/// One change of a text, by places given in thousandths of its length.
#[derive(Debug, Clone)]
enum Mutation {
    Delete(usize, usize),
    Insert(usize, String),
    Duplicate(usize, usize),
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let scraps = prop_oneof![
        any::<String>(),
        "[\\[\\]{}()'\"$.,;=#\\\\é\u{0}-]{1,6}",
        Just("refs.".to_owned()),
        Just("commands.".to_owned()),
        Just("\"order.expire\"".to_owned()),
        Just("from = [\"order\"]".to_owned()),
        Just("sends = ".to_owned()),
        Just("links.".to_owned()),
        Just("[api.limits]\nrows = ".to_owned()),
        Just("https://[::1]:8080".to_owned()),
        Just("create or replace view ".to_owned()),
        Just("primary key".to_owned()),
        Just("$$ begin ".to_owned()),
        Just("language sql as '".to_owned()),
        Just("create table ".to_owned()),
    ];
    let one = prop_oneof![
        (0..1000_usize, 0..60_usize).prop_map(|(at, length)| Mutation::Delete(at, length)),
        (0..1000_usize, scraps).prop_map(|(at, text)| Mutation::Insert(at, text)),
        (0..1000_usize, 0..200_usize).prop_map(|(at, length)| Mutation::Duplicate(at, length)),
    ];
    prop::collection::vec(one, 1..6)
}

/// Cuts bytes, not characters: what is no UTF-8 afterwards becomes U+FFFD.
fn mutate(text: &str, mutations: &[Mutation]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for mutation in mutations {
        let place = |at: usize| at * bytes.len() / 1000;
        match mutation {
            Mutation::Delete(at, length) => {
                let start = place(*at);
                bytes.drain(start..(start + length).min(bytes.len()));
            }
            Mutation::Insert(at, text) => {
                let start = place(*at);
                bytes.splice(start..start, text.bytes());
            }
            Mutation::Duplicate(at, length) => {
                let start = place(*at);
                let slice = bytes[start..(start + length).min(bytes.len())].to_vec();
                bytes.splice(start..start, slice);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_text_is_survived(target in prop::sample::select(TARGETS.to_vec()), text in any::<String>()) {
        survive(&with_text(target, &text));
    }

    #[test]
    fn any_broken_text_is_survived(target in prop::sample::select(TARGETS.to_vec()), mutations in mutations()) {
        survive(&with_text(target, &mutate(original(target), &mutations)));
    }

    #[test]
    fn any_words_of_sql_are_survived(words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 1..60)) {
        let sources = with_text(Target::Migration, &words.join(" "));
        survive(&sources);
        let order = &sources.services["order"].migrations;
        prop_assert_eq!(locks::of_migrations(order).len(), order.len());
    }
}

const WORDS: &[&str] = &[
    "create",
    "table",
    "view",
    "function",
    "f()",
    "as",
    "language",
    "or replace",
    "order_totals",
    "search_orders",
    "if exists",
    "set schema",
    "with (security_invoker = true)",
    "returns trigger",
    "f(int, out x text)",
    "routine",
    "sql",
    "plpgsql",
    "$$",
    "'",
    "select",
    "*",
    "from",
    "users",
    "join",
    "(",
    ")",
    ",",
    ";",
    "x",
    "int",
    "primary key",
    "references",
    "alter",
    "add",
    "column",
    "drop",
    "rename",
    "to",
    "constraint",
    "foreign key",
    "with",
    "recursive",
    "insert into",
    "update",
    "set",
    "delete",
    "using",
    "do",
    "begin",
    "end",
    "$a$",
    "/*",
    "*/",
    "--",
    "\n",
    "E'\\",
    "\"",
    ".",
    "partition of",
    "like",
    "inherits",
    "temp",
    "if not exists",
    "1",
    "'a'",
    "=",
    "::",
    "[",
    "]",
    "case",
    "when",
    "atomic",
    "return",
];

#[test]
fn deep_nesting_is_refused_not_followed() {
    for unit in [
        "(",
        "[",
        "not ",
        "- ",
        "select (",
        "case when ",
        "1 + ",
        "a.",
        "a::",
        "array[",
        "select 1 union ",
        "begin ",
        "explain ",
        "x join ",
        "with a as (",
        "if x then ",
        "exists (",
        "x is null ",
        "a and ",
        "from (",
        "row(",
        "a -> ",
        "$$",
        "$a$",
        "'",
        "/*",
        "{",
        "lateral (",
        "create schema a ",
        "int[]",
        "x between ",
        "cast(",
        "at time zone ",
        "collate ",
        "loop ",
        "declare a int; begin ",
    ] {
        for (before, after) in [
            ("select ", ""),
            (
                "create function f() returns int language sql as $body$ select ",
                "$body$",
            ),
            ("do $body$ begin ", "$body$"),
        ] {
            survive(&with_text(
                Target::Migration,
                &format!("{before}{}{after}", unit.repeat(DEEP)),
            ));
        }
        // Just within the limits, on the parser's own stack.
        let words = unit.split_whitespace().count();
        let within = if unit.contains(['(', '[']) { 190 } else { 1_900 / words };
        survive(&with_text(
            Target::Migration,
            &format!("select {}", unit.repeat(within)),
        ));
    }
    for text in [
        format!("a = {}", "[".repeat(DEEP)),
        format!("a = {}", "{ a = ".repeat(DEEP)),
        format!("{} = 1", vec!["a"; DEEP].join(".")),
        format!("[{}]", vec!["a"; DEEP].join(".")),
    ] {
        survive(&with_text(Target::Manifest, &text));
        survive(&with_text(Target::System, &text));
    }
}

#[test]
fn a_big_migration_is_read_in_reasonable_time() {
    const ROWS: usize = 20_000;
    const SECONDS_MAX: u64 = 20;
    let rows = vec!["(1, 'x', now())"; ROWS].join(",\n");
    let sql = format!("{}\ninsert into order_history values {rows};", example::ORDER_SQL);
    let started = Instant::now();
    let sources = with_text(Target::Migration, &sql);
    assert_eq!(read(&sources).diagnostics, []);
    assert!(started.elapsed() < Duration::from_secs(SECONDS_MAX));
}
