//! Views, functions and `[api]`: what is served besides tables, read from the manifest and followed through the migrations.

use freehold_manifest::model::{Api, Function, Limits, Link, ServedTo, Service, View};
use freehold_manifest::{SourceFile, Sources, read, read_service};

use crate::example::{append, replace, report, shop};
use crate::rules::rule_test;

const ORDER: &str = "order/freehold.toml";
const ORDER_SQL: &str = "order/migrations/0001_start.sql";
const USER: &str = "user/freehold.toml";
const USER_SQL: &str = "user/migrations/0001_start.sql";

rule_test!(a_served_view_is_created, "unknown-view", |shop: &mut Sources| {
    replace(shop, ORDER, "[views.order_totals]", "[views.orders_total]");
    append(
        shop,
        USER_SQL,
        "create view seen as select id from users; drop view seen;
create materialized view kept as select id from users;
create function counted() returns bigint language sql as $$ select count(*) from users $$;",
    );
    append(shop, USER, "\n[views.seen]\n[views.kept]\n[views.counted]\n");
});

rule_test!(
    a_called_function_is_created,
    "unknown-function",
    |shop: &mut Sources| {
        replace(shop, ORDER, "[functions.search_orders]", "[functions.search_order]");
        append(shop, ORDER, "\n[functions.order_totals]\n");
        append(
            shop,
            USER_SQL,
            "create function touch() returns trigger language plpgsql as $$ begin return new; end $$;
create function gone() returns int language sql return 1; drop function gone();
create procedure clean() language sql as $$ delete from users $$;",
        );
        append(shop, USER, "\n[functions.touch]\n[functions.gone]\n[functions.clean]\n");
    }
);

rule_test!(
    a_served_view_asks_with_the_rights_of_its_reader,
    "view-as-owner",
    |shop: &mut Sources| {
        replace(
            shop,
            ORDER_SQL,
            "order_totals with (security_invoker = true)",
            "order_totals with (security_barrier)",
        );
        append(
            shop,
            USER_SQL,
            "create view a with (security_invoker = off) as select id from users;
create view b with (security_invoker) as select id from users;
create view c as select id from users;
alter view c set (security_invoker = on);
create view d with (security_invoker = '1') as select id from users;
alter view d reset (security_invoker);
create view unlisted as select id from users;",
        );
        append(shop, USER, "\n[views.a]\n[views.b]\n[views.c]\n[views.d]\n");
    }
);

#[test]
fn views_functions_and_limits_read_as_declared() {
    let system = read(&shop()).system.expect("a right system");
    let order = system.service("order").expect("the order service");
    assert_eq!(
        order.views,
        [View {
            name: "order_totals".into(),
            summary: "What each buyer spent.".into(),
            key: vec!["user_id_ref".into()],
            links: vec![Link {
                column: "last_id".into(),
                table: "orders".into(),
                to: "id".into(),
            }],
            hidden: vec!["rank".into()],
            served: ServedTo::SignedIn,
        }]
    );
    assert_eq!(
        order.functions,
        [Function {
            name: "search_orders".into(),
            summary: "Orders by a word of their status.".into(),
            served: ServedTo::SignedIn,
        }]
    );
    let limits = Limits {
        rows: 1000,
        pattern_bytes: 0,
        ..Limits::default()
    };
    assert_eq!(order.api.origins, ["https://shop.example", "http://localhost:5173"]);
    assert_eq!(order.api.limits, limits);
    let user = system.service("user").expect("the user service");
    assert_eq!(user.api, Api::default());
    assert!(user.views.is_empty() && user.functions.is_empty());
}

fn alone(api: &str) -> Result<Service, String> {
    let manifest = SourceFile {
        path: "order/freehold.toml".to_owned(),
        text: format!("service = \"order\"\n[api]\n{api}\n"),
    };
    read_service(&manifest).map_err(|found| {
        let shown: Vec<String> = found.iter().map(|f| format!("{}: {}", f.rule, f.message)).collect();
        shown.join("\n")
    })
}

