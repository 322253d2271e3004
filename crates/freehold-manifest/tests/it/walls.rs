//! One broken shop per rule, and what people read about it: what crosses the walls between services.

use freehold_manifest::Sources;

use crate::example::{append, replace};
use crate::rules::rule_test;

const ORDER: &str = "order/freehold.toml";
const ORDER_SQL: &str = "order/migrations/0001_start.sql";
const USER: &str = "user/freehold.toml";
const USER_SQL: &str = "user/migrations/0001_start.sql";
const PRODUCT: &str = "product/freehold.toml";

rule_test!(
    a_copy_keeps_published_columns_only,
    "unpublished-column",
    |shop: &mut Sources| {
        replace(shop, ORDER, "\"name\", \"price\"]", "\"name\", \"price\", \"cost\"]");
        replace(shop, USER, "publishes = [\"id\", \"name\"]", "");
        replace(shop, ORDER, "\"user.users.deleted\"", "");
    }
);

rule_test!(
    what_is_hidden_stays_in_the_house,
    "hidden-published",
    |shop: &mut Sources| {
        replace(
            shop,
            USER,
            "publishes = [\"id\", \"name\"]",
            "publishes = [\"id\", \"name\"]\nhidden    = [\"name\", \"email\"]",
        );
        replace(shop, PRODUCT, "publishes = ", "hidden = [\"cost\"]\npublishes = ");
        replace(
            shop,
            ORDER,
            "within              = \"orders\"",
            "hidden = [\"id\", \"order_id\", \"unit_price\"]\nwithin = \"orders\"",
        );
        replace(shop, ORDER, "[\"rank\"]", "[\"rank\", \"user_id_ref\"]");
    }
);

rule_test!(
    a_cached_column_can_be_filled,
    "cached-without-ref",
    |shop: &mut Sources| {
        replace(shop, ORDER, "\"product_id_ref.name\"", "\"product_ref.name\"");
        replace(shop, ORDER, "\"name\", \"price\"]", "\"name\"]");
    }
);

rule_test!(
    a_checked_reference_has_a_copy,
    "ref-without-copy",
    |shop: &mut Sources| {
        replace(
            shop,
            ORDER,
            "[copies.users]\nof      = \"user.users\"\ncolumns = [\"id\"]",
            "",
        );
    }
);

rule_test!(
    what_refuses_null_is_not_cleared,
    "clear-not-null",
    |shop: &mut Sources| {
        replace(shop, ORDER, "on_delete = \"keep\"", "on_delete = \"clear\"");
    }
);

rule_test!(a_table_is_copied_once, "duplicate-copy", |shop: &mut Sources| {
    append(
        shop,
        ORDER,
        "\n[copies.people]\nof = \"user.users\"\ncolumns = [\"id\", \"name\"]\n",
    );
});

rule_test!(a_reference_leads_out, "local-ref", |shop: &mut Sources| {
    replace(
        shop,
        ORDER,
        "refs.product_id_ref",
        "refs.order_id = { to = \"order.orders\" }\nrefs.product_id_ref",
    );
});

rule_test!(a_service_is_listed, "unknown-service", |shop: &mut Sources| {
    replace(shop, ORDER, "\"user.users\"", "\"usr.users\"");
    replace(shop, ORDER, "\"user.users.deleted\"", "\"billing.paid\"");
    replace(
        shop,
        ORDER,
        "\"order.expire\"]",
        "\"order.expire\", \"prodct.discontinue\"]",
    );
    replace(shop, PRODUCT, "from = [\"order\"]", "from = [\"order\", \"oder\"]");
});

rule_test!(a_referenced_table_is_owned, "unknown-table", |shop: &mut Sources| {
    replace(shop, ORDER, "\"user.users\"", "\"user.user\"");
    replace(shop, ORDER, "of      = \"user.users\"", "of      = \"user.products\"");
    replace(
        shop,
        ORDER,
        "links.last_id = \"orders.id\"",
        "links.last_id = \"order.id\"\nlinks.user_id_ref = \"users.id\"",
    );
});

rule_test!(
    somebody_publishes_what_is_heard,
    "unknown-event",
    |shop: &mut Sources| {
        replace(
            shop,
            ORDER,
            "\"user.users.deleted\"",
            "\"user.users.delete\", \"user.signed_in\"",
        );
        append(shop, USER, "\n[owns.secrets]\n");
        append(shop, USER_SQL, "create table secrets (id int primary key);");
        replace(
            shop,
            PRODUCT,
            "[\"order.confirmed\"]",
            "[\"user.secrets.changed\", \"order.placed\", \"order.orders\", \"product.products.deleted\"]",
        );
    }
);

rule_test!(what_is_sent_is_obeyed, "unknown-command", |shop: &mut Sources| {
    // Misspelt: told once, on the sender's side.
    replace(shop, ORDER, "\"product.release_stock\"", "\"product.relaese_stock\"");
    // The addressee takes it from somebody else, who does not send it.
    replace(
        shop,
        PRODUCT,
        "\"product.reserve_stock\" = { from = [\"order\"]",
        "\"product.reserve_stock\" = { from = [\"user\"]",
    );
    // Nobody there obeys anything; our own obedience to it is of no use.
    replace(shop, ORDER, "\"order.expire\"]", "\"user.notify\"]");
});

rule_test!(
    behaviour_has_a_program,
    "behaviour-without-program",
    |shop: &mut Sources| {
        replace(shop, ORDER, "program    = \"shop-order\"", "");
        replace(shop, PRODUCT, "program = \"shop-product\"", "");
    }
);

rule_test!(
    a_foreign_key_stays_inside,
    "cross-service-foreign-key",
    |shop: &mut Sources| {
        replace(
            shop,
            ORDER_SQL,
            "product_id_ref bigint not null",
            "product_id_ref bigint not null references products (id)",
        );
        replace(
            shop,
            "product/migrations/0001_start.sql",
            "cost  ",
            "seller bigint references users, cost  ",
        );
        append(
            shop,
            ORDER_SQL,
            "alter table orders add constraint u foreign key (user_id_ref) references \"user\".users (id);",
        );
    }
);

rule_test!(a_query_stays_inside, "cross-service-query", |shop: &mut Sources| {
    append(shop, "product/migrations/0001_start.sql", CROSSING);
});

const CROSSING: &str = "
create view buyers as select u.id from users u join products p on true;
create function buyer_count() returns bigint language sql as $$ select count(*) from users $$;
create function clean() returns void language plpgsql as $$
declare n bigint;
begin
    select count(*) into n from products, orders as o where true;
    delete from users using products where true;
    with users as (select 1) select * into n from products;
end $$;
with users as (select 1 as id) select * from users;
insert into products (name, price) select 'x', 1 from shop_user.users;
";
