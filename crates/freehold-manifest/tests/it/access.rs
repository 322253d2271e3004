//! `[auth]`, and who may ask for what: read from the manifests and followed through the migrations.

use freehold_manifest::model::{Auth, ServedTo};
use freehold_manifest::{Sources, read};

use crate::example::{append, replace, shop};
use crate::rules::rule_test;

const SYSTEM: &str = "system.toml";
const ORDER: &str = "order/freehold.toml";
const ORDER_SQL: &str = "order/migrations/0001_start.sql";
const USER: &str = "user/freehold.toml";
const USER_SQL: &str = "user/migrations/0001_start.sql";
const PRODUCT: &str = "product/freehold.toml";
const PRODUCT_SQL: &str = "product/migrations/0001_start.sql";

/// The shop with users who sign in: every table has its policy.
fn signed_in() -> Sources {
    let mut shop = shop();
    append(&mut shop, SYSTEM, "\n[auth]\nservice = \"user\"\n");
    for (path, tables) in [
        (USER_SQL, &["users"][..]),
        (PRODUCT_SQL, &["products"]),
        (ORDER_SQL, &["orders", "order_items", "order_history"]),
    ] {
        for table in tables {
            append(&mut shop, path, &protected(table));
        }
    }
    shop
}

fn protected(table: &str) -> String {
    format!("alter table {table} enable row level security;\ncreate policy own on {table} using (true);\n")
}

#[test]
fn a_system_whose_tables_have_policies_is_right() {
    let checked = read(&signed_in());
    assert_eq!(checked.diagnostics, []);
    let auth = Auth {
        service: "user".into(),
        issuer: "freehold:shop".into(),
    };
    assert_eq!(checked.system.expect("a right system").auth, Some(auth));
    assert_eq!(read(&shop()).system.expect("a right system").auth, None);
}

#[test]
fn who_is_served_reads_as_declared() {
    let mut shop = signed_in();
    replace(
        &mut shop,
        SYSTEM,
        "service = \"user\"",
        "service = \"user\"\nissuer = \"https://id.shop.example\"",
    );
    append(&mut shop, USER, "served = false\n");
    append(&mut shop, PRODUCT, "public = true\n");
    replace(&mut shop, ORDER, "hidden        = [\"rank\"]", "public = true");
    replace(
        &mut shop,
        ORDER,
        "\"Orders by a word of their status.\"",
        "\"\"\npublic = true",
    );
    let checked = read(&shop);
    assert_eq!(checked.diagnostics, []);
    let system = checked.system.expect("a right system");
    assert_eq!(
        system.auth.map(|auth| auth.issuer).as_deref(),
        Some("https://id.shop.example")
    );
    let of = |service: &str| {
        &system
            .services
            .iter()
            .find(|s| s.name == service)
            .expect("a service")
            .owns[0]
    };
    assert_eq!(of("user").served, ServedTo::Nobody);
    assert_eq!(of("product").served, ServedTo::Anybody);
    assert_eq!(of("order").served, ServedTo::SignedIn);
    let order = &system.services[2];
    assert_eq!(
        (order.views[0].served, order.functions[0].served),
        (ServedTo::Anybody, ServedTo::Anybody)
    );
}

rule_test!(
    a_served_table_has_policies,
    "table-without-policy",
    |shop: &mut Sources| {
        *shop = signed_in();
        replace(shop, USER_SQL, &protected("users"), "");
        replace(shop, PRODUCT_SQL, "create policy own on products using (true);", "");
        append(
            shop,
            ORDER_SQL,
            "alter table orders disable row level security;
create policy more on order_items using (true);
drop policy own on order_items;
alter policy more on order_items rename to most;
drop policy if exists most on order_items;
drop policy own on public.order_history;
alter table order_history rename to histories;
create policy own on histories using (true);
alter table histories rename to order_history;
",
        );
    }
);

rule_test!(
    a_public_table_is_not_written_by_chance,
    "public-writable",
    |shop: &mut Sources| {
        *shop = signed_in();
        replace(shop, PRODUCT_SQL, &protected("products"), "");
        append(shop, PRODUCT, "public = true\n");
        replace(shop, ORDER_SQL, &protected("order_history"), "");
        replace(
            shop,
            ORDER,
            "mode    = \"append_only\"",
            "public = true\nmode    = \"append_only\"",
        );
    }
);

rule_test!(
    a_called_function_is_held_by_policies,
    "function-as-owner",
    |shop: &mut Sources| {
        *shop = signed_in();
        append(
            shop,
            USER_SQL,
            "create function a() returns bigint language sql stable security definer as $$ select count(*) from users $$;
create function b() returns bigint language sql stable as $$ select count(*) from users $$;
alter function b() security definer;
create function c() returns bigint language sql security definer as $$ select count(*) from users $$;
alter function c() security invoker;
create function unlisted() returns bigint language sql security definer as $$ select 1 $$;
",
        );
        append(
            shop,
            USER,
            "\n[functions.a]\n[functions.b]\npublic = true\n[functions.c]\n",
        );
    }
);

#[test]
fn a_view_past_the_policies_is_refused_where_people_sign_in() {
    let mut shop = signed_in();
    replace(&mut shop, ORDER_SQL, " with (security_invoker = true)", "");
    assert!(read(&shop).system.is_none());
    replace(&mut shop, ORDER, "hidden        = [\"rank\"]", "public = true");
    let checked = read(&shop);
    assert!(checked.system.is_some());
    assert_eq!(checked.diagnostics[0].rule, "view-as-owner");
}

#[test]
fn auth_names_a_service_and_nothing_is_public_and_unserved() {
    let mut shop = signed_in();
    replace(
        &mut shop,
        SYSTEM,
        "service = \"user\"",
        "service = \"users\"\nissuer = \" \"\nkeys = 1",
    );
    append(&mut shop, USER, "served = false\npublic = true\n");
    let found = read(&shop).diagnostics;
    let rules: Vec<&str> = found.iter().map(|f| f.rule).collect();
    assert_eq!(
        rules,
        ["unknown-service", "invalid-value", "unknown-key", "invalid-value"]
    );
    assert_eq!(found[0].help.as_deref(), Some("did you mean `user`?"));
}

#[test]
fn the_end_of_sessions_needs_no_program() {
    let mut shop = signed_in();
    replace(&mut shop, SYSTEM, "service = \"user\"", "service = \"order\"");
    replace(
        &mut shop,
        ORDER,
        "\"order.placed\", ",
        "\"order.placed\", \"order.sessions_ended\", ",
    );
    append(&mut shop, USER, "");
    replace(
        &mut shop,
        USER,
        "service = \"user\"",
        "service = \"user\"\nsubscribes = [\"order.sessions_ended\"]",
    );
    assert_eq!(read(&shop).diagnostics, []);
}