#[test]
fn every_limit_can_be_set() {
    let set = "limits = { rows = 1, url_bytes = 257, body_bytes = 3, body_depth = 4, body_rows = 5, embed_depth = 6, \
        embeds = 7, filters = 8, filter_depth = 9, in_values = 10, pattern_bytes = 11, offset = 12, statement_ms = 13, \
        wait_ms = 14, operations = 15, client_requests = 16, requests = 17, bodies_bytes = 18 }";
    // Every field by its name: a new one does not compile until it is here.
    let expected = Limits {
        rows: 1,
        url_bytes: 257,
        body_bytes: 3,
        body_depth: 4,
        body_rows: 5,
        embed_depth: 6,
        embeds: 7,
        filters: 8,
        filter_depth: 9,
        in_values: 10,
        pattern_bytes: 11,
        offset: 12,
        statement_ms: 13,
        wait_ms: 14,
        operations: 15,
        client_requests: 16,
        requests: 17,
        bodies_bytes: 18,
    };
    assert_eq!(alone(set).map(|service| service.api.limits), Ok(expected));
}

#[test]
fn zero_is_a_limit_where_it_makes_sense() {
    for key in ["pattern_bytes", "offset"] {
        assert!(alone(&format!("limits.{key} = 0")).is_ok(), "{key}");
    }
    for key in ["rows", "body_bytes", "embeds", "statement_ms", "requests"] {
        let refused = alone(&format!("limits.{key} = 0")).expect_err(key);
        assert_eq!(refused, format!("invalid-value: `{key}` of [api.limits] cannot be 0"));
    }
    for said in [
        "limits.rows = 1.5",
        "limits.rows = true",
        "limits = 1",
        "limits.rows = { }",
    ] {
        let refused = alone(said).expect_err(said);
        assert!(refused.starts_with("wrong-type: "), "{refused}");
    }
}

#[test]
fn the_default_limits_are_among_those_that_can_be_set() {
    let Limits {
        rows,
        url_bytes,
        body_bytes,
        body_depth,
        body_rows,
        bodies_bytes,
        ..
    } = Limits::default();
    let set = format!(
        "limits = {{ rows = {rows}, url_bytes = {url_bytes}, body_bytes = {body_bytes}, body_depth = {body_depth}, \
         body_rows = {body_rows}, bodies_bytes = {bodies_bytes} }}"
    );
    assert_eq!(alone(&set).map(|service| service.api), Ok(Api::default()));
}

#[test]
fn an_origin_is_what_a_browser_would_send() {
    for right in [
        "*",
        "https://shop.example",
        "http://localhost:5173",
        "https://shop.example:8443",
        "http://[::1]:3000",
        "http://127.0.0.1",
        "capacitor://localhost",
    ] {
        let api = alone(&format!("origins = [{right:?}]")).map(|service| service.api.origins);
        assert_eq!(api, Ok(vec![right.to_owned()]));
    }
    for wrong in [
        "",
        "null",
        "https://",
        "https://*",
        "https://*.shop.example",
        "//shop.example",
        "https:shop.example",
        "https://shop.example/",
        "https://shop.example/a",
        "https://shop.example?a",
        "https://shop example",
        "https://someone@shop.example",
        "https://Shop.example",
        "https://shop.example:443",
        "http://shop.example:80",
        "https://shop.example:0",
        "https://shop.example:65536",
        "https://shop.example:",
        "https://[::1",
        "https://[shop]",
        "1://shop.example",
        "https://größe.example",
        "https://shop.example, https://other.example",
    ] {
        let refused = alone(&format!("origins = [{wrong:?}]")).expect_err(wrong);
        assert!(refused.starts_with("invalid-value: "), "{wrong}: {refused}");
    }
}

/// The findings of a shop whose users have these migrations, and whose views and functions are so declared.
fn followed(sql: &str, manifest: &str) -> String {
    let mut shop = shop();
    append(&mut shop, USER_SQL, sql);
    append(&mut shop, USER, manifest);
    report(&shop)
}

