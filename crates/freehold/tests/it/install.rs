//! Installations: what the first one makes, what the second leaves alone, and what is refused.

mod changes;
mod served;

use freehold::install::Outcome;

use crate::copies::{ORDER, PRODUCT};
use crate::fixture::{Home, Stage, number, refused, run, texts};

const BOTH: [Outcome; 2] = [Outcome::Installed, Outcome::Installed];

async fn columns(home: &Home, table: &str) -> Vec<String> {
    texts(
        &home.sql,
        &format!(
            "select attname || ' ' || format_type(atttypid, atttypmod) from pg_attribute
             where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped order by attnum"
        ),
    )
    .await
}

#[tokio::test]
async fn a_second_installation_changes_nothing() {
    for placement in ["database", "schema"] {
        let stage = Stage::migrated(placement, &[PRODUCT, ORDER]).await;
        assert_eq!(stage.install().await, BOTH, "{placement}");
        assert_eq!(stage.install().await, [Outcome::Unchanged; 2], "{placement}");
    }
}

#[tokio::test]
async fn a_table_that_was_made_anew_gets_its_triggers_again() {
    let stage = Stage::open(&[PRODUCT]).await;
    let home = stage.home("product");
    let anew = "create table other (like stocks including all); drop table stocks; alter table other rename to stocks";
    run(&home.sql, &format!("set role {}; {anew}; reset role", home.names.owner)).await;
    let triggers = "select count(*) from pg_trigger where tgrelid = 'stocks'::regclass and not tgisinternal";
    assert_eq!(number(&home.sql, triggers).await, 0);
    assert_eq!(stage.install().await, [Outcome::Installed]);
    assert!(number(&home.sql, triggers).await > 0);
}

