//! Streams and projections: read from the manifest, and one broken shop per rule.

use freehold_manifest::model::{Audience, Follows, Mode, Projection, Stream, Timing};
use freehold_manifest::{Sources, read};

use crate::example::{append, replace, report, shop};
use crate::rules::rule_test;

const PRODUCT: &str = "product/freehold.toml";
const PRODUCT_SQL: &str = "product/migrations/0001_start.sql";
const ORDER: &str = "order/freehold.toml";

const STREAMS: &str = r#"
[streams.stock]
summary   = "What came and went."
events    = ["counted", "taken"]
published = true

[streams.visit]
events = ["made"]

[owns.stock_levels]
mode = "projection"

[owns.stock_days]
mode = "projection"

[projections.stock_levels]
summary = "What is there."
streams = ["stock"]
timing  = "with_append"
fold    = "fold_levels"

[projections.days]
tables  = ["stock_days"]
topics  = ["product.products"]
fold    = "fold_days"
"#;

const TABLES: &str = "
create table stock_levels (id int primary key);
create table stock_days (day date primary key);
create function fold_levels(events json) returns void language sql as $$ select $$;
create function fold_days(events json) returns void language sql as $$ select $$;
";

/// The shop with streams.
fn add(shop: &mut Sources) {
    append(shop, PRODUCT, STREAMS);
    append(shop, PRODUCT_SQL, TABLES);
}

#[test]
fn streams_and_projections_read_as_declared() {
    let mut shop = shop();
    add(&mut shop);
    assert_eq!(report(&shop), "");
    let system = read(&shop).system.expect("a right system");
    let product = system.service("product").expect("the product service");
    assert_eq!(
        product.streams,
        [
            Stream {
                name: "stock".into(),
                summary: "What came and went.".into(),
                events: vec!["counted".into(), "taken".into()],
                audience: Audience::Published,
            },
            Stream {
                name: "visit".into(),
                summary: String::new(),
                events: vec!["made".into()],
                audience: Audience::Private,
            },
        ]
    );
    assert_eq!(
        product.projections,
        [
            Projection {
                name: "stock_levels".into(),
                summary: "What is there.".into(),
                tables: vec!["stock_levels".into()],
                follows: Follows::Streams(vec!["stock".into()]),
                timing: Timing::WithAppend,
                fold: Some("fold_levels".into()),
            },
            Projection {
                name: "days".into(),
                summary: String::new(),
                tables: vec!["stock_days".into()],
                follows: Follows::Topics(vec!["product.products".into()]),
                timing: Timing::AfterAppend,
                fold: Some("fold_days".into()),
            },
        ]
    );
    assert_eq!(
        product.table("stock_days").map(|table| table.mode),
        Some(Mode::Projection)
    );
    assert!(product.topics().contains(&"product.stock".to_owned()));
    assert!(!product.topics().contains(&"product.visit".to_owned()));
}

#[test]
fn events_of_a_published_stream_are_heard_on_its_topic() {
    let mut shop = shop();
    add(&mut shop);
    replace(
        &mut shop,
        ORDER,
        "[\"user.users.deleted\"]",
        "[\"user.users.deleted\", \"product.stock.taken\"]",
    );
    assert_eq!(report(&shop), "");
    let system = read(&shop).system.expect("a right system");
    let order = system.service("order").expect("the order service");
    assert!(order.hears("product").contains(&"product.stock".to_owned()));
}

rule_test!(
    a_projection_follows_its_own_streams,
    "unknown-stream",
    |shop: &mut Sources| {
        add(shop);
        replace(
            shop,
            PRODUCT,
            "streams = [\"stock\"]",
            "streams = [\"stocks\", \"order\"]",
        );
        replace(
            shop,
            PRODUCT,
            "[\"product.products\"]",
            "[\"product.product\", \"product.visit\"]",
        );
    }
);

rule_test!(
    a_projection_has_its_tables_to_itself,
    "projection-table",
    |shop: &mut Sources| {
        add(shop);
        append(
            shop,
            PRODUCT,
            "
[owns.unfilled]
mode = \"projection\"
[owns.plain]
[owns.twice]
mode = \"projection\"
publishes = [\"id\"]
[projections.one]
tables = [\"twice\", \"plain\"]
streams = [\"visit\"]
fold = \"fold_days\"
[projections.two]
tables = [\"twice\", \"nowhere\"]
streams = [\"visit\"]
fold = \"fold_days\"
",
        );
        append(
            shop,
            PRODUCT_SQL,
            "create table unfilled (id int primary key);
create table plain (id int primary key references stock_levels);
create table twice (id int primary key, version bigint not null);",
        );
    }
);

/// What the finding of that rule says, of the shop with streams after a change.
fn says(change: impl FnOnce(&mut Sources), rule: &str, message: &str) {
    let mut shop = shop();
    add(&mut shop);
    change(&mut shop);
    let report = report(&shop);
    assert!(report.contains(rule) && report.contains(message), "{report}");
}

#[test]
fn other_rules_know_streams_and_projections() {
    let fold = |shop: &mut Sources| replace(shop, PRODUCT, "fold    = \"fold_days\"", "fold = \"fold_day\"");
    says(fold, "unknown-function", "did you mean `fold_days`?");
    let none = |shop: &mut Sources| {
        replace(shop, PRODUCT, "fold    = \"fold_days\"", "");
        replace(shop, PRODUCT, "program = \"shop-product\"", "");
    };
    says(none, "behaviour-without-program", "nobody would fold it");
    let with = |shop: &mut Sources| replace(shop, PRODUCT, "fold    = \"fold_levels\"", "");
    says(with, "invalid-value", "needs `fold`");
    let both = |shop: &mut Sources| replace(shop, PRODUCT, "topics  = ", "streams = [\"visit\"]\ntopics = ");
    says(both, "invalid-value", "one or the other");
    let at_once = |shop: &mut Sources| replace(shop, PRODUCT, "topics  = ", "timing = \"with_append\"\ntopics = ");
    says(at_once, "invalid-value", "the log is written after the commit");
    let empty = |shop: &mut Sources| replace(shop, PRODUCT, "[\"made\"]", "[]");
    says(empty, "invalid-value", "expected at least one");
    let topic = |shop: &mut Sources| replace(shop, PRODUCT, "[streams.stock]", "[streams.products]");
    says(topic, "reserved-name", "would be the topic of two things");
    let keyless = |shop: &mut Sources| replace(shop, PRODUCT_SQL, "day date primary key", "day date");
    says(keyless, "missing-key", "a rebuild brings its rows back by it");
    let heard = |event: &'static str| {
        move |shop: &mut Sources| replace(shop, ORDER, "[\"user.users.deleted\"]", &format!("[\"{event}\"]"))
    };
    says(heard("product.stock.take"), "unknown-event", "did you mean `taken`?");
    says(
        heard("product.visit.made"),
        "unknown-event",
        "publishes no `product.visit.made`",
    );
}
