//! Contracts that are broken: what people read about it, and a corpus of migrations with the verdict each must get.

use std::fs;
use std::path::Path;

use freehold_manifest::locks::{self, Lock};
use freehold_manifest::{Diagnostic, Severity, SourceFile, Sources, read};

use crate::example::{replace, report, shop};
use crate::rules::rule_test;

const ORDER: &str = "order/freehold.toml";
const USER: &str = "user/freehold.toml";
const PRODUCT: &str = "product/freehold.toml";

/// The shop, everything accepted as it stands.
fn accepted() -> Sources {
    let mut shop = shop();
    accept(&mut shop);
    assert_eq!(report(&shop), "");
    shop
}

fn accept(shop: &mut Sources) {
    for contract in read(shop).contracts {
        let source = shop.services.get_mut(&contract.service).expect("a service of the shop");
        source.contract = Some(SourceFile {
            path: format!("{}/contract.toml", contract.service),
            text: contract.to_toml(),
        });
    }
}

/// A migration after the accepted ones.
fn migrate(shop: &mut Sources, service: &str, sql: &str) {
    let source = shop.services.get_mut(service).expect("a service of the shop");
    source.migrations.push(SourceFile {
        path: format!("{service}/migrations/0002_next.sql"),
        text: sql.to_owned(),
    });
}

/// What was accepted, then broken: `rule_test` begins with the shop that promised nothing.
fn after_acceptance(shop: &mut Sources, breaking: impl FnOnce(&mut Sources)) {
    *shop = accepted();
    breaking(shop);
}

rule_test!(a_copied_column_stays, "published-column-gone", |shop: &mut Sources| {
    after_acceptance(shop, |shop| {
        migrate(
            shop,
            "product",
            "-- freehold: allow renaming-column: the test\nalter table products rename column price to net_price;\n\
             -- freehold: allow ban-drop-column: the test\nalter table products drop column name;\n",
        );
        replace(shop, USER, "publishes = [\"id\", \"name\"]", "publishes = [\"id\"]");
    });
});

rule_test!(a_copied_table_stays, "published-table-gone", |shop: &mut Sources| {
    after_acceptance(shop, |shop| {
        migrate(
            shop,
            "user",
            "-- freehold: allow ban-drop-table: the test\ndrop table users;\n",
        );
        replace(
            shop,
            ORDER,
            "publishes        = [\"id\", \"user_id_ref\", \"status\", \"total_amount\"]",
            "publishes        = []",
        );
    });
});

rule_test!(
    a_copied_column_keeps_its_values,
    "published-column-retyped",
    |shop: &mut Sources| {
        after_acceptance(shop, |shop| {
            migrate(
                shop,
                "product",
                "-- freehold: allow changing-column-type: the test\n\
             alter table products alter column price type integer using price::integer;\n\
             -- freehold: allow ban-drop-not-null: the test\nalter table products alter column name drop not null;\n",
            );
        });
    }
);

rule_test!(
    a_copied_table_keeps_its_key,
    "published-key-changed",
    |shop: &mut Sources| {
        after_acceptance(shop, |shop| {
            migrate(
                shop,
                "product",
                "-- freehold: allow adding-serial-primary-key-field: the test\n\
             alter table products drop constraint products_pkey, add primary key (id, name);\n",
            );
        });
    }
);

rule_test!(an_event_that_is_heard_is_sent, "event-gone", |shop: &mut Sources| {
    after_acceptance(shop, |shop| {
        replace(
            shop,
            ORDER,
            "[\"order.placed\", \"order.confirmed\", \"order.rejected\"]",
            "[\"order.placed\"]",
        );
    });
});

rule_test!(an_event_only_grows, "payload-narrowed", |shop: &mut Sources| {
    let declared = "[payloads]\n\"order.confirmed\" = { order_id = \"bigint not null\", total = \"numeric(12, 2)\" }\n\
                    \"order.rejected\" = { order_id = \"bigint not null\" }\n\n[owns.orders]";
    replace(shop, ORDER, "[owns.orders]", declared);
    accept(shop);
    replace(
        shop,
        ORDER,
        "{ order_id = \"bigint not null\", total = \"numeric(12, 2)\" }",
        "{ order_id = \"uuid not null\" }",
    );
    replace(
        shop,
        ORDER,
        "\"order.rejected\" = { order_id = \"bigint not null\" }\n",
        "",
    );
});