#[test]
fn views_are_followed_through_every_change() {
    let invoker = "with (security_invoker = true)";
    let sql = format!(
        r#"create view old {invoker} as select 1 as a;
        alter view old rename to people;
        create or replace view people {invoker} as select id, u.name, upper(email) as "Loud", id::text, 1 as one from users u;
        alter view people rename column one to uno;
        create view listed (a, b) {invoker} as select 1, 2, id as c from users;
        create view united {invoker} as (select id from users) union all select 1;
        create recursive view numbers (n) as values (1) union all select n + 1 from numbers where n < 9;
        alter view numbers set (security_invoker = true);
        create view anything {invoker} as select *, 1 as one from users;
        create view nameless {invoker} as select count(*), max(id) from users;
        create view partly (a) {invoker} as select * from users;
        create view was {invoker} as select 1 as a;
        alter table was rename to is_now;
        create view public.qualified {invoker} as select 1 as a;
        create view moved {invoker} as select 1 as a;
        create schema if not exists other;
        create view other.came {invoker} as select 1 as a;
        alter view other.came set schema public;
        create temp view passing as select 1 as a;
        create view elsewhere {invoker} as select 1 as a;
        drop view if exists elsewhere, nothing cascade;
        create view elsewhere {invoker} as select 1 as z;"#
    );
    let right = r#"
        [views.people]
        key = ["id"]
        hidden = ["name", "Loud", "uno"]
        links.id = "users.id"
        [views.listed]
        key = ["a", "b", "c"]
        [views.united]
        key = ["id"]
        [views.numbers]
        key = ["n"]
        [views.anything]
        key = ["whatever"]
        [views.nameless]
        key = ["count", "max"]
        [views.partly]
        key = ["a", "email"]
        [views.is_now]
        key = ["a"]
        [views.qualified]
        key = ["a"]
        [views.came]
        key = ["a"]
        [views.elsewhere]
        key = ["z"]
    "#;
    assert_eq!(followed(&sql, right), "");

    for (view, column) in [
        ("people", "one"),
        ("people", "loud"),
        ("people", "email"),
        ("listed", "id"),
        ("united", "name"),
        ("numbers", "m"),
        ("elsewhere", "a"),
    ] {
        let shown = followed(&sql, &format!("\n[views.{view}]\nkey = [{column:?}]\n"));
        let expected = format!("error[unknown-column]: `{view}` has no column `{column}`");
        assert!(shown.starts_with(&expected), "{shown}");
    }
    for gone in ["old", "was", "passing", "nothing"] {
        let shown = followed(&sql, &format!("\n[views.{gone}]\n"));
        assert!(shown.starts_with("error[unknown-view]: "), "{gone}: {shown}");
    }
}

#[test]
fn functions_are_followed_through_every_change() {
    let sql = "create function plain(a int, out b text) returns text language sql return 'x';
        create or replace function plain(integer) returns text language sql return 'y';
        create function several(a int) returns int language sql return 1;
        create function several(a text, b varchar(10) default '') returns int language sql return 1;
        drop function several(int);
        create function half(a int) returns int language sql return 1;
        create function half(a text) returns trigger language plpgsql as 'begin return null; end';
        create function first_name() returns int language sql return 1;
        alter function first_name() rename to second_name;
        create function public.qualified() returns int language sql return 1;
        drop function if exists kept(int);
        create function kept(a text) returns int language sql return 1;
        drop function if exists kept(int);
        create function twice(a int) returns int language sql return 1;
        create function twice(a varchar(4)) returns int language sql return 1;
        drop function twice(int4), twice(character varying);
        create function lone(a shop_mood) returns int language sql return 1;
        drop function lone(public.shop_mood);
        create function unnamed() returns int language sql return 1;
        drop routine unnamed;
        create function moved() returns int language sql return 1;
        alter function moved() set schema elsewhere;";
    let right = ["plain", "several", "half", "second_name", "qualified", "kept"];
    for name in right {
        assert_eq!(followed(sql, &format!("\n[functions.{name}]\n")), "", "{name}");
    }
    for gone in ["first_name", "twice", "lone", "unnamed", "moved"] {
        let shown = followed(sql, &format!("\n[functions.{gone}]\n"));
        assert!(shown.starts_with("error[unknown-function]: "), "{gone}: {shown}");
    }
    let all_gone = format!("{sql} drop function plain(int);");
    assert!(followed(&all_gone, "\n[functions.plain]\n").starts_with("error[unknown-function]: "));
}

#[test]
fn what_a_do_block_makes_is_believed() {
    for sql in [
        "do $$ begin create or replace view seen as select 1; end $$;",
        "do $$ begin create function counted() returns int language sql as 'select 1'; end $$;",
        "do $$ begin execute 'create view seen as select 1'; end $$;",
    ] {
        assert_eq!(followed(sql, "\n[views.seen]\n[functions.counted]\n"), "", "{sql}");
    }
    let shown = followed("create tabel x (id int);", "\n[views.seen]\n[functions.counted]\n");
    assert!(!shown.contains("error["), "{shown}");
}
