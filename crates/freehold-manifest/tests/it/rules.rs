//! One broken shop per rule, and what people read about it: the texts, the services, the tables.

use freehold_manifest::{Severity, Sources, read, rules};

use crate::example::{append, replace, report, shop};

/// The place of a text in the shop.
const SYSTEM: &str = "system.toml";
const ORDER: &str = "order/freehold.toml";
const ORDER_SQL: &str = "order/migrations/0001_start.sql";
const USER: &str = "user/freehold.toml";
const USER_SQL: &str = "user/migrations/0001_start.sql";
const PRODUCT: &str = "product/freehold.toml";
const PRODUCT_SQL: &str = "product/migrations/0001_start.sql";

/// Breaks the shop; asserts that the rule, and no other, has something to say.
pub(crate) fn broken(rule: &str, breaking: impl FnOnce(&mut Sources)) -> String {
    let mut sources = shop();
    breaking(&mut sources);
    let checked = read(&sources);
    let shown = report(&sources);
    assert!(rules::find(rule).is_some(), "no rule {rule}");
    assert!(!checked.diagnostics.is_empty(), "{rule} was silent");
    for finding in &checked.diagnostics {
        assert_eq!(finding.rule, rule, "a cascade:\n{shown}");
    }
    let refused = checked
        .diagnostics
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    assert_eq!(checked.system.is_none(), refused);
    shown
}

macro_rules! rule_test {
    ($test:ident, $rule:literal, $breaking:expr) => {
        #[test]
        fn $test() {
            insta::assert_snapshot!($rule, $crate::rules::broken($rule, $breaking));
        }
    };
}
pub(crate) use rule_test;

rule_test!(a_manifest_must_be_toml, "manifest-syntax", |shop: &mut Sources| {
    replace(shop, USER, "[owns.users]", "[owns.users");
    append(shop, PRODUCT, "\n[owns.products]\n");
});

rule_test!(a_key_must_be_known, "unknown-key", |shop: &mut Sources| {
    replace(shop, SYSTEM, "port     = 7100", "prot     = 7100");
    replace(shop, ORDER, "on_delete = \"keep\"", "on_deleted = \"keep\"");
    append(shop, USER, "colour = 1\n");
    replace(
        shop,
        PRODUCT,
        "{ from = [\"order\"] }",
        "{ from = [\"order\"], form = [] }",
    );
    replace(shop, SYSTEM, "\"shop-workload\"", "\"shop-workload\"\nprogramme = \"\"");
    replace(shop, ORDER, "links.last_id", "link.last_id");
    replace(shop, ORDER, "pattern_bytes", "patern_bytes");
    replace(
        shop,
        ORDER,
        "\"Orders by a word of their status.\"",
        "\"\"\nmethod = \"GET\"",
    );
    replace(shop, ORDER, "origins = ", "origin = ");
});

rule_test!(a_value_must_have_its_type, "wrong-type", |shop: &mut Sources| {
    replace(shop, SYSTEM, "port     = 7100", "port     = \"7100\"");
    replace(
        shop,
        ORDER,
        "sagas      = [\"place_order\"]",
        "sagas      = \"place_order\"",
    );
    replace(shop, USER, "[\"id\", \"name\"]", "[\"id\", 2]");
    replace(shop, PRODUCT, "\"shop-product\"", "[\"shop-product\"]");
    replace(shop, PRODUCT, "{ from = [\"order\"] }", "[\"order\"]");
    replace(shop, ORDER, "\"orders.id\"", "[\"orders.id\"]");
    replace(shop, ORDER, "= 1000", "= \"1000\"");
    append(shop, PRODUCT, "\n[functions]\nsearch = true\n");
});