#[test]
fn a_field_more_is_no_break_and_is_stated_when_it_is_accepted() {
    let mut shop = shop();
    let declared = "[payloads]\n\"order.confirmed\" = { order_id = \"bigint\" }\n\n[owns.orders]";
    replace(&mut shop, ORDER, "[owns.orders]", declared);
    accept(&mut shop);
    assert_eq!(report(&shop), "");
    replace(
        &mut shop,
        ORDER,
        "{ order_id = \"bigint\" }",
        "{ order_id = \"bigint\", total = \"numeric\" }",
    );
    let found = read(&shop).diagnostics;
    assert_eq!(found.len(), 1);
    assert!(
        found[0].message.contains("does not state `order.confirmed: total`"),
        "{}",
        found[0].message
    );
    accept(&mut shop);
    assert_eq!(report(&shop), "");
}

rule_test!(
    a_command_that_is_sent_is_obeyed,
    "command-gone",
    |shop: &mut Sources| {
        after_acceptance(shop, |shop| {
            replace(shop, PRODUCT, "\"product.release_stock\" = { from = [\"order\"] }", "");
        });
    }
);

rule_test!(
    a_contract_states_what_is_published,
    "contract-stale",
    |shop: &mut Sources| {
        after_acceptance(shop, |shop| {
            replace(shop, USER, "[\"id\", \"name\"]", "[\"id\", \"name\", \"email\"]");
            replace(
                shop,
                ORDER,
                "\"order.rejected\"]",
                "\"order.rejected\", \"order.returned\"]",
            );
        });
    }
);

rule_test!(
    a_migration_lets_others_work,
    "unsafe-migration",
    |shop: &mut Sources| {
        after_acceptance(shop, |shop| {
            migrate(
                shop,
                "user",
                "-- freehold: allow require-concurrent-index-creation:\n\
             create index users_by_name on users (name);\n\
             -- freehold: allow everything: the test\n\
             alter table users add constraint short check (length(name) < 100);\n\
             create table rooms (id bigint primary key);\ncreate index rooms_by_id on rooms (id);\n",
            );
            replace(shop, USER, "[owns.users]", "[owns.rooms]\n[owns.users]");
        });
    }
);

#[test]
fn what_is_accepted_is_right_and_a_second_acceptance_changes_nothing() {
    let mut shop = accepted();
    let before = shop.clone();
    accept(&mut shop);
    assert_eq!(shop, before);
}

#[test]
fn only_what_nobody_uses_can_be_accepted_away() {
    let mut shop = accepted();
    replace(
        &mut shop,
        ORDER,
        "publishes        = [\"id\", \"user_id_ref\", \"status\", \"total_amount\"]",
        "publishes        = [\"id\"]",
    );
    let found = read(&shop).diagnostics;
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|f| f.rule == "published-column-gone" && f.acceptable));
    accept(&mut shop);
    assert_eq!(report(&shop), "");

    replace(
        &mut shop,
        USER,
        "publishes = [\"id\", \"name\"]",
        "publishes = [\"name\"]",
    );
    let found = read(&shop).diagnostics;
    let refused = found
        .iter()
        .find(|f| f.rule == "published-column-gone")
        .expect("a finding");
    assert!(!refused.acceptable);
    assert!(
        refused.message.contains("used by `order` (copies)"),
        "{}",
        refused.message
    );
}

