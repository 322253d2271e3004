//! The shop: a right system, to be broken by the tests.

use std::collections::BTreeMap;

use freehold_manifest::{Checked, ServiceSource, SourceFile, Sources, read};

pub(crate) const SYSTEM: &str = r#"system   = "shop"
summary  = "A shop: users buy products."
services = ["user", "product", "order"]
port     = 7100                      # the console; services follow

[postgres]
placement = "database"               # "server", "database" or "schema" per service
# url = "postgres://admin@db.internal:5432"   # none: a private PostgreSQL under .freehold/

[transport]
kind = "feed"                        # "feed", "rabbitmq", "nats" or "kafka"; url for the last three

[workload]                           # what `freehold verify crash` puts the system to work with
program = "shop-workload"
"#;

pub(crate) const ORDER: &str = r#"# What SQL cannot say: what is ours, whose ids we hold, which values are copies, what we publish and hear.
service    = "order"
summary    = "Takes an order from basket to doorstep."
program    = "shop-order"            # runs the sagas and handlers; a service without them has none
publishes  = ["order.placed", "order.confirmed", "order.rejected"]   # facts; row events follow from `publishes` of a table
subscribes = ["user.users.deleted"]
sagas      = ["place_order"]
sends      = ["product.reserve_stock", "product.release_stock", "order.expire"]

[commands]                           # what we obey, and from whom
"order.expire" = { from = ["order"] }

[owns.orders]                        # ours; no other service may read or write it
summary          = "One row per order: the root of the aggregate."
refs.user_id_ref = { to = "user.users", on_delete = "keep" }
publishes        = ["id", "user_id_ref", "status", "total_amount"]   # these columns are our contract; all others stay private

[owns.order_items]
summary             = "What was bought."
within              = "orders"       # written with its root, served under it too
refs.product_id_ref = { to = "product.products", on_delete = "keep" }
cached.product_name = { from = "product_id_ref.name",  refresh = "on_change" }
cached.unit_price   = { from = "product_id_ref.price", refresh = "never" }    # the price on the day

[owns.order_history]
summary = "Every change of an order's status."
mode    = "append_only"              # default "read_write": version and updated_at are kept by the library

[copies.products]                    # read-only here; the owner's events keep it fresh
of      = "product.products"
columns = ["id", "name", "price"]

[copies.users]
of      = "user.users"
columns = ["id"]

[views.order_totals]                 # served like a table, read-only
summary       = "What each buyer spent."
key           = ["user_id_ref"]
links.last_id = "orders.id"          # a view has no foreign keys: this is how orders are embedded in it
hidden        = ["rank"]

[functions.search_orders]            # called by POST or GET /rpc/search_orders
summary = "Orders by a word of their status."

[api]
origins = ["https://shop.example", "http://localhost:5173"]

[api.limits]
rows          = 1000
pattern_bytes = 0
"#;

pub(crate) const ORDER_SQL: &str = "\
create table orders (
    id           bigint generated always as identity primary key,
    user_id_ref  bigint not null,
    status       text not null default 'placed',
    total_amount numeric(12, 2) not null default 0
);

create table order_items (
    id             bigint generated always as identity primary key,
    order_id       bigint not null references orders on delete cascade,
    product_id_ref bigint not null,
    product_name   text,
    unit_price     numeric(12, 2)
);

create table order_history (
    order_id   bigint not null references orders,
    status     text not null,
    changed_at timestamptz not null default now(), primary key (order_id, changed_at)
);

create view order_totals with (security_invoker = true) as
    select user_id_ref, max(id) as last_id, sum(total_amount) as total, rank() over (order by sum(total_amount)) as rank
    from orders
    group by user_id_ref;

create function search_orders(word text, most bigint default 10) returns setof orders
    language sql stable
    as $$ select * from orders where status ilike word order by id limit most $$;
";

pub(crate) const USER: &str = r#"service = "user"
summary = "Who buys."

[owns.users]
summary   = "One row per person."
publishes = ["id", "name"]
"#;

pub(crate) const USER_SQL: &str = "\
create table users (
    id    bigint generated always as identity primary key,
    name  text not null,
    email text not null unique
);
";

pub(crate) const PRODUCT: &str = r#"service = "product"
summary = "What is sold."
program = "shop-product"
subscribes = ["order.confirmed"]

[commands]
"product.reserve_stock" = { from = ["order"] }
"product.release_stock" = { from = ["order"] }

[owns.products]
summary   = "One row per product."
publishes = ["id", "name", "price"]
"#;

pub(crate) const PRODUCT_SQL: &str = "\
create table products (
    id    bigint generated always as identity primary key,
    name  text not null,
    price numeric(12, 2) not null,
    cost  numeric(12, 2)
);
";

/// The shop, whole.
pub(crate) fn shop() -> Sources {
    Sources {
        system: file("system.toml", SYSTEM),
        services: BTreeMap::from([
            service("user", USER, USER_SQL),
            service("product", PRODUCT, PRODUCT_SQL),
            service("order", ORDER, ORDER_SQL),
        ]),
    }
}

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

fn service(name: &str, manifest: &str, sql: &str) -> (String, ServiceSource) {
    let source = ServiceSource {
        manifest: file(&format!("{name}/freehold.toml"), manifest),
        migrations: vec![file(&format!("{name}/migrations/0001_start.sql"), sql)],
        contract: None,
    };
    (name.to_owned(), source)
}

/// Changes one text of the shop: `from` must be there.
pub(crate) fn replace(sources: &mut Sources, path: &str, from: &str, to: &str) {
    let text = text(sources, path);
    assert!(text.contains(from), "{path} does not hold {from:?}");
    *text = text.replacen(from, to, 1);
}

/// Adds to one text of the shop.
pub(crate) fn append(sources: &mut Sources, path: &str, more: &str) {
    text(sources, path).push_str(more);
}

fn text<'s>(sources: &'s mut Sources, path: &str) -> &'s mut String {
    let services = sources.services.values_mut();
    let files = services.flat_map(|s| std::iter::once(&mut s.manifest).chain(&mut s.migrations));
    let mut all = std::iter::once(&mut sources.system).chain(files);
    &mut all.find(|file| file.path == path).expect("a file of the shop").text
}

/// All findings of a system as people read them.
pub(crate) fn report(sources: &Sources) -> String {
    let Checked { diagnostics, .. } = read(sources);
    let rendered: Vec<String> = diagnostics
        .iter()
        .map(|finding| finding.render(sources, false))
        .collect();
    rendered.join("\n\n")
}