rule_test!(a_value_must_make_sense, "invalid-value", |shop: &mut Sources| {
    replace(shop, SYSTEM, "\"database\"", "\"databse\"");
    replace(shop, SYSTEM, "\"feed\"", "\"kafka\"");
    replace(shop, ORDER, "\"order.placed\", ", "\"product.placed\", ");
    replace(
        shop,
        ORDER,
        "mode    = \"append_only\"",
        "mode    = \"read_write\"\nrequire_match = true\nwithin = \"orders\"",
    );
    replace(
        shop,
        ORDER_SQL,
        "order_id   bigint not null",
        "id bigint primary key, order_id bigint not null",
    );
    replace(shop, ORDER, "\"place_order\"", "\"Place-Order\"");
    replace(shop, USER, "\"user\"", "\"users\"");
    replace(
        shop,
        USER,
        "summary = ",
        "port = 70000\nprogram = \"freehold\"\nsummary = ",
    );
    replace(shop, SYSTEM, "\"shop-workload\"", "\"shop-workload --orders 10\"");
    replace(shop, PRODUCT, "\"shop-product\"", "\"./shop-product\"");
    replace(shop, ORDER, "\"shop-order\" ", "\"-order\" ");
    replace(
        shop,
        ORDER,
        "\"order.expire\"]",
        "\"order.expire\", \"expire\", \"order.expire.now\"]",
    );
    replace(shop, PRODUCT, "[commands]", COMMANDS);
    append(shop, PRODUCT, "\n[commands.product.reprice]\nfrom = [\"order\"]\n");
    replace(shop, ORDER, "\"orders.id\"", "\"order.orders.id\"");
    replace(
        shop,
        ORDER,
        "\"https://shop.example\"",
        "\"https://shop.example/\", \"shop.example\", \"HTTPS://Shop.example\", \"https://shop.example:443\", \"shop\"",
    );
    replace(
        shop,
        ORDER,
        "rows          = 1000\npattern_bytes = 0",
        "rows = 0\nbody_depth = 257\nstatement_ms = 600001\noffset = -1\nbodies_bytes = 1000",
    );
});