#[test]
fn a_contract_that_cannot_be_read_is_refused_and_guards_nothing() {
    let mut shop = accepted();
    let contract = shop.services.get_mut("user").and_then(|user| user.contract.as_mut());
    contract.expect("accepted").text.push_str("colour = 1\n");
    let found = read(&shop).diagnostics;
    assert!(
        found
            .iter()
            .any(|f| f.severity == Severity::Error && f.rule == "wrong-type")
    );
    let mut shop = accepted();
    let contract = shop.services["user"].contract.clone();
    shop.services.get_mut("order").expect("the order service").contract = contract;
    let shown = report(&shop);
    assert!(
        shown.contains("the contract in folder `order` is that of `user`"),
        "{shown}"
    );
}

/// A migration of the corpus. Its first lines say what it is about:
///
/// ```text
/// -- service: product
/// -- manifest: <text> => <text>       (any number; changes the manifest of the service)
/// -- expect: <rule> <words that the finding holds>      (any number; none: nothing is found)
/// ```
struct Case {
    name: String,
    service: String,
    manifest: Vec<(String, String)>,
    expected: Vec<String>,
    sql: String,
}

fn corpus() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the corpus")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    files.iter().map(|file| case(file)).collect()
}

fn case(file: &Path) -> Case {
    let sql = fs::read_to_string(file).expect("a case");
    let said = |key: &str| -> Vec<String> {
        let prefix = format!("-- {key}: ");
        let lines = sql.lines().filter_map(|line| line.strip_prefix(&prefix));
        lines.map(|line| line.trim().to_owned()).collect()
    };
    let changed = |change: &String| {
        let (from, to) = change.split_once(" => ").expect("from => to");
        (from.to_owned(), to.replace("\\n", "\n"))
    };
    let body: Vec<&str> = sql
        .lines()
        .filter(|line| {
            !["-- service: ", "-- manifest: ", "-- expect: "]
                .iter()
                .any(|key| line.starts_with(key))
        })
        .collect();
    Case {
        name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        service: said("service").first().cloned().unwrap_or_else(|| "product".to_owned()),
        manifest: said("manifest").iter().map(changed).collect(),
        expected: said("expect"),
        sql: body.join("\n") + "\n",
    }
}

fn one_line(finding: &Diagnostic) -> String {
    let place = finding.place.as_ref();
    let place = place.map_or(String::new(), |p| format!("{}:{}", p.file, p.line));
    format!("{} {} {place}", finding.rule, finding.message)
}

#[test]
fn every_migration_of_the_corpus_gets_its_verdict() {
    let corpus = corpus();
    assert!(corpus.len() >= 40, "only {} cases", corpus.len());
    let mut wrong = Vec::new();
    for case in &corpus {
        let mut shop = accepted();
        migrate(&mut shop, &case.service, &case.sql);
        for (from, to) in &case.manifest {
            replace(&mut shop, &format!("{}/freehold.toml", case.service), from, to);
        }
        let found: Vec<String> = read(&shop).diagnostics.iter().map(one_line).collect();
        let met = |expected: &String| {
            let mut words = expected.splitn(2, ' ');
            let (rule, holds) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            found
                .iter()
                .any(|line| line.starts_with(&format!("{rule} ")) && line.contains(holds))
        };
        if found.len() != case.expected.len() || !case.expected.iter().all(met) {
            wrong.push(format!(
                "{}\n  expected {:#?}\n  found {found:#?}",
                case.name, case.expected
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_statement_of_a_new_table_locks_nobody_out() {
    let file = |path: &str, text: &str| SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let files = [
        file(
            "0001_a.sql",
            "create table a (id int primary key);\ncreate index i on a (id);",
        ),
        file("0002_b.sql", "drop index i;\n\nalter table a add column b int;"),
    ];
    let read: Vec<_> = locks::of_migrations(&files).into_iter().flatten().collect();
    assert!(
        read[0]
            .iter()
            .all(|statement| statement.locks.iter().all(|lock| lock.lock.is_none()))
    );
    assert_eq!(
        (read[1][0].locks[0].table.as_str(), read[1][0].locks[0].lock),
        ("a", Some(Lock::AccessExclusive))
    );
    assert_eq!(
        (read[1][1].line, read[1][1].text.as_str()),
        (3, "alter table a add column b int;")
    );
}