#[tokio::test]
async fn services_that_share_a_database_keep_to_their_schemas() {
    let stage = Stage::open_in("schema", &[PRODUCT, ORDER]).await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    assert_eq!(
        (product.names.schema.as_str(), product.names.freehold.as_str()),
        ("t_product", "t_product_freehold")
    );
    let served = product.serve().await;
    let _followed = order.follow("product", &served.url);
    let (seller, buyer) = (product.app().await, order.app().await);
    run(
        &seller,
        "insert into products (id, name, price) values (1, 'tea', 2), (2, 'cup', 3)",
    )
    .await;
    run(
        &seller,
        "select t_product_freehold.emit('product.counted', 'all', '{}')",
    )
    .await;
    order.caught_up(product).await;
    run(&buyer, "insert into order_items (product_id_ref) values (1), (2)").await;
    run(
        &seller,
        "update products set name = 'green tea' where id = 1; delete from products where id = 2",
    )
    .await;
    order.caught_up(product).await;
    let items = "select row(product_id_ref, product_name, unit_price)::text from t_order.order_items order by id";
    assert_eq!(texts(&order.sql, items).await, [r#"(1,"green tea",2)"#, "(2,cup,3)"]);
    assert_eq!(texts(&buyer, "select name from products").await, ["green tea"]);
    assert_eq!(
        number(&order.sql, "select count(*) from t_order_freehold.dangling").await,
        0
    );
    assert_eq!(number(&order.sql, "select count(*) from t_order_freehold.log").await, 0);
    let broken = "select count(t_product_freehold.broken_link(0, 100))";
    assert_eq!(number(&product.sql, broken).await, 0);
    for forbidden in [
        "select * from t_product.products",
        "select * from t_product_freehold.log",
    ] {
        assert_eq!(refused(&buyer, forbidden).await.0, "42501");
    }
    let outside = "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname in ('public', 'freehold')";
    assert_eq!(number(&order.sql, outside).await, 0);
}

#[tokio::test]
async fn version_and_time_of_change_are_added_and_kept() {
    let stage = Stage::migrated("database", &[PRODUCT, ORDER]).await;
    let product = stage.home("product");
    run(&product.sql, "insert into products (id, name) values (1, 'before')").await;
    stage.install().await;
    let mut found = columns(product, "products").await;
    assert_eq!(
        found.split_off(4),
        ["version bigint", "updated_at timestamp with time zone"]
    );
    let app = product.app().await;
    run(
        &app,
        "update products set name = 'a'; update products set name = 'b', version = 0, updated_at = 'epoch'",
    )
    .await;
    assert_eq!(
        texts(
            &app,
            "select version::text || (updated_at > now() - interval '1 min') from products"
        )
        .await,
        ["3true"]
    );
    run(&app, "update products set version = 40").await;
    run(&app, "update products set name = 'c'").await;
    assert_eq!(number(&app, "select version from products").await, 41);
}

#[tokio::test]
async fn a_version_of_another_type_is_refused_by_name() {
    let stage = Stage::migrated("database", &[PRODUCT, ORDER]).await;
    let product = stage.home("product");
    run(&product.sql, "alter table stocks add column version text").await;
    let error = product.install(&[]).await.expect_err("a version that is text");
    assert_eq!(
        error.to_string(),
        "service product: stocks.version is text, but the library keeps it as bigint; rename it, or change its type in a migration"
    );
    assert_eq!(columns(product, "products").await.len(), 4, "nothing was changed");
    assert_eq!(
        number(&product.sql, "select count(*) from pg_class where relname = 'outbox'").await,
        0
    );
}

#[tokio::test]
async fn what_a_copy_needs_and_its_owner_does_not_publish_is_named() {
    let stage = Stage::migrated("database", &[PRODUCT, ORDER]).await;
    let order = stage.home("order");
    let error = order.install(&[]).await.expect_err("no contract");
    assert!(
        error
            .to_string()
            .contains("product.products is copied but its owner publishes no such table"),
        "{error}"
    );
    let mut contracts = stage.contracts().await;
    for contract in &mut contracts {
        contract.columns.retain(|(name, _)| name != "price");
    }
    let error = order.install(&contracts).await.expect_err("no such column");
    assert_eq!(
        error.to_string(),
        "service order: copy products wants product.products.price, which its owner does not publish; \
         add it to publishes of products in the manifest of product"
    );
}

#[tokio::test]
async fn a_trigger_of_the_services_own_is_left_alone() {
    let stage = Stage::migrated("database", &[PRODUCT, ORDER]).await;
    let product = stage.home("product");
    let own = "create function own() returns trigger language plpgsql as $$ begin new.name := new.name || '!'; return new; end $$;
               create trigger own before insert on products for each row execute function own();
               create trigger freeholder before insert on products for each row execute function own()";
    run(&product.owner().await, own).await;
    assert_eq!(stage.install().await, BOTH);
    run(&product.sql, "update freehold.installation set fingerprint = 'another'").await;
    stage.install().await;
    run(
        &product.app().await,
        "insert into products (id, name) values (1, 'tea')",
    )
    .await;
    assert_eq!(
        texts(&product.sql, "select payload ->> 'name' from freehold.outbox").await,
        ["tea!!"]
    );
}

#[tokio::test]
async fn the_application_role_reads_its_copies_and_writes_its_tables() {
    let stage = Stage::open(&[PRODUCT, ORDER]).await;
    let app = stage.home("order").app().await;
    run(
        &app,
        "insert into order_items default values; update order_items set unit_price = 1; delete from order_items",
    )
    .await;
    assert_eq!(number(&app, "select count(*) from products").await, 0);
    for forbidden in [
        "insert into products (id, version) values (1, 1)",
        "delete from products",
        "update freehold.copy set state = 'live'",
        "update freehold.cursor set position = 0",
        "delete from freehold.tombstone",
        "truncate order_items",
        "alter table order_items disable trigger all",
        "drop trigger freehold_version on order_items",
    ] {
        assert_eq!(refused(&app, forbidden).await.0, "42501", "{forbidden}");
    }
}