const COMMANDS: &str = "[commands]
product.discontinue = { from = [\"order\"] }
restock             = { from = [\"order\"] }
\"order.ship\"        = { from = [\"order\"] }
\"product.Rename\"    = { from = [\"order\"] }
\"product.rename\"    = { from = [] }
\"product.recount\"   = { from = [\"order\", \"Order\", \"order\"] }";

rule_test!(
    what_a_table_needs_must_be_there,
    "missing-value",
    |shop: &mut Sources| {
        replace(shop, SYSTEM, "system   = \"shop\"", "");
        replace(shop, ORDER, "to = \"user.users\", ", "");
        replace(shop, ORDER, "{ from = [\"order\"] }", "{}");
        replace(shop, SYSTEM, "program = \"shop-workload\"", "");
    }
);

rule_test!(a_service_is_listed_once, "duplicate-service", |shop: &mut Sources| {
    replace(shop, SYSTEM, "\"order\"]", "\"order\", \"user\"]");
});

rule_test!(
    a_listed_service_has_a_folder,
    "missing-service",
    |shop: &mut Sources| {
        replace(shop, SYSTEM, "\"order\"]", "\"order\", \"shipping\"]");
    }
);

rule_test!(
    a_password_is_not_in_the_manifest,
    "password-in-manifest",
    |shop: &mut Sources| {
        replace(
            shop,
            SYSTEM,
            "# url = \"postgres://admin@",
            "url = \"postgres://admin:s3cret@",
        );
    }
);

rule_test!(a_port_has_one_listener, "port-clash", |shop: &mut Sources| {
    replace(shop, USER, "summary = ", "port = 7103\nsummary = ");
    replace(shop, PRODUCT, "summary = ", "port = 7100\nsummary = ");
});

rule_test!(a_name_is_not_taken, "reserved-name", |shop: &mut Sources| {
    append(shop, USER, "\n[owns.order]\n[owns.pg_things]\n");
    append(
        shop,
        USER_SQL,
        "create table \"order\" (id int primary key); create table pg_things (id int primary key, freehold_x int);",
    );
    append(
        shop,
        ORDER,
        "\n[copies.orders]\nof = \"user.order\"\ncolumns = [\"id\"]\n",
    );
    replace(shop, USER, "[owns.order]", "[owns.order]\npublishes = [\"id\"]");
    replace(
        shop,
        ORDER,
        "\"order.placed\"",
        "\"order.placed\", \"order.replies\", \"order.orders\"",
    );
    append(
        shop,
        PRODUCT,
        "\n[owns.commands]\npublishes = [\"id\"]\n[owns.replies]\n",
    );
    append(
        shop,
        PRODUCT_SQL,
        "create table commands (id int primary key); create table replies (id int primary key);
         create table health (id int primary key); create view docs with (security_invoker) as select 1 as a;
         create view pg_sold with (security_invoker) as select 1 as a;
         create function freehold_ask() returns int language sql return 1;
         create function rpc() returns int language sql return 1;
         create function products() returns int language sql return 1;",
    );
    append(
        shop,
        PRODUCT,
        "[owns.health]\n[views.docs]\n[views.pg_sold]\n[views.products]\n[functions.freehold_ask]\n[functions.rpc]\n[functions.products]\n",
    );
    append(shop, ORDER, "\n[views.users]\n");
});

rule_test!(a_table_has_one_owner, "two-owners", |shop: &mut Sources| {
    append(shop, USER, "\n[owns.orders]\n");
});

#[test]
fn tables_of_one_name_may_stand_in_two_databases() {
    let mut shop = shop();
    append(&mut shop, USER, "\n[owns.orders]\n");
    append(&mut shop, USER_SQL, "create table orders (id int primary key);");
    assert!(read(&shop).diagnostics.is_empty(), "{}", report(&shop));
}

rule_test!(an_owned_table_is_created, "missing-table", |shop: &mut Sources| {
    append(shop, USER, "\n[owns.addresses]\n");
});

rule_test!(a_created_table_is_owned, "unowned-table", |shop: &mut Sources| {
    append(
        shop,
        USER_SQL,
        "create table addresses (id int primary key);\ncreate temp table scratch (a int);",
    );
    append(
        shop,
        ORDER_SQL,
        "create table products (id int primary key);\ncreate table other.things (id int);",
    );
});

rule_test!(
    an_append_only_table_does_not_change,
    "append-only-mutable",
    |shop: &mut Sources| {
        replace(
            shop,
            ORDER,
            "mode    = \"append_only\"",
            "mode    = \"append_only\"\nrefs.by = { to = \"user.users\", on_delete = \"clear\" }",
        );
        append(
            shop,
            ORDER,
            "[owns.sales]\nmode = \"append_only\"\nrefs.p = { to = \"product.products\", on_delete = \"keep\" }\ncached.n = { from = \"p.name\" }\n",
        );
        append(
            shop,
            ORDER_SQL,
            "create table sales (p int primary key, n text, updated_at timestamptz);\nalter table order_history add column by int;",
        );
    }
);

rule_test!(a_library_column_has_its_type, "library-column", |shop: &mut Sources| {
    replace(
        shop,
        USER_SQL,
        "name  text",
        "version text, updated_at timestamp(3), name  text",
    );
    replace(
        shop,
        ORDER_SQL,
        "status  ",
        "version int8, updated_at timestamp (3) with time zone, status  ",
    );
});

rule_test!(rows_have_a_key, "missing-key", |shop: &mut Sources| {
    replace(
        shop,
        USER_SQL,
        "bigint generated always as identity primary key",
        "bigint not null",
    );
    replace(shop, PRODUCT, "\"id\", ", "");
    replace(
        shop,
        ORDER,
        "columns = [\"id\", \"name\", \"price\"]",
        "columns = [\"name\", \"price\"]",
    );
});

rule_test!(a_part_has_its_root, "missing-root", |shop: &mut Sources| {
    replace(
        shop,
        ORDER_SQL,
        "not null references orders on delete cascade",
        "not null",
    );
    replace(
        shop,
        ORDER,
        "mode    = \"append_only\"",
        "mode    = \"append_only\"\nwithin = \"order\"",
    );
    append(shop, USER, "\n[owns.a]\nwithin = \"b\"\n[owns.b]\nwithin = \"a\"\n");
    append(
        shop,
        USER_SQL,
        "create table a (id int primary key); create table b (id int primary key, a int references a);",
    );
});

rule_test!(a_column_exists, "unknown-column", |shop: &mut Sources| {
    replace(shop, ORDER, "\"status\", ", "\"state\", ");
    replace(shop, ORDER, "refs.user_id_ref", "refs.user_ref");
    replace(shop, ORDER, "\"name\", \"price\"]", "\"name\", \"price\", \"weight\"]");
    append(shop, USER, "hidden = [\"emial\"]\n");
    replace(shop, ORDER, "= [\"user_id_ref\"]", "= [\"user_id\"]");
    replace(
        shop,
        ORDER,
        "links.last_id = \"orders.id\"",
        "links.first_id = \"orders.number\"",
    );
    replace(shop, ORDER, "[\"rank\"]", "[\"place\"]");
});

rule_test!(sql_is_read, "migration-syntax", |shop: &mut Sources| {
    append(shop, USER_SQL, "create tabel x (id int);");
});
